"""A report as a file: PDF for people, XLSX for spreadsheets, CSV for programs."""

from __future__ import annotations

import io
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from bus.ops.report_model import Coded, Report, Section, Value
from bus.ops.report_words import TITLE, Lang, lines, say, with_total
from bus.ops.reports import MEDIA_TYPES, File, plain, to_csv
from schemas.errors import InvalidRequest, Text

Kind = Literal["pdf", "xlsx", "csv"]
KINDS: tuple[Kind, ...] = ("pdf", "xlsx", "csv")
FRONT = Text("Báo cáo", "Report")
MAX_TITLE = 31  # characters of a sheet's name
_WIDTH = {"text": 28, "count": 13, "percent": 13, "seconds": 13}


def write(kind: Kind, report: Report, lang: Lang) -> File:
    """Takes a second or more of computing for a whole province: not on the event loop."""
    match kind:
        case "pdf":
            # late: PDF's library and its fonts take a while
            from bus.ops.report_pdf import to_pdf  # noqa: PLC0415

            return _file(report, kind, to_pdf(report, lang), "application/pdf")
        case "xlsx":
            return _file(report, kind, _workbook(report, lang), MEDIA_TYPES["xlsx"])
        case "csv":
            return _file(report, kind, to_csv(_long(report)), MEDIA_TYPES["csv"])


def kind_of(name: str) -> Kind:
    """By the end of a file's name. Raises InvalidRequest."""
    for kind in KINDS:
        if name.lower().endswith(f".{kind}"):
            return kind
    raise InvalidRequest(
        "the file's name ends in .pdf, .xlsx or .csv",
        vi="Tên tệp kết thúc bằng .pdf, .xlsx hoặc .csv",
        field="output",
    )


def _file(report: Report, kind: Kind, content: bytes, media_type: str) -> File:
    name = f"bao-cao-{report.period.name}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return File(content, media_type, headers)


def _long(report: Report) -> list[list[str | int]]:
    """One figure a line, with the names that do not change: programs read it without a guide."""
    table: list[list[str | int]] = [["period", "section", "subject", "name", "figure", "value"]]
    for section in report.sections:
        keys = [n for n, column in enumerate(section.columns) if column.unit == "text"]
        for row in section.rows:
            subject = plain(str(row[keys[0]]))
            named = plain(" ".join(str(row[n]) for n in keys[1:]))
            for column, value in zip(section.columns, row, strict=True):
                if column.unit != "text":
                    cell = _exact(value)
                    table.append(
                        [report.period.name, section.name, subject, named, column.name, cell]
                    )
    return table


def _exact(value: Value) -> str | int:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Coded):
        return value.code
    return "" if value is None else value


def _workbook(report: Report, lang: Lang) -> bytes:
    book = Workbook(write_only=True)
    front = book.create_sheet(say(FRONT, lang))
    front.column_dimensions["A"].width = 110
    for text in (say(TITLE, lang), *lines(report, lang)):
        front.append([plain(text)])
    for section in report.sections:
        _sheet(book.create_sheet(f"{say(section.title, lang)}"[:MAX_TITLE]), section, lang)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(sheet: Any, section: Section, lang: Lang) -> None:
    """`sheet` is one of a write-only book, which openpyxl's stubs take for any sheet."""
    sheet.freeze_panes = "A2"
    for number, column in enumerate(section.columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTH[column.unit]
    sheet.append([_strong(sheet, say(each.title, lang)) for each in section.columns])
    for row in section.rows:
        sheet.append([_cell(value, lang) for value in row])
    if section.sums is not None:
        sheet.append([_strong(sheet, _cell(value, lang)) for value in with_total(section, lang)])
    if section.note is not None:
        sheet.append([])
        sheet.append([say(section.note, lang)])


def _strong(sheet: Any, value: str | float | None) -> Any:
    cell = WriteOnlyCell(sheet, value)
    cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    return cell


def _cell(value: Value, lang: Lang) -> str | int | float | None:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Coded):
        return plain(say(value.title, lang))
    return plain(value) if isinstance(value, str) else value
