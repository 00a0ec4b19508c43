"""Tables that people send: CSV and XLSX (ECMA-376) as rows of text, within limits.

Of a workbook the first sheet is read. Its XML goes through the one parser; formulas, formats and
everything else in it are not looked at.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from schemas.errors import InvalidRequest, MalformedXml, TooLarge
from schemas.xml import Limits, parse

MAX_BYTES = 20_000_000  # of the file, and of each part of a workbook when unpacked
MAX_ROWS = 200_000
MAX_COLUMNS = 200
_LIMITS = Limits(size=MAX_BYTES, elements=5_000_000, attributes=10_000_000)

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_BROKEN = (  # NotImplementedError: a strange compression; RuntimeError: a password
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    MalformedXml,
)
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]+")


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    number: bool = False  # the sheet holds a number: leading zeros and last digits may be lost


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty."""

    number: int  # as the spreadsheet shows it, from 1
    cells: tuple[Cell, ...]


def read_sheet(data: bytes) -> list[Row]:
    """CSV (UTF-8 or UTF-16 with a mark; comma, semicolon or tab) or XLSX, told by its content.

    Raises InvalidRequest or TooLarge.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(
            f"the table has more than {MAX_BYTES} bytes", vi=f"Bảng lớn hơn {MAX_BYTES} byte"
        )
    rows = list(_workbook(data) if data[:2] == b"PK" else _csv(data))
    if len(rows) > MAX_ROWS:
        raise TooLarge(f"the table has more than {MAX_ROWS} rows", vi=f"Bảng quá {MAX_ROWS} dòng")
    return rows


def _csv(data: bytes) -> Iterator[Row]:
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = data.decode(encoding)
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        for number, values in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), 1):
            row = tuple(Cell(value.strip()) for value in values[:MAX_COLUMNS])
            if any(cell.text for cell in row):
                yield Row(number, row)
    except (UnicodeDecodeError, csv.Error):
        raise _unreadable() from None


def _workbook(data: bytes) -> Iterator[Row]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            strings = _strings(package)
            sheet = _part(package, _first_sheet(package))
    except _BROKEN:
        raise _unreadable() from None
    for position, row in enumerate(sheet.iter(f"{_MAIN}row"), 1):
        cells = tuple(_cells(row, strings))
        if any(cell.text for cell in cells):
            number = row.get("r", "")
            yield Row(int(number) if number.isdigit() else position, cells)


def _part(package: zipfile.ZipFile, name: str) -> etree._Element:
    with package.open(name) as file:
        return parse(file.read(MAX_BYTES + 1), _LIMITS)


def _first_sheet(package: zipfile.ZipFile) -> str:
    """Raises KeyError or ValueError when the package is not a workbook."""
    sheet = _part(package, "xl/workbook.xml").find(f"{_MAIN}sheets/{_MAIN}sheet")
    if sheet is None:
        raise ValueError("no sheet")
    for relation in _part(package, "xl/_rels/workbook.xml.rels").iter(f"{_PACKAGE}Relationship"):
        if relation.get("Id") == sheet.get(f"{_REL}id"):
            return posixpath.normpath(posixpath.join("/xl", relation.get("Target", "")))[1:]
    raise ValueError("no relationship")


def _strings(package: zipfile.ZipFile) -> list[str]:
    name = "xl/sharedStrings.xml"
    if name not in package.namelist():
        return []
    return [_text(item) for item in _part(package, name).iter(f"{_MAIN}si")]


def _text(item: etree._Element) -> str:
    """Runs joined; phonetic readings left out."""
    runs = [*item.findall(f"{_MAIN}t"), *item.findall(f"{_MAIN}r/{_MAIN}t")]
    return "".join(run.text or "" for run in runs).strip()


def _cells(row: etree._Element, strings: list[str]) -> Iterator[Cell]:
    filled = 0
    for cell in row.iter(f"{_MAIN}c"):
        column = _column(cell.get("r", ""), filled)
        if column >= MAX_COLUMNS:
            return
        for _ in range(filled, column):
            yield Cell("")
        filled = column + 1
        yield _cell(cell, strings)


def _column(reference: str, following: int) -> int:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return following
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return max(column - 1, following)


def _cell(cell: etree._Element, strings: list[str]) -> Cell:
    kind, value = cell.get("t", "n"), (cell.findtext(f"{_MAIN}v") or "").strip()
    if kind == "inlineStr":
        inline = cell.find(f"{_MAIN}is")
        return Cell("" if inline is None else _text(inline))
    if kind == "s":
        known = value.isdigit() and int(value) < len(strings)
        if not known:
            raise _unreadable()
        return Cell(strings[int(value)])
    return Cell(value, number=kind == "n" and value != "")


def _unreadable() -> InvalidRequest:
    return InvalidRequest(
        "the table is neither CSV in UTF-8 nor a workbook (.xlsx)",
        vi="Bảng không phải CSV mã hóa UTF-8 cũng không phải tệp .xlsx",
    )
