"""`lgsp report`: the report of a period as a file, the same as the console makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bus.cli.document import PERIODS
from bus.cli.lang import LANG, say
from bus.cli.options import examples
from bus.cli.output import note, progress
from bus.cli.session import Session

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ops.report_model import Report


def report(
    context: typer.Context,
    period: Annotated[str, typer.Argument(help=say("kỳ", "period") + f": {PERIODS}")],
    *,
    agency: Annotated[
        list[str] | None,
        typer.Option(help=say("mã cơ quan; không nêu: tất cả", "code of an agency; none: all")),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help=say("tệp .pdf, .xlsx hoặc .csv", "the file"))
    ],
) -> None:
    from bus.ops import report as reports  # noqa: PLC0415 - late: spreadsheets are behind it
    from bus.ops import report_files  # noqa: PLC0415
    from bus.ops.reports import parse_period  # noqa: PLC0415
    from schemas.province import calendar_of  # noqa: PLC0415

    kind = report_files.kind_of(output.name)
    chosen = parse_period(period)
    codes = {each.strip().upper() for each in agency} if agency else None

    async def make(ledger: Ledger) -> Report:
        province = await ledger.config.province()
        scope = reports.scope_of(
            province.agencies,
            codes,
            calendar_of(province.holidays),
            {each.code: each for each in province.procedures},
        )
        with progress(say("Báo cáo", "Report"), reports.PARTS, least=1) as advance:
            return await reports.make(ledger, chosen, scope, lambda done, _of: advance(done > 0))

    made = Session.of(context).run(make)
    output.write_bytes(report_files.write(kind, made, LANG).content)
    note(say(f"Đã ghi {output}", f"Written: {output}"))


def add_to(app: typer.Typer) -> None:
    app.command(
        help=say(
            "Báo cáo ngày, tháng, quý, năm: PDF, XLSX hoặc CSV.",
            "The report of a day, month, quarter or year: PDF, XLSX or CSV.",
        )
        + examples(
            "lgsp report 2026-Q3 -o quy-3.pdf",
            "lgsp report 2026-11 --agency H38.02 -o so-y-te.xlsx",
        )
    )(report)
