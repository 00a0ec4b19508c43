"""The canonical dossier: limits at the door, each with the name of its field; codes; times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.dossier import DossierRecord, DossierStatus, Form, Step, parse_dossier_code, unit_of
from schemas.dossier.life import ENDED, TERMINAL, TITLES, TRANSITIONS, strange

RECORD: dict[str, Any] = {
    "code": "H99.132-260804-0583",
    "procedure": "1.000656",
    "procedureName": "Đăng ký khai tử",
    "agency": "H99.132",
    "agencyName": "UBND xã Mẫu",
    "channel": 2,
    "applicant": {"kind": 1, "name": "Nguyễn Văn Mẫu"},
    "summary": "Đăng ký khai tử",
    "status": 4,
    "received": "2026-08-04T08:15:00+07:00",
}
STEP: dict[str, Any] = {
    "code": "H99.132-260804-0583",
    "at": "2026-08-04T08:30:00+07:00",
    "by": "Trần Thị Chuyên Viên",
    "content": "Thụ lý hồ sơ",
    "status": 4,
}


def faults(model: type[DossierRecord | Step], value: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return {".".join(map(str, fault["loc"])) for fault in caught.value.errors()}


def test_a_record_comes_back_from_its_canonical_json() -> None:
    record = DossierRecord.model_validate(RECORD)
    assert DossierRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note", "x" * 2001),
        ("summary", "x" * 1001),
        ("summary", ""),
        ("summary", " "),
        ("procedureName", "control \x00 character"),
        ("code", "no code"),
        ("agency", "no code"),
        ("status", 11),
        ("channel", 0),
        ("due", "20260804081500"),
        ("due", 20260804081500),
        ("due", "2026-08-04T08:15:00"),
        ("due", "0226-08-04T08:15:00+07:00"),
        ("received", None),
        ("unheardOf", 1),
    ],
)
def test_a_fault_is_refused_with_the_name_of_its_field(field: str, value: object) -> None:
    assert faults(DossierRecord, RECORD | {field: value}) == {field}


def test_limits_inside_lists_name_the_item() -> None:
    paper = {"name": "Tờ khai", "url": "https://mot-cua.example/1"}
    long = {"name": "x" * 4001}
    script = {"name": "Tờ khai", "url": "javascript:alert(1)"}
    papers = RECORD | {"submittedPapers": [paper, long, script]}
    assert faults(DossierRecord, papers) == {"submittedPapers.1.name", "submittedPapers.2.url"}
    result = RECORD | {"resultPapers": [{"name": "x" * 2001}]}
    assert faults(DossierRecord, result) == {"resultPapers.0.name"}


@pytest.mark.parametrize("status", [1, 3, 7])
def test_what_was_never_received_needs_no_reception(status: int) -> None:
    never = {key: value for key, value in RECORD.items() if key != "received"}
    assert DossierRecord.model_validate(never | {"status": status}).received is None


@pytest.mark.parametrize(("kind", "number"), [(1, "000000001"), (2, "001000000001"), (1, "x" * 12)])
def test_dummy_identities_are_refused(kind: int, number: str) -> None:
    applicant = {"kind": 1, "identities": [{"kind": kind, "number": number}]}
    fault = faults(DossierRecord, RECORD | {"applicant": applicant})
    assert fault == {"applicant.identities.0.number"}


def test_an_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        DossierRecord.model_validate(RECORD | {"note": "Nguyễn Văn Mẫu" * 200})
    assert "Nguyễn" not in str(caught.value)
    assert "Nguyễn" not in repr(DossierRecord.model_validate(RECORD))


@pytest.mark.parametrize(
    ("field", "value"), [("by", "x" * 51), ("content", None), ("content", ""), ("by", "")]
)
def test_a_step_is_refused_with_the_name_of_its_field(field: str, value: object) -> None:
    assert faults(Step, STEP | {field: value}) == {field}


def test_a_step_without_number_gets_the_same_again() -> None:
    first = Step.model_validate(STEP)
    again = Step.model_validate(STEP | {"at": "2026-08-04T01:30:00.250Z", "by": "Người khác"})
    later = Step.model_validate(STEP | {"at": "2026-08-04T08:30:01+07:00"})
    assert first.id == again.id != later.id
    assert Step.model_validate(STEP | {"id": "77"}).id == "77"
    assert Step.model_validate_json(first.model_dump_json(by_alias=True)) == first


def test_codes_of_both_forms_are_read_and_tidied() -> None:
    for text, unit in {
        "000.00.19.H99-260105-0001": "000.00.19.H99",
        " h99.132-260804-0583 ": "H99.132",
        "G99.12.01-250812-0035": "G99.12.01",
        "H99-250812-10000": "H99",
    }.items():
        assert unit_of(parse_dossier_code(text)) == unit


@pytest.mark.parametrize(
    "text", ["", "H99", "H99-26080-0001", "H99-260804-001", "X-260804-0001", "H99-260804-0001-1"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"code|group"):
        parse_dossier_code(text)


@given(
    st.sampled_from(Form),
    st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_written_form_reads_what_it_writes(form: Form, at: datetime) -> None:
    text = form.write(at)
    read = form.read(f" {text} ")
    assert read is not None
    assert form.write(read) == text
    assert form.read("") is None
    assert form.write(None) == ""


@pytest.mark.parametrize(
    ("form", "text", "iso"),
    [
        (Form.COMPACT, "20260804130500", "2026-08-04T13:05:00+07:00"),
        (Form.COMPACT_DAY, "20260804", "2026-08-04T00:00:00+07:00"),
        (Form.DAY_FIRST, "04/08/2026 13:05:00", "2026-08-04T13:05:00+07:00"),
        (Form.DAY_FIRST_DAY, "04/08/2026 ", "2026-08-04T00:00:00+07:00"),
        (Form.YEAR_FIRST, "2026/08/04 13:05:00", "2026-08-04T13:05:00+07:00"),
        (Form.ISO, "2026-08-04T13:05:00.000", "2026-08-04T13:05:00+07:00"),
    ],
)
def test_the_written_forms_are_vietnams_time(form: Form, text: str, iso: str) -> None:
    assert form.read(text) == datetime.fromisoformat(iso)


@pytest.mark.parametrize("text", ["20260230000000", "2026080413050", "04/08/2026", "null", "0"])
def test_a_time_is_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="form COMPACT"):
        Form.COMPACT.read(text)


def test_the_life_cycle_knows_every_status() -> None:
    assert TITLES.keys() == set(DossierStatus)
    assert TRANSITIONS.keys() == set(DossierStatus) - {DossierStatus.UNMAPPED}
    assert {3, 7, 8, 10} == TERMINAL
    assert {3, 7, 8, 9, 10} == ENDED


def test_strange_changes_are_told_apart() -> None:
    way = [1, 2, 4, 4, 5, 4, 6, 4, 9, 10]
    steps = [DossierStatus(number) for number in way]
    assert not any(strange(before, now) for before, now in zip([None, *steps], steps, strict=False))
    assert strange(None, DossierStatus.FINISHED)
    assert strange(DossierStatus.RETURNED, DossierStatus.PROCESSING)
    assert strange(DossierStatus.FINISHED, DossierStatus.FINISHED)
