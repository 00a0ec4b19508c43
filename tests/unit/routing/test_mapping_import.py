"""Import of mapping tables: every row is either an entry, a repeat or a fault with its place."""

from __future__ import annotations

import io
from datetime import date

import pytest
from openpyxl import Workbook

from routing.mapping_import import read_mappings
from schemas.errors import InvalidRequest
from schemas.province import Mapping


def csv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_a_table_with_vietnamese_columns_in_any_order() -> None:
    data = csv(
        "Mã quốc gia;Bảng;MÃ ĐỊA PHƯƠNG;Từ ngày;Đến ngày",
        "1.000656;thủ tục;KT-01;;",
        "00123;xã phường;12345;01/07/2025;2026-12-31",
    )
    report = read_mappings(data)
    assert report.entries == (
        Mapping(table="procedure", local="KT-01", national="1.000656"),
        Mapping(
            table="commune",
            local="12345",
            national="00123",
            valid_from=date(2025, 7, 1),
            valid_to=date(2026, 12, 31),
        ),
    )
    assert (report.rows, report.repeated, report.faults) == (2, 0, ())


def test_a_workbook_with_real_dates_and_codes_turned_into_numbers() -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(("local", "national", "valid_from"))
    page.append(("KT-01", "1.000656", date(2026, 8, 4)))
    page.append(("KT-02", 1.00065, None))
    out = io.BytesIO()
    book.save(out)
    report = read_mappings(out.getvalue(), "procedure")
    assert [entry.valid_from for entry in report.entries] == [date(2026, 8, 4)]
    assert [(fault.row, fault.column) for fault in report.faults] == [(3, "national")]


def test_every_fault_names_its_row_and_column() -> None:
    report = read_mappings(
        csv(
            "table,local,national,valid_from,valid_to",
            "procedure,A,1,,",
            "procedure,A,1,,",
            "nonsense,A,1,,",
            "fee,,1,,",
            "fee,B,,,",
            "fee,B,1,30/02/2026,",
            "fee,B,1,2026-02-01,2026-01-01",
            "procedure,A,2,2026-01-01,",
            "agency,H99.1,Văn phòng,,",
            "agency,H99.1,VP,,",
            "fee,C",
        )
    )
    assert [entry.name for entry in report.entries] == ["procedure:A"]
    assert report.repeated == 1
    assert [(fault.row, fault.column) for fault in report.faults] == [
        (4, "table"),
        (5, "local"),
        (6, "national"),
        (7, "valid_from"),
        (8, "local"),
        (9, "local"),
        (10, "national"),
        (11, "local"),
        (12, "national"),
    ]
    assert report.rows == len(report.entries) + report.repeated + len(report.faults)
    assert all(fault.reason.vi and fault.reason.en for fault in report.faults)


@pytest.mark.parametrize("head", ["", "local,national", "table,national", "x;y"])
def test_a_table_without_its_columns_is_refused(head: str) -> None:
    with pytest.raises(InvalidRequest):
        read_mappings(head.encode())


def test_statuses_are_of_an_agency() -> None:
    report = read_mappings(
        csv(
            "bảng,cơ quan,mã nội bộ,mã quốc gia",
            "trạng thái,h99.02,Chờ ký,4",
            "trạng thái,H99.03,Chờ ký,5",
            "trạng thái,,Chờ ký,6",
            "trạng thái,H99.02,Trình,11",
            "trạng thái,không phải mã,Trình,4",
            "phí,H99.02,LP,1",
        )
    )
    assert [(each.agency, each.national) for each in report.entries] == [
        ("H99.02", "4"),
        ("H99.03", "5"),
        (None, "6"),
    ]
    assert [(fault.row, fault.column) for fault in report.faults] == [
        (5, ""),
        (6, "agency"),
        (7, ""),
    ]
