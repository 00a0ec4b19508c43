"""Figures of documents and tasks as people take them: a day, month, quarter or year, as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

from openpyxl import Workbook

from bus.ledger.exchange_queries import Figures
from schemas.errors import InvalidRequest
from schemas.instant import Instant
from schemas.vietnam import YEARS, day_of, start_of

_PERIOD = re.compile(r"(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])(?:-(\d\d))?))?")

COLUMNS: dict[str, tuple[str, str]] = {
    "received": ("Văn bản đến", "Received"),
    "accepted": ("Đã tiếp nhận", "Accepted"),
    "refused": ("Từ chối", "Refused"),
    "tasks": ("Nhiệm vụ", "Tasks"),
    "done_early": ("Xong trước hạn", "Done early"),
    "done_on_time": ("Xong đúng hạn", "Done on time"),
    "done_late": ("Xong quá hạn", "Done late"),
    "open": ("Đang xử lý trong hạn", "Open, in time"),
    "overdue": ("Chưa xong, quá hạn", "Overdue"),
}
FileFormat = Literal["csv", "xlsx"]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment of `since` up to `until`, by Vietnam's clock."""

    name: str
    since: Instant
    until: Instant

    @property
    def first(self) -> date:
        return day_of(self.since)

    @property
    def last(self) -> date:
        return day_of(self.until - 1)


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    media_type: str
    headers: dict[str, str]


def parse_period(text: str) -> Period:
    """`2026-11-23`, `2026-11`, `2026-Q3` or `2026`. Raises InvalidRequest."""
    found = _PERIOD.fullmatch(text)
    days = _days(found) if found is not None else None
    if days is None:
        raise InvalidRequest(
            "period is a day (2026-11-23), a month (2026-11), a quarter (2026-Q3) or a year (2026)",
            vi="Kỳ báo cáo là ngày (2026-11-23), tháng (2026-11), quý (2026-Q3) hoặc năm (2026)",
            field="period",
        )
    first, until = days
    return Period(text, start_of(first), start_of(until))


def _days(found: re.Match[str]) -> tuple[date, date] | None:
    """The first day and the first one behind the period; None: there is no such day."""
    year = int(found[1])
    if year not in YEARS:
        return None
    if found[4]:
        try:
            day = date(year, int(found[3]), int(found[4]))
        except ValueError:
            return None
        return day, day + timedelta(days=1)
    if found[2]:
        first, months = 3 * int(found[2]) - 2, 3
    elif found[3]:
        first, months = int(found[3]), 1
    else:
        first, months = 1, 12
    after = first + months
    return date(year, first, 1), date(year + (after > 12), after - 12 * (after > 12), 1)


def numbers(figures: Figures) -> dict[str, int | str]:
    return asdict(figures)


def write(
    kind: FileFormat, period: Period, figures: Sequence[Figures], names: Mapping[str, str]
) -> File:
    """A table with one row for each agency and the sum of all."""
    table = _table(figures, names)
    content = to_csv(table) if kind == "csv" else to_xlsx(period.name, table)
    name = f"van-ban-{period.name}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return File(content, MEDIA_TYPES[kind], headers)


def _table(figures: Sequence[Figures], names: Mapping[str, str]) -> list[list[str | int]]:
    head: list[str | int] = ["Mã cơ quan / Code", "Cơ quan / Agency"]
    head += [f"{vi} / {en}" for vi, en in COLUMNS.values()]
    rows: list[list[str | int]] = [
        [plain(each.agency), plain(names.get(each.agency, "")), *_values(each)] for each in figures
    ]
    sums: list[str | int] = ["", "Tổng / Total"]
    sums += [sum(_values(each)[n] for each in figures) for n in range(len(COLUMNS))]
    return [head, *rows, sums]


def _values(figures: Figures) -> list[int]:
    return [int(getattr(figures, name)) for name in COLUMNS]


def plain(text: str) -> str:
    """A cell that begins like a formula would be carried out by the spreadsheet that opens it."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def to_csv(table: list[list[str | int]]) -> bytes:
    """With a byte order mark: spreadsheets otherwise take Vietnamese for something else."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(table)
    return out.getvalue().encode("utf-8-sig")


def to_xlsx(title: str, table: list[list[str | int]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])  # the most a spreadsheet takes
    for row in table:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
