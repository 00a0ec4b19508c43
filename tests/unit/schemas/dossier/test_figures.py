"""Figures: hand-computed, and the sums that must always agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.dossier import DossierRecord, DossierStatus
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.deadlines import Course, Mark
from schemas.dossier.figures import (
    Case,
    Figures,
    Percentages,
    Rating,
    Reckoning,
    Score,
    case_of,
    figures,
    percentages,
    total,
)
from schemas.dossier.procedure import Procedure
from schemas.vietnam import VIETNAM

AUGUST = datetime(2026, 8, 1, tzinfo=VIETNAM)
SEPTEMBER = datetime(2026, 9, 1, tzinfo=VIETNAM)
RECKONING = Reckoning(
    AUGUST, SEPTEMBER, WorkingCalendar(), {"1": Procedure(code="1", yields_paper=True)}
)


def day(number: int, hour: int = 9) -> datetime:
    """Of August; 0 and less are in July."""
    return AUGUST + timedelta(days=number - 1, hours=hour)


def case(agency: str, received: int, due: int, *marks: tuple[int, int]) -> Case:
    told = tuple(Mark(day(at), DossierStatus(status)) for at, status in marks)
    return Case(agency, "1", Course(day(received), day(due, 17), told), online=False)


def test_a_month_by_hand() -> None:
    a, b = "H99.1", "H99.2"
    online = replace(case(a, 5, 10, (7, 9)), online=True, paid_online=True, synced=True)
    cases = [
        online,  # early; no electronic result, so not online to the end
        replace(online, electronic_result=True),  # early, and online to the end
        case(a, 5, 10, (10, 9)),  # on time
        case(a, 5, 10, (11, 9)),  # late
        case(a, 25, 40),  # open
        case(a, 5, 10),  # open, late
        case(a, 5, 10, (6, 7)),  # withdrawn
        case(a, 5, 10, (6, 8)),  # stopped
        case(a, -5, 3, (2, 9)),  # carried over, early
        case(a, -20, -10, (-12, 9)),  # done before the period
        case(a, 32, 40),  # received after it
        case(b, 5, 10, (7, 9)),
    ]
    ratings = [
        Rating(a, day(8), Score.VERY_SATISFIED),
        Rating(a, day(8), Score.SATISFIED),
        Rating(a, day(8), Score.UNSATISFIED),
        Rating(a, day(33), Score.UNSATISFIED),
    ]
    assert figures(cases, ratings, RECKONING) == [
        Figures(
            a,
            carried=1,
            received=8,
            received_online=2,
            early=3,
            on_time=1,
            late=1,
            open=1,
            open_late=1,
            withdrawn=1,
            refused=1,
            counted=8,
            in_time=6,
            online=1,
            paid_online=2,
            synced=2,
            very_satisfied=1,
            satisfied=1,
            unsatisfied=1,
        ),
        Figures(b, received=1, early=1, counted=1, in_time=1),
    ]


MARKS = st.lists(st.tuples(st.integers(-40, 60), st.integers(1, 10)), max_size=6)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-40, 40), st.integers(-30, 60), MARKS))
)
def test_what_came_in_is_what_became_of_it(
    drawn: list[tuple[str, int, int, list[tuple[int, int]]]],
) -> None:
    cases = [case(agency, came, due, *sorted(marks)) for agency, came, due, marks in drawn]
    rows = figures(cases, [], RECKONING)
    for each in [*rows, total(rows)]:
        became = each.early + each.on_time + each.late + each.open + each.open_late
        assert each.received + each.carried == became + each.withdrawn + each.refused
        assert each.in_time <= each.counted == each.received


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))
def test_percentages_sum_to_a_hundred(a: int, b: int, c: int) -> None:
    assert sum(percentages(a, b, c)) == (100 if a + b + c else 0)


def test_the_third_percentage_is_the_rest() -> None:
    assert percentages(1, 1, 1) == Percentages(33, 33, 34)
    assert Figures("", very_satisfied=2, satisfied=1).satisfaction == Percentages(66, 33, 1)


def test_shares_are_rounded_down_and_absent_when_nothing_is_counted() -> None:
    row = Figures("H99", counted=3, online=2, very_satisfied=1, satisfied=2)
    assert (row.online_percent, row.satisfied_percent) == (66, 100)
    assert (Figures("H99").online_percent, Figures("H99").satisfied_percent) == (None, None)


def test_what_figures_need_is_taken_from_the_record() -> None:
    record = DossierRecord.model_validate(
        {
            "code": "H99.1-260805-0001",
            "procedure": "1",
            "procedureName": "Đăng ký khai tử",
            "agency": "H99.1",
            "agencyName": "UBND xã Mẫu",
            "channel": 2,
            "applicant": {"kind": 1},
            "summary": "Đăng ký khai tử",
            "status": 2,
            "received": day(5),
            "onlinePayment": 1,
            "verifiedAccount": True,
            "submittedPapers": [
                {"name": "Tờ khai", "digitised": True},
                {"name": "Cũ", "reuse": 1, "deleted": True},
            ],
            "resultPapers": [{"name": "Trích lục", "url": "https://mot-cua.example/1"}],
        }
    )
    read = case_of(record, [])
    assert read.online
    assert read.paid_online
    assert read.verified
    assert read.digitised
    assert not read.reused
    assert not read.electronic_result
