"""`lgsp mapping import|list`: tables of local and national codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bus.cli.failure import PROBLEM
from bus.cli.lang import say, spoken
from bus.cli.options import Json, examples
from bus.cli.output import headings, say_line, show_json, show_table
from bus.cli.session import Session

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from routing.mapping_import import MappingImport
    from schemas.province import Mapping

mapping_app = typer.Typer(
    no_args_is_help=True,
    help=say("Bảng ánh xạ mã địa phương – quốc gia.", "Local codes and their national ones."),
)

Table = Annotated[
    Literal["procedure", "agency", "fee", "commune", "postal", "status"] | None,
    typer.Option(help=say("bảng: thủ tục, cơ quan, phí, xã, trạng thái", "which table")),
]


@mapping_app.command(
    "import",
    help=say(
        "Nhập bảng từ CSV hoặc XLSX; dòng đã có được sửa, dòng không nêu được giữ.",
        "Import a CSV or XLSX; entries of the same name are changed, others stay.",
    )
    + examples("lgsp mapping import thu-tuc.xlsx --table procedure --reason 'đợt 2'"),
)
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=say("tệp", "file"))],
    *,
    reason: Annotated[str, typer.Option(help=say("lý do, được lưu lại", "reason, kept"))],
    table: Table = None,
    skip_faulty: Annotated[
        bool, typer.Option(help=say("bỏ qua dòng lỗi, nhập phần còn lại", "leave faulty rows out"))
    ] = False,
    json: Json = False,
) -> None:
    from routing.mapping_import import read_mappings  # noqa: PLC0415 - late: spreadsheets

    session = Session.of(context)
    read = read_mappings(file.read_bytes(), table)
    refused = bool(read.faults) and not skip_faulty
    changed = 0
    if not refused:
        changed = session.run(
            lambda ledger: _apply(ledger, read.entries, actor=session.actor, reason=reason)
        )
    _report(read, changed, refused=refused, json=json)
    if refused:
        raise typer.Exit(PROBLEM)


@mapping_app.command(
    "list",
    help=say("Ánh xạ đang dùng.", "Mappings in force.")
    + examples("lgsp mapping list --table procedure"),
)
def list_(context: typer.Context, *, table: Table = None, json: Json = False) -> None:
    province = Session.of(context).run(lambda ledger: ledger.config.province())
    found = [each for each in province.mappings if table is None or each.table == table]
    if json:
        items = [each.model_dump(mode="json") for each in found]
        show_json(
            {
                "items": [
                    {
                        "table": each["table"],
                        "agency": each["agency"],
                        "local": each["local"],
                        "national": each["national"],
                        "validFrom": each["valid_from"],
                        "validTo": each["valid_to"],
                    }
                    for each in items
                ]
            }
        )
        return
    columns = headings(
        "Bảng|Cơ quan|Mã địa phương|Mã quốc gia|Từ|Đến", "Table|Agency|Local|National|From|To"
    )
    cells = [(e.table, e.agency, e.local, e.national, e.valid_from, e.valid_to) for e in found]
    show_table(columns, cells, empty=say("Chưa có ánh xạ nào.", "No mappings."))


async def _apply(ledger: Ledger, entries: tuple[Mapping, ...], *, actor: str, reason: str) -> int:
    """How many entries are new or changed. Raises ConfigurationError when they do not fit what
    is in force, Conflict when somebody else applied meanwhile.
    """
    from bus.ops.province_change import propose, put_in_force, with_mappings  # noqa: PLC0415

    proposal = await propose(ledger, with_mappings(entries))
    await put_in_force(ledger, proposal, actor=actor, reason=reason)
    return len(proposal.plan.changes)


def _report(read: MappingImport, changed: int, *, refused: bool, json: bool) -> None:
    if json:
        show_json(
            {
                "rows": read.rows,
                "entries": len(read.entries),
                "repeated": read.repeated,
                "changed": changed,
                "applied": not refused,
                "faults": [
                    {"row": f.row, "column": f.column, "vi": f.reason.vi, "en": f.reason.en}
                    for f in read.faults
                ],
            }
        )
        return
    columns = headings("Dòng|Cột|Lỗi", "Row|Column|Fault")
    cells = [(each.row, each.column, spoken(each.reason)) for each in read.faults]
    if cells:
        show_table(columns, cells, empty="")
    say_line(
        say(
            f"{read.rows} dòng, {len(read.entries)} ánh xạ, {read.repeated} dòng lặp, "
            f"{len(read.faults)} dòng lỗi; ",
            f"{read.rows} rows, {len(read.entries)} entries, {read.repeated} repeated, "
            f"{len(read.faults)} at fault; ",
        )
        + (
            say("chưa nhập gì.", "nothing imported.")
            if refused
            else say(f"đã thêm hoặc sửa {changed}.", f"{changed} added or changed.")
        )
    )


def add_to(app: typer.Typer) -> None:
    app.add_typer(mapping_app, name="mapping")
