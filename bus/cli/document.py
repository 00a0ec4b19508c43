"""`lgsp document list|show`, `lgsp task list|report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bus.cli.lang import say
from bus.cli.options import Json, Limit, examples
from bus.cli.output import headings, note, show_json, show_table, to_json, when
from bus.cli.session import Session
from schemas.errors import NotFound
from schemas.vietnam import day_of

if TYPE_CHECKING:
    from bus.ledger.exchange_queries import EventRow, ExchangeRow, Figures
    from bus.ledger.ledger import Ledger

document_app = typer.Typer(
    no_args_is_help=True,
    help=say("Văn bản tại từng nơi nhận.", "Documents at each of their receivers."),
)
task_app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Nhiệm vụ: văn bản có hạn xử lý hoặc văn bản chỉ đạo.",
        "Tasks: documents with a day they are due, or that direct.",
    ),
)

PERIODS = "2026-11-23, 2026-11, 2026-Q3, 2026"
Agency = Annotated[
    str | None, typer.Option(help=say("mã cơ quan nhận", "code of the receiving agency"))
]


@document_app.command(
    "list",
    help=say("Văn bản mới nhất trước.", "Newest first.")
    + examples("lgsp document list --code 125/UBND-VX", "lgsp document list --agency H38.02"),
)
def list_(
    context: typer.Context,
    *,
    agency: Agency = None,
    document: Annotated[
        str | None, typer.Option(help=say("mã văn bản (DocumentId)", "document id"))
    ] = None,
    code: Annotated[str | None, typer.Option(help=say("số/ký hiệu", "number/notation"))] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.exchanges.page(
            receivers=[agency] if agency else None,
            document_id=document,
            document_code=code,
            limit=limit,
        )
    )
    _show(rows, json=json)


@document_app.command(
    "show",
    help=say(
        "Một văn bản tại mọi nơi nhận và mọi điều đã được báo.",
        "One document at all its receivers, and all that was told of it.",
    ),
)
def show(
    context: typer.Context,
    message: Annotated[
        str,
        typer.Argument(
            metavar=say("THÔNG_ĐIỆP", "MESSAGE"), help=say("mã thông điệp", "its message's id")
        ),
    ],
    *,
    json: Json = False,
) -> None:
    async def read(ledger: Ledger) -> tuple[list[ExchangeRow], list[EventRow]]:
        rows = await ledger.exchanges.of_message(message)
        if not rows:
            raise NotFound(f"no document {message}", vi=f"Không có văn bản {message}")
        return rows, await ledger.exchanges.events(message)

    rows, events = Session.of(context).run(read)
    if json:
        show_json({"receivers": to_json(rows), "events": to_json(events)})
        return
    _show(rows, json=False)
    columns = headings("Nơi nhận|Việc|Lúc|Đổi|Thông điệp", "Receiver|Event|Time|Changed|Message")
    cells = [
        (e.receiver, e.event, when(e.at), "✓" if e.changed else "–", e.told_by) for e in events
    ]
    show_table(columns, cells, empty=say("Chưa có trạng thái nào.", "No statuses yet."))


@task_app.command(
    "list",
    help=say("Nhiệm vụ, mới nhất trước.", "Tasks, newest first.")
    + examples("lgsp task list --state overdue", "lgsp task list --agency H38.02 --json"),
)
def list_tasks(
    context: typer.Context,
    *,
    agency: Agency = None,
    state: Annotated[
        Literal["open", "overdue", "done"] | None,
        typer.Option(help=say("đang xử lý, quá hạn, đã xong", "where they stand")),
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    rows = Session.of(context).run(
        lambda ledger: ledger.exchanges.tasks(
            agencies=[agency] if agency else None, state=state, now=ledger.clock(), limit=limit
        )
    )
    _show(rows, json=json)


@task_app.command(
    "report",
    help=say("Số liệu một tháng, quý hoặc năm.", "Figures of a month, a quarter or a year.")
    + examples(
        "lgsp task report 2026-Q3",
        "lgsp task report 2026-11 --output bao-cao.xlsx",
        "lgsp task report 2026 --json",
    ),
)
def report(
    context: typer.Context,
    period: Annotated[str, typer.Argument(help=say("kỳ", "period") + f": {PERIODS}")],
    *,
    agency: Agency = None,
    output: Annotated[
        Path | None, typer.Option(help=say("tệp .csv hoặc .xlsx", "a file, .csv or .xlsx"))
    ] = None,
    json: Json = False,
) -> None:
    from bus.ops import reports  # noqa: PLC0415 - late: a spreadsheet library is behind it

    chosen = reports.parse_period(period)

    async def read(ledger: Ledger) -> tuple[list[Figures], dict[str, str]]:
        figures = await ledger.exchanges.figures(
            agencies=[agency] if agency else None,
            since=chosen.since,
            until=chosen.until,
            now=ledger.clock(),
        )
        items = await ledger.config.items(since=0)
        names = {
            item.name: str(getattr(item.parse(), "name", ""))
            for item in items
            if item.kind == "agency" and item.body is not None
        }
        return figures, names

    figures, names = Session.of(context).run(read)
    if output is not None:
        kind: reports.FileFormat = "xlsx" if output.suffix == ".xlsx" else "csv"
        output.write_bytes(reports.write(kind, chosen, figures, names).content)
        note(say(f"Đã ghi {output}", f"Written: {output}"))
        return
    if json:
        show_json({"period": period, "items": to_json(figures)})
        return
    columns = headings(
        "Mã|Cơ quan|" + "|".join(vi for vi, _ in reports.COLUMNS.values()),
        "Code|Agency|" + "|".join(en for _, en in reports.COLUMNS.values()),
    )
    cells = [
        (each.agency, names.get(each.agency, ""), *(getattr(each, n) for n in reports.COLUMNS))
        for each in figures
    ]
    show_table(columns, cells, empty=say("Kỳ này không có văn bản.", "No documents in it."))


def _show(rows: list[ExchangeRow], *, json: bool) -> None:
    if json:
        show_json({"items": to_json(rows)})
        return
    columns = headings(
        "Thông điệp|Số ký hiệu|Gửi|Nhận|Trạng thái|Lấy lại|Hạn|Gửi lúc|Đến|Tiếp nhận|Xong",
        "Message|Document|Sender|Receiver|State|Recall|Due|Sent|Arrived|Accepted|Finished",
    )
    cells = [
        (
            row.message_id,
            row.document_code,
            row.sender,
            row.receiver,
            row.state.value,
            "" if row.recall == "none" else row.recall.value,
            day_of(row.due_at - 1).isoformat() if row.due_at is not None else "",
            when(row.sent_at),
            when(row.arrived_at),
            when(row.accepted_at),
            when(row.finished_at),
        )
        for row in rows
    ]
    show_table(columns, cells, empty=say("Không có văn bản nào.", "No documents."))


def add_to(app: typer.Typer) -> None:
    app.add_typer(document_app, name="document")
    app.add_typer(task_app, name="task")
