"""Tables that people send: what spreadsheets really write, and what attackers would."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import pytest
from openpyxl import Workbook

from schemas import sheet
from schemas.errors import InvalidRequest, TooLarge
from schemas.sheet import read_sheet


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def texts(data: bytes) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in read_sheet(data)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_as_spreadsheets_write_it(delimiter: str, encoding: str) -> None:
    text = f'mã{delimiter}tên\r\n\r\n"1{delimiter}2"{delimiter} Khai tử \r\n'
    data = text.encode(encoding)
    assert texts(data) == [["mã", "tên"], [f"1{delimiter}2", "Khai tử"]]
    assert [row.number for row in read_sheet(data)] == [1, 3]


def test_a_workbook_keeps_its_rows_columns_and_numbers() -> None:
    data = workbook(("mã", None, "ngày"), (), ("00123", 123, date(2026, 8, 4)))
    rows = read_sheet(data)
    assert [row.number for row in rows] == [1, 3]
    assert [(cell.text, cell.number) for cell in rows[1].cells] == [
        ("00123", False),
        ("123", True),
        ("46238", True),
    ]
    assert [cell.text for cell in rows[0].cells] == ["mã", "", "ngày"]


def rewritten(data: bytes, name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for each in old.namelist():
            new.writestr(each, content if each == name else old.read(each))
    return out.getvalue()


def test_entities_and_bombs_in_a_workbook_are_refused() -> None:
    good = workbook(("a",))
    part = "xl/worksheets/sheet1.xml"
    attack = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    with pytest.raises(InvalidRequest):
        read_sheet(rewritten(good, part, attack))
    with pytest.raises(TooLarge):
        read_sheet(rewritten(good, part, b"<x>" + b" " * (sheet.MAX_BYTES + 1) + b"</x>"))


def test_what_is_no_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = workbook(("a",), ("b",))
    for data in (b"PK\x03\x04 broken", good[:-200], b"\xff\xff", "mã".encode("latin-1")):
        with pytest.raises(InvalidRequest):
            read_sheet(data)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as package:
        package.writestr("word/document.xml", "<x/>")
    with pytest.raises(InvalidRequest):
        read_sheet(other.getvalue())
    monkeypatch.setattr(sheet, "MAX_ROWS", 1)
    with pytest.raises(TooLarge):
        read_sheet(good)
