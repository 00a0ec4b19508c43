"""Mapping: what is translated, what waits, and from which day on."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest

from routing.mapping import MappingTables, Unmapped, map_order, map_record, map_status, unmap_record
from schemas.dossier import DossierRecord, DossierStatus, Step, as_told
from schemas.errors import ConfigurationError
from schemas.flows import PostalOrder
from schemas.province import Mapping

TODAY = date(2026, 8, 4)
FEE = {"code": "LP01", "name": "Lệ phí", "amount": 8000}
RECORD = DossierRecord.model_validate(
    {
        "code": "H99.132-260804-0583",
        "procedure": "KT-01",
        "procedureName": "Đăng ký khai tử",
        "agency": "H99.132",
        "agencyName": "UBND xã Mẫu",
        "channel": 1,
        "applicant": {"kind": 1, "commune": "12345", "name": "Nguyễn Văn Mẫu"},
        "summary": "Đăng ký khai tử",
        "status": 4,
        "received": "2026-08-04T08:15:00+07:00",
        "fees": [FEE],
        "supplements": [
            {
                "id": "1",
                "request": "Bổ sung tờ khai",
                "askedAt": "2026-08-04T09:00:00+07:00",
                "fees": [FEE],
            }
        ],
    }
)
PROCEDURE = Mapping(table="procedure", local="KT-01", national="1.000656")


def test_every_code_is_translated_and_nothing_else_changes() -> None:
    tables = MappingTables(
        [
            PROCEDURE,
            Mapping(table="agency", local="h99.132", national="000.00.32.h99"),
            Mapping(table="fee", local="LP01", national="1"),
            Mapping(table="commune", local="12345", national="00123"),
        ]
    )
    mapped = map_record(RECORD, tables, TODAY)
    assert isinstance(mapped, DossierRecord)
    told = RECORD.model_dump()
    told["procedure"], told["agency"] = "1.000656", "000.00.32.H99"
    told["applicant"]["commune"] = "00123"
    told["fees"][0]["code"] = told["supplements"][0]["fees"][0]["code"] = "1"
    assert mapped.model_dump() == told


def test_a_procedure_is_never_assumed_to_be_national() -> None:
    unmapped = map_record(RECORD, MappingTables([]), TODAY)
    assert unmapped == Unmapped("procedure", "KT-01")
    assert "KT-01" in unmapped.reason.vi
    assert "KT-01" in unmapped.reason.en


def test_a_code_that_is_national_already_stays() -> None:
    record = RECORD.model_copy(update={"procedure": "1.000656"})
    assert map_record(record, MappingTables([PROCEDURE]), TODAY) == record


@pytest.mark.parametrize("table", ["agency", "fee", "commune"])
def test_a_table_with_entries_must_know_the_code(table: str) -> None:
    other = Mapping.model_validate({"table": table, "local": "H99.1", "national": "H99.2"})
    unmapped = map_record(RECORD, MappingTables([PROCEDURE, other]), TODAY)
    assert isinstance(unmapped, Unmapped)
    assert unmapped.table == table


def test_a_fee_of_a_supplement_must_be_known_too() -> None:
    lp01 = Mapping(table="fee", local="LP01", national="1")
    supplement = RECORD.supplements[0]
    fee = supplement.fees[0].model_copy(update={"code": "LP02"})
    changed = RECORD.model_copy(
        update={"supplements": (supplement.model_copy(update={"fees": (fee,)}),)}
    )
    assert map_record(changed, MappingTables([PROCEDURE, lp01]), TODAY) == Unmapped("fee", "LP02")


def test_a_code_means_what_it_meant_on_that_day() -> None:
    """Communes were merged on 1 July 2025."""
    tables = MappingTables(
        [
            PROCEDURE,
            Mapping(table="commune", local="12345", national="2", valid_from=date(2025, 7, 1)),
            Mapping(table="commune", local="12345", national="1", valid_to=date(2025, 6, 30)),
        ]
    )
    assert tables.find("commune", "12345", date(2025, 6, 30)) == "1"
    assert tables.find("commune", "12345", date(2025, 7, 1)) == "2"


def test_an_entry_out_of_force_holds() -> None:
    tables = MappingTables([PROCEDURE.model_copy(update={"valid_to": date(2026, 8, 3)})])
    assert map_record(RECORD, tables, TODAY) == Unmapped("procedure", "KT-01")


@pytest.mark.parametrize(("to", "since"), [(None, None), (date(2026, 1, 2), date(2026, 1, 2))])
def test_two_meanings_on_one_day_are_refused(to: date | None, since: date | None) -> None:
    first = PROCEDURE.model_copy(update={"valid_to": to})
    second = PROCEDURE.model_copy(update={"national": "1.000657", "valid_from": since})
    with pytest.raises(ConfigurationError, match="same day"):
        MappingTables([second, first])


def test_a_national_agency_code_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match="agency code"):
        MappingTables([Mapping(table="agency", local="H99.132", national="UBND")])


def test_what_a_portal_sends_gets_the_local_codes_back() -> None:
    tables = MappingTables(
        [
            PROCEDURE,
            Mapping(table="agency", local="H99.132", national="000.00.32.H99"),
            Mapping(table="fee", local="LP01", national="1"),
            Mapping(table="commune", local="12345", national="00123"),
        ]
    )
    there = map_record(RECORD, tables, TODAY)
    assert isinstance(there, DossierRecord)
    assert unmap_record(there, tables, TODAY) == RECORD
    assert unmap_record(RECORD, tables, TODAY) == RECORD, "local already"


def test_without_a_table_national_codes_are_the_local_ones() -> None:
    assert unmap_record(RECORD, MappingTables([]), TODAY) == RECORD


def test_a_national_code_waits_while_it_is_no_local_one_or_several() -> None:
    national = RECORD.model_copy(update={"procedure": "2.000999"})
    missing = unmap_record(national, MappingTables([PROCEDURE]), TODAY)
    assert missing == Unmapped("procedure", "2.000999")
    twice = [
        PROCEDURE,
        Mapping(table="procedure", local="KT-02", national="1.000656", valid_to=date(2026, 8, 4)),
    ]
    known = RECORD.model_copy(update={"procedure": "1.000656"})
    several = unmap_record(known, MappingTables(twice), TODAY)
    assert isinstance(several, Unmapped)
    assert several.locals == ("KT-01", "KT-02")
    assert "KT-02" in several.reason.vi
    later = unmap_record(known, MappingTables(twice), date(2026, 8, 5))
    assert isinstance(later, DossierRecord)
    assert later.procedure == "KT-01"


def test_the_posts_own_numbers_are_never_taken_for_the_states() -> None:
    party = {"name": "A", "address": "B", "phone": "0", "province": "10", "district": "20"}
    order = PostalOrder.model_validate(
        {"code": "H99.132-260804-0583", "sender": party, "receiver": party}
    )
    half = MappingTables([Mapping(table="postal", local="10", national="20")])
    assert map_order(order, half, TODAY) == Unmapped("postal", "20"), "20 is a number of the post"
    whole = MappingTables(
        [
            Mapping(table="postal", local="10", national="20"),
            Mapping(table="postal", local="20", national="2010"),
        ]
    )
    mapped = map_order(order, whole, TODAY)
    assert isinstance(mapped, PostalOrder)
    assert mapped.receiver is not None
    assert (mapped.receiver.province, mapped.receiver.district) == ("20", "2010")


OWN, HEAD = "H99.132", "H99"
STATUSES = MappingTables(
    [
        Mapping(table="status", agency=OWN, local="CHO", national="4", valid_to=date(2026, 6, 30)),
        Mapping(table="status", agency=OWN, local="CHO", national="6", valid_from=date(2026, 7, 1)),
        Mapping(table="status", agency=HEAD, local="CHO", national="5"),
        Mapping(table="status", agency=HEAD, local="Đang thẩm định", national="4"),
        Mapping(table="status", local="XONG", national="9"),
    ]
)


@pytest.mark.parametrize(
    ("agencies", "code", "on", "expected"),
    [
        ((OWN, HEAD), "CHO", TODAY, 6),
        ((OWN, HEAD), "CHO", date(2026, 6, 30), 4),
        (("H99.7", HEAD), "CHO", TODAY, 5),
        (("h99.132", HEAD), unicodedata.normalize("NFD", "Đang thẩm định"), TODAY, 4),
        ((OWN, HEAD), "Đang thẩm định", TODAY, 4),
        (("H98",), "XONG", TODAY, 9),
        (("H98",), "3", TODAY, 3),
    ],
)
def test_a_status_means_what_the_nearest_agency_says_on_that_day(
    agencies: tuple[str, ...], code: str, on: date, expected: int
) -> None:
    assert STATUSES.status(agencies, code, on) == expected


@pytest.mark.parametrize(("code", "of"), [("CHO", "H98"), ("11", OWN), ("", OWN), ("xong", OWN)])
def test_a_status_that_nobody_lists_is_unmapped(code: str, of: str) -> None:
    assert STATUSES.status((of,), code, TODAY) == Unmapped("status", code)


def test_an_agency_that_lists_numbers_counts_its_own() -> None:
    """3 is not the national 3 where 1 is the national 4: unlisted numbers wait."""
    tables = MappingTables([Mapping(table="status", agency=OWN, local="1", national="4")])
    assert tables.status((OWN,), "1", TODAY) is DossierStatus.PROCESSING
    assert tables.status((OWN,), "3", TODAY) == Unmapped("status", "3")
    assert tables.status(("H98",), "3", TODAY) is DossierStatus.REFUSED


def test_what_a_status_was_taken_to_mean_stands_beside_what_was_told() -> None:
    """So the same told again is the same, before a mapping and after."""
    told = RECORD.model_copy(update={"status": DossierStatus.UNMAPPED, "local_status": "CHO"})
    understood = map_status(told, STATUSES, (OWN,), TODAY)
    assert (understood.status, understood.local_status) == (6, "CHO")
    assert map_status(understood, STATUSES, (HEAD,), TODAY) == understood, "both: at its word"
    assert as_told(understood) == told
    waiting = map_status(told, STATUSES, ("H98",), TODAY)
    assert waiting == told
    assert map_status(RECORD, STATUSES, (OWN,), TODAY) is RECORD, "a national number"


@pytest.mark.parametrize(
    "fault",
    [
        {"national": "11"},
        {"national": "0"},
        {"national": "x"},
        {"table": "fee", "agency": OWN},
        {"table": "fee", "local": "a b"},
    ],
)
def test_a_status_entry_that_cannot_be_is_refused(fault: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"status|number"):
        Mapping.model_validate({"table": "status", "local": "A", "national": "4"} | fault)


def test_a_step_without_any_status_is_refused() -> None:
    """Nor is the mark of what is unmapped taken from outside."""
    step = {"code": RECORD.code, "at": "2026-08-04T09:00:00+07:00", "by": "A", "content": "x"}
    with pytest.raises(ValueError, match="localStatus"):
        Step.model_validate(step)
    with pytest.raises(ValueError, match="localStatus"):
        Step.model_validate(step | {"status": 0})
    assert Step.model_validate(step | {"localStatus": "CHO"}).status is DossierStatus.UNMAPPED
    assert Step.model_validate(step | {"localStatus": "3"}).id == (
        Step.model_validate(step | {"status": 3}).id
    )
