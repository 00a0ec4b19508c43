"""`lgsp dossier list|show|figures`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.lang import say, spoken
from bus.cli.options import Json, Limit, Since, examples
from bus.cli.output import headings, note, show_facts, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas.errors import NotFound

if TYPE_CHECKING:
    from bus.ledger.dossier_queries import DossierDelivery, DossierRow, StepRow
    from bus.ledger.ledger import Ledger
    from schemas.dossier.figures import Figures

dossier_app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Hồ sơ thủ tục hành chính và đường tới các cổng.",
        "Dossiers of administrative procedures, and their way to the portals.",
    ),
)

Agency = Annotated[
    str | None, typer.Option(help=say("mã cơ quan xử lý", "code of the agency that handles it"))
]
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help=say("ngày", "day"))]


@dossier_app.command(
    "list",
    help=say("Hồ sơ mới nhất trước.", "Newest first.")
    + examples("lgsp dossier list --agency H38.02", "lgsp dossier list --status 5 --since 7d"),
)
def list_(
    context: typer.Context,
    *,
    agency: Agency = None,
    status: Annotated[
        int | None, typer.Option(min=1, max=10, help=say("trạng thái 1–10", "status 1–10"))
    ] = None,
    procedure: Annotated[
        str | None, typer.Option(help=say("mã thủ tục", "code of the procedure"))
    ] = None,
    since: Since = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.dossiers.page(
            senders=[agency] if agency else None,
            status=status,
            procedure=procedure,
            since=since,
            limit=limit,
        )
    )
    if json:
        show_json({"items": to_json(rows)})
        return
    columns = headings(
        "Mã hồ sơ|Cơ quan|Thủ tục|Trạng thái|Tiếp nhận|Hẹn trả|Xong|Trả",
        "Dossier|Agency|Procedure|Status|Received|Due|Finished|Returned",
    )
    cells = [
        (
            row.code,
            row.sender,
            row.procedure,
            _status(row.status),
            when(row.received_at),
            when(row.due_at),
            when(row.finished_at),
            when(row.returned_at),
        )
        for row in rows
    ]
    show_table(columns, cells, empty=say("Không có hồ sơ nào.", "No dossiers."))


@dossier_app.command(
    "show",
    help=say(
        "Một hồ sơ: các bước, và đã tới từng cổng chưa. Không hiện dữ liệu cá nhân.",
        "One dossier: its steps, and how far it has come. Shows no personal data.",
    )
    + examples("lgsp dossier show H38.02-261102-0001"),
)
def show(
    context: typer.Context,
    code: Annotated[
        str,
        typer.Argument(metavar=say("MÃ_HỒ_SƠ", "DOSSIER"), help=say("mã hồ sơ", "its code")),
    ],
    *,
    json: Json = False,
) -> None:
    async def read(
        ledger: Ledger,
    ) -> tuple[DossierRow, list[StepRow], list[DossierDelivery]]:
        found = await ledger.dossiers.find(code)
        if not found:
            raise NotFound(f"no dossier {code}", vi=f"Không có hồ sơ {code}")
        sender = found[0].sender
        steps = await ledger.dossiers.steps(sender, code)
        return found[0], steps, await ledger.dossiers.deliveries(sender, code)

    row, steps, deliveries = Session.of(context).run(read)
    if json:
        told = [(each.step_id, each.message_id, each.accepted_at) for each in steps]
        names = ("step_id", "message_id", "accepted_at")
        show_json(
            {
                "dossier": to_json(row),
                "steps": [to_json(dict(zip(names, each, strict=True))) for each in told],
                "deliveries": [
                    {"kind": each.kind, **to_json(each.delivery)} for each in deliveries
                ],
            }
        )
        return
    show_facts(
        [
            (say("Hồ sơ", "Dossier"), row.code),
            (say("Cơ quan", "Agency"), row.sender),
            (say("Thủ tục", "Procedure"), row.procedure),
            (say("Trạng thái", "Status"), _status(row.status)),
            (say("Tiếp nhận", "Received"), when(row.received_at)),
            (say("Hẹn trả", "Due"), when(row.due_at)),
        ]
    )
    columns = headings("Bước|Thông điệp|Tiếp nhận lúc", "Step|Message|Accepted")
    cells = [(each.step_id, each.message_id, when(each.accepted_at)) for each in steps]
    show_table(columns, cells, empty=say("Chưa có bước nào.", "No steps yet."))
    columns = headings(
        "Chuyển phát|Loại|Điểm kết nối|Trạng thái|Lý do|Xong lúc",
        "Delivery|Kind|Endpoint|State|Reason|Finished",
    )
    ways = [
        (d.id, kind, d.endpoint, d.state, d.detail or "", when(d.finished_at))
        for kind, d in deliveries
    ]
    show_table(columns, ways, empty=say("Không cổng nào đăng ký nhận.", "No portal subscribes."))


@dossier_app.command(
    "figures",
    help=say("Số liệu giải quyết hồ sơ theo cơ quan.", "Figures of dossiers by agency.")
    + examples(
        "lgsp dossier figures 2026-10-01 2026-12-31",
        "lgsp dossier figures 2026-11-01 2026-11-30 --output ho-so.xlsx",
    ),
)
def figures(
    context: typer.Context,
    first: Day,
    last: Day,
    *,
    agency: Agency = None,
    output: Annotated[
        Path | None, typer.Option(help=say("tệp .csv hoặc .xlsx", "a file, .csv or .xlsx"))
    ] = None,
    json: Json = False,
) -> None:
    from bus.ops import dossier_figures, reports  # noqa: PLC0415 - late: spreadsheets are behind it
    from schemas.dossier.figures import total  # noqa: PLC0415
    from schemas.province import calendar_of  # noqa: PLC0415

    async def read(ledger: Ledger) -> tuple[list[Figures], dict[str, str]]:
        province = await ledger.config.province()
        rows = await dossier_figures.of_period(
            ledger.dossiers,
            first=first.date(),
            last=last.date(),
            senders=[agency] if agency else None,
            calendar=calendar_of(province.holidays),
            procedures={each.code: each for each in province.procedures},
            now=ledger.clock(),
        )
        return rows, {each.code: each.name for each in province.agencies}

    rows, names = Session.of(context).run(read)
    if output is not None:
        kind: reports.FileFormat = "xlsx" if output.suffix == ".xlsx" else "csv"
        title = f"{first.date()}-{last.date()}"
        output.write_bytes(dossier_figures.write(kind, title, rows, names).content)
        note(say(f"Đã ghi {output}", f"Written: {output}"))
        return
    if json:
        show_json({"items": to_json(rows), "total": to_json(total(rows))})
        return
    words = dossier_figures.COLUMNS
    columns = headings(
        "Mã|Cơ quan|" + "|".join(vi for vi, _ in words.values()),
        "Code|Agency|" + "|".join(en for _, en in words.values()),
    )
    cells = [
        (each.agency, names.get(each.agency, ""), *(getattr(each, name) for name in words))
        for each in rows
    ]
    show_table(columns, cells, empty=say("Kỳ này không có hồ sơ.", "No dossiers in it."))


def _status(number: int) -> str:
    from schemas.dossier.life import TITLES, DossierStatus  # noqa: PLC0415 - late: pydantic

    return f"{number} {spoken(TITLES[DossierStatus(number)])}"


def add_to(app: typer.Typer) -> None:
    app.add_typer(dossier_app, name="dossier")
