"""Mapping tables as people keep them: CSV or XLSX read into entries, with a report of every row.

The first row names the columns, in Vietnamese or English, in any order. Whoever imports decides
whether a file of which a row is at fault is taken: the report lists entries and faults.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

from pydantic import ValidationError

from routing.mapping import MappingTables
from schemas.agency import AgencyCode
from schemas.errors import ConfigurationError, InvalidRequest, Text
from schemas.province import Mapping, MappingTable
from schemas.sheet import Cell, Row, read_sheet

_COLUMNS = {
    "table": {"table", "bảng", "loại"},
    "agency": {"agency", "cơ quan", "mã cơ quan"},
    "local": {"local", "mã địa phương", "mã nội bộ", "mã cục bộ"},
    "national": {"national", "mã quốc gia"},
    "valid_from": {"valid_from", "validfrom", "từ ngày", "hiệu lực từ"},
    "valid_to": {"valid_to", "validto", "đến ngày", "hiệu lực đến"},
}
_TABLES: dict[str, MappingTable] = {name: name for name in get_args(MappingTable)} | {
    "thủ tục": "procedure",
    "cơ quan": "agency",
    "phí": "fee",
    "lệ phí": "fee",
    "xã": "commune",
    "xã phường": "commune",
    "bưu chính": "postal",
    "trạng thái": "status",
}
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_SERIAL_ZERO = date(1899, 12, 30)  # day 0 of a spreadsheet's dates


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why one row was not taken."""

    row: int  # as the spreadsheet shows it
    column: str
    reason: Text


@dataclass(frozen=True, slots=True)
class MappingImport:
    """Báo cáo nhập: what the file holds."""

    rows: int  # without the head
    entries: tuple[Mapping, ...]
    repeated: int  # rows that say what another said
    faults: tuple[RowFault, ...]


class _Unfit(Exception):
    def __init__(self, column: str, vi: str, en: str) -> None:
        super().__init__(en)
        self.column, self.reason = column, Text(vi, en)


def read_mappings(data: bytes, table: MappingTable | None = None) -> MappingImport:
    """The entries of a file; `table` for a file without that column.

    Raises InvalidRequest when it is no table or lacks a column, TooLarge.
    """
    rows = read_sheet(data)
    places = _places(rows, table)
    entries: dict[str, Mapping] = {}
    of_code: dict[tuple[MappingTable, AgencyCode | None, str], list[Mapping]] = {}
    faults, repeated = [], 0
    for row in rows[1:]:
        try:
            entry = _entry(row, places, table)
            if entries.get(entry.name) == entry:
                repeated += 1
                continue
            others = of_code.setdefault((entry.table, entry.agency, entry.local), [])
            _fits(entry, others)
        except _Unfit as unfit:
            faults.append(RowFault(row.number, unfit.column, unfit.reason))
        else:
            others.append(entry)
            entries[entry.name] = entry
    return MappingImport(len(rows[1:]), tuple(entries.values()), repeated, tuple(faults))


def _places(rows: Sequence[Row], table: MappingTable | None) -> dict[str, int]:
    heads = [_folded(cell.text) for cell in rows[0].cells] if rows else []
    places = {
        name: n for name, words in _COLUMNS.items() for n, head in enumerate(heads) if head in words
    }
    needed = {"local", "national"} | (set() if table else {"table"})
    if lacking := sorted(needed - places.keys()):
        raise InvalidRequest(
            f"the first row does not name the columns {', '.join(lacking)}",
            vi=f"Dòng đầu thiếu cột: {', '.join(lacking)}",
            field=lacking[0],
        )
    return places


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def _entry(row: Row, places: dict[str, int], table: MappingTable | None) -> Mapping:
    cells = {name: row.cells[n] if n < len(row.cells) else Cell("") for name, n in places.items()}
    of = _table(cells.get("table"), table)
    try:
        return Mapping(
            table=of,
            agency=_agency(cells.get("agency")),
            local=_code(cells["local"], "local"),
            national=_national(cells["national"], of),
            valid_from=_day(cells.get("valid_from"), "valid_from"),
            valid_to=_day(cells.get("valid_to"), "valid_to"),
        )
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        column = str(fault["loc"][0]) if fault["loc"] else ""
        raise _Unfit(column, "Giá trị không hợp lệ", fault["msg"]) from None


def _table(cell: Cell | None, given: MappingTable | None) -> MappingTable:
    if cell is None or (not cell.text and given):
        assert given is not None  # noqa: S101 - _places has seen to it
        return given
    found = _TABLES.get(_folded(cell.text))
    if found is None:
        known = ", ".join(get_args(MappingTable))
        raise _Unfit("table", f"Không có bảng này; có: {known}", f"unknown table; known: {known}")
    return found


def _code(cell: Cell, column: str) -> str:
    if cell.number:
        raise _Unfit(
            column,
            "Mã đang là số trong bảng tính: định dạng cột là văn bản rồi nhập lại mã",
            "the code is a number in the sheet: format the column as text and enter it again",
        )
    if not cell.text:
        raise _Unfit(column, "Chưa có mã", "no code")
    return cell.text


def _national(cell: Cell, table: MappingTable) -> str:
    """The numbers of statuses have no zeros that a spreadsheet could lose."""
    if table == "status" and cell.number and float(cell.text).is_integer():
        return str(int(float(cell.text)))
    return _code(cell, "national")


def _agency(cell: Cell | None) -> AgencyCode | None:
    return _code(cell, "agency") if cell is not None and cell.text else None


def _day(cell: Cell | None, column: str) -> date | None:
    if cell is None or not cell.text:
        return None
    try:
        if cell.number:
            return _SERIAL_ZERO + timedelta(days=int(float(cell.text)))
        if found := _DAY.fullmatch(cell.text):
            year, month, day, day2, month2, year2 = (int(part or 0) for part in found.groups())
            return date(year or year2, month or month2, day or day2)
    except (ValueError, OverflowError):
        pass
    raise _Unfit(
        column, "Ngày viết dd/mm/yyyy hoặc yyyy-mm-dd", "a day is written yyyy-mm-dd or dd/mm/yyyy"
    )


def _fits(entry: Mapping, others: Sequence[Mapping]) -> None:
    try:
        MappingTables([*others, entry])
    except ConfigurationError as error:
        raise _Unfit("local", error.detail.vi, error.detail.en) from None
