"""What a look-up shows is compared in the portal's words: only what both tell, in any spelling."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from adapters.dvcqg.codec import TIMELINE
from adapters.dvcqg.shown import expected, shown
from adapters.portal_fields import write_record, write_step
from schemas.dossier import DossierRecord, Step
from schemas.dossier.reconcile import Fault, Finding, Remedy, Side, reconcile
from tests.unit.adapters.dvcqg.samples import MORNING, record, step

CODE = "H99.19-261124-0001"
PAPER = {"id": "1", "name": "Tờ khai", "url": "https://mot-cua.example/1"}
RECORD = record(CODE, submitted_papers=[PAPER], fees=[{"code": "1", "name": "Phí", "amount": 8}])
STEPS = [step(CODE, number) for number in range(3)]


def found_in(
    portal: dict[str, Any],
    *,
    with_steps: bool = True,
    told: DossierRecord = RECORD,
    steps: list[Step] = STEPS,
) -> list[Finding]:
    here = expected(told, steps, with_steps=with_steps)
    there = shown(portal, with_steps=with_steps)
    later = MORNING.replace(year=2027)
    return list(reconcile(None, {CODE: here}, {CODE: there}, as_of=later))


def portal(**changes: Any) -> dict[str, Any]:
    lines = [write_step(each) for each in STEPS]
    return write_record(RECORD) | {TIMELINE: lines} | changes


def test_the_same_is_no_discrepancy_in_whatever_form_it_is_shown() -> None:
    assert not found_in(portal())
    decomposed = unicodedata.normalize("NFD", RECORD.summary)
    assert not found_in(portal(TrichYeuHoSo=decomposed, TrangThaiHoSo=4, Fax=None, LaKhac="x"))


@pytest.mark.parametrize("name", ["TrichYeuHoSo", "TaiLieuNop", "NgayHenTra"])
def test_what_the_portal_does_not_show_is_not_compared(name: str) -> None:
    less = portal()
    del less[name]
    assert not found_in(less)


def test_rows_shown_in_part_are_not_compared() -> None:
    assert not found_in(portal(TaiLieuNop=[{"TenTepDinhKem": "Khác"}]))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"NgayHenTra": "20261231000000"}, "due"),
        ({"ChuHoSo": "Ai Khac"}, "applicant.name"),
        ({"TaiLieuNop": []}, "submittedPapers"),
        ({"DanhSachLePhi": [{**write_record(RECORD)["DanhSachLePhi"][0], "Gia": "9"}]}, "fees"),
    ],
)
def test_a_field_that_differs_is_named_as_the_bus_calls_it(
    changes: dict[str, Any], field: str
) -> None:
    assert found_in(portal(**changes)) == [
        Finding(CODE, Side.PORTAL, Fault.DIFFERING, Remedy.SEND, (field,))
    ]


@pytest.mark.parametrize(
    ("order", "fault", "remedy"),
    [
        ([0, 1], Fault.STALE, Remedy.SEND),
        ([], Fault.STALE, Remedy.SEND),
        ([0, 2], Fault.DIFFERING, Remedy.REPORT),
        ([0, 1, 2, 2], Fault.DIFFERING, Remedy.REPORT),
        ([1, 0, 2], Fault.DIFFERING, Remedy.REPORT),
    ],
)
def test_a_timeline_is_behind_only_where_nothing_in_it_is_wrong(
    order: list[int], fault: Fault, remedy: Remedy
) -> None:
    lines = [write_step(STEPS[number]) for number in order]
    (found,) = found_in(portal(**{TIMELINE: lines}))
    assert (found.fault, found.remedy) == (fault, remedy)


def test_a_behind_timeline_with_a_contradicting_status_is_for_a_person() -> None:
    lines = [write_step(STEPS[0])]
    (found,) = found_in(portal(**{TIMELINE: lines, "TrangThaiHoSo": "3"}))
    assert found.remedy is Remedy.REPORT


def test_without_a_timeline_only_the_record_counts() -> None:
    assert not found_in(portal(), with_steps=False, steps=[])
    (found,) = found_in(portal(TrangThaiHoSo="2"), with_steps=False)
    assert (found.fault, found.remedy) == (Fault.STALE, Remedy.SEND)


def test_what_is_no_status_or_time_is_not_compared() -> None:
    odd = portal(TrangThaiHoSo="?")
    odd[TIMELINE][-1] = odd[TIMELINE][-1] | {"ThoiDiemXuLy": "hôm qua"}
    (found,) = found_in(odd)
    assert "status" not in found.fields
    assert "timeline" in found.fields
