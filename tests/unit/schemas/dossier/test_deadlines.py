"""Every rule of deadlines as a named case, by hand-computed dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.dossier.calendar import ANSWER_WITHIN, Limit, Unit, WorkingCalendar
from schemas.dossier.deadlines import (
    Course,
    Local,
    Mark,
    National,
    Pause,
    course_of,
    end_of_processing,
    local,
    national,
)
from schemas.vietnam import VIETNAM

TET = frozenset(date(2026, 2, day) for day in range(16, 21))  # Monday to Friday
CALENDAR = WorkingCalendar(
    holidays=TET | {date(2026, 9, 2)}, made_up=frozenset({date(2026, 8, 22)})
)


def at(text: str) -> datetime:
    """`08-04 08:15` of 2026, Vietnam's time."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=VIETNAM)


def course(
    *marks: tuple[str, int],
    received: str | None = "08-03 08:00",
    due: str | None = "08-10 17:00",
    pauses: tuple[tuple[str, str | None], ...] = (),
) -> Course:
    return Course(
        received=at(received) if received else None,
        due=at(due) if due else None,
        marks=tuple(Mark(at(when), DossierStatus(status)) for when, status in marks),
        pauses=tuple(Pause(at(asked), at(came) if came else None) for asked, came in pauses),
    )


def told(**given: object) -> DossierRecord:
    return DossierRecord.model_validate(
        {
            "code": "H99.132-260803-0001",
            "procedure": "1.000656",
            "procedureName": "Đăng ký khai tử",
            "agency": "H99.132",
            "agencyName": "UBND xã Mẫu",
            "channel": 1,
            "applicant": {"kind": 1},
            "summary": "Đăng ký khai tử",
            "status": 9,
            "received": at("08-03 08:00"),
            "due": at("08-10 17:00"),
        }
        | given
    )


def judged(case: Course, *, until: str = "09-01 00:00", limit: Limit | None = None) -> National:
    return national(case, until=at(until), limit=limit, calendar=CALENDAR)


def test_in_time_is_an_end_up_to_and_with_the_due_moment() -> None:
    assert judged(course(("08-10 17:00", 9))) is National.IN_TIME
    assert judged(course(("08-10 17:01", 9))) is National.LATE


def test_finished_comes_before_returned() -> None:
    case = course(("08-07 10:00", 9), ("08-20 10:00", 10))
    assert end_of_processing(case) == at("08-07 10:00")
    assert judged(case) is National.IN_TIME


def test_returned_comes_before_stopped_or_refused() -> None:
    case = course(("08-05 10:00", 8), ("08-12 10:00", 10))
    assert end_of_processing(case) == at("08-12 10:00")


@pytest.mark.parametrize("status", [8, 3])
def test_stopped_or_refused_ends_the_clock(status: int) -> None:
    assert end_of_processing(course(("08-05 10:00", status))) == at("08-05 10:00")


def test_withdrawn_ends_the_clock_only_of_what_was_received() -> None:
    assert end_of_processing(course(("08-05 10:00", 7))) == at("08-05 10:00")
    assert end_of_processing(course(("08-05 10:00", 7), received=None)) is None


def test_the_one_request_for_a_supplement_ends_the_clock_without_9_or_10() -> None:
    waiting = course(("08-05 10:00", 5), due="08-06 17:00")
    assert judged(waiting) is National.IN_TIME
    resumed = course(("08-05 10:00", 5), ("08-20 10:00", 4), due="08-06 17:00")
    assert end_of_processing(resumed) == at("08-05 10:00")
    stopped = course(("08-05 10:00", 5), ("08-25 10:00", 8), due="08-06 17:00")
    assert end_of_processing(stopped) == at("08-05 10:00")


def test_with_9_the_request_does_not_end_the_clock() -> None:
    case = course(("08-05 10:00", 5), ("08-05 11:00", 4), ("08-12 10:00", 9))
    assert judged(case) is National.LATE


def test_with_10_alone_the_request_does_not_end_the_clock() -> None:
    case = course(("08-05 10:00", 5), ("08-05 11:00", 4), ("08-12 10:00", 10))
    assert end_of_processing(case) == at("08-12 10:00")


def test_the_last_of_several_ends_counts() -> None:
    """A result that was taken back and given again."""
    assert judged(course(("08-07 10:00", 9), ("08-12 10:00", 9))) is National.LATE


def test_stopped_comes_before_withdrawn() -> None:
    case = course(("08-05 10:00", 7), ("08-06 10:00", 8))
    assert end_of_processing(case) == at("08-06 10:00")


def test_a_result_returned_early_is_in_time_and_early() -> None:
    """Without a step 9, and whatever the record says of its finish."""
    case = course(("08-04 08:30", 10))
    assert judged(case) is National.IN_TIME
    assert local(case, until=at("09-01 00:00")) is Local.EARLY


def test_a_result_does_not_mend_a_second_request_for_a_supplement() -> None:
    marks = (("08-04 10:00", 5), ("08-04 11:00", 4), ("08-05 10:00", 5), ("08-05 11:00", 4))
    assert judged(course(*marks, ("08-06 10:00", 9))) is National.LATE


def test_more_than_one_request_for_a_supplement_is_late() -> None:
    case = course(("08-04 10:00", 5), ("08-05 10:00", 4), ("08-06 10:00", 5), ("08-07 10:00", 4))
    assert judged(case) is National.LATE


def test_one_request_told_in_two_steps_is_one_request() -> None:
    case = course(("08-04 10:00", 5), ("08-09 10:05", 5), due="08-06 17:00")
    assert end_of_processing(case) == at("08-04 10:00")
    assert judged(case) is National.IN_TIME


def test_supplement_time_is_subtracted() -> None:
    marks = (("08-06 10:00", 5), ("08-08 10:00", 4), ("08-12 17:00", 9))
    pause = (("08-06 10:00", "08-08 10:00"),)  # 2 days, and 2 days late
    assert judged(course(*marks, pauses=pause)) is National.IN_TIME
    later = (*marks[:2], ("08-12 17:01", 9))
    assert judged(course(*later, pauses=pause)) is National.LATE


def test_overlapping_supplements_are_subtracted_once() -> None:
    marks = (("08-06 10:00", 5), ("08-08 10:00", 4), ("08-12 17:01", 9))
    pauses = (("08-06 10:00", "08-08 10:00"), ("08-06 12:00", "08-08 10:00"))
    assert judged(course(*marks, pauses=pauses)) is National.LATE


def test_a_supplement_that_ended_after_the_result_is_subtracted_up_to_it() -> None:
    """Two days, not four: the result was there when the rest of the papers came."""
    marks, pauses = (("08-10 10:00", 5), ("08-12 17:00", 9)), (("08-10 10:00", "08-14 17:00"),)
    assert judged(course(*marks, pauses=pauses, due="08-10 10:00")) is National.IN_TIME
    assert judged(course(*marks, pauses=pauses, due="08-10 09:59")) is National.LATE


def test_what_ended_at_the_request_has_no_supplement_to_subtract() -> None:
    """The clock stood still at the request; its time is not taken off a second time."""
    marks, pauses = (("08-11 17:00", 5), ("08-13 17:00", 4)), (("08-11 17:00", "08-13 17:00"),)
    assert judged(course(*marks, pauses=pauses, due="08-10 17:00")) is National.LATE


def test_a_supplement_of_record_and_timeline_is_subtracted_once() -> None:
    """Two days by both: with four the dossier would be in time."""
    marks = [("08-06 10:00", 5), ("08-08 10:00", 4), ("08-12 17:01", 9)]
    came = {"askedAt": at("08-06 10:00"), "receivedAt": at("08-08 10:00")}
    case = told(supplements=[{"id": "1", "request": "x"} | came])
    by = {"code": case.code, "by": "x", "content": "x"}
    steps = [Step.model_validate(by | {"at": at(when), "status": n}) for when, n in marks]
    assert judged(course_of(case, steps)) is National.LATE
    sooner = [*steps[:2], steps[2].model_copy(update={"at": at("08-12 17:00")})]
    assert judged(course_of(case, sooner)) is National.IN_TIME
    assert judged(course_of(case.model_copy(update={"supplements": ()}), sooner)) is (
        National.IN_TIME
    )
    moved = case.model_copy(update={"due": at("08-08 17:00")})
    assert judged(course_of(moved, sooner)) is National.LATE


def test_a_step_not_understood_yet_says_nothing() -> None:
    """Neither an end, nor the end of a supplement, until its status is mapped."""
    by = {"code": told().code, "by": "x", "content": "x"}
    steps = [
        Step.model_validate(by | {"at": at("08-05 10:00"), "localStatus": "XONG"}),
        Step.model_validate(by | {"at": at("08-06 10:00"), "status": 4}),
    ]
    marks = course_of(told(), steps).marks
    assert [mark.status for mark in marks] == [4]


def test_a_supplement_that_never_came_is_not_subtracted() -> None:
    case = course(("08-06 10:00", 5), ("08-12 17:00", 9), pauses=(("08-06 10:00", None),))
    assert judged(case) is National.LATE


def test_without_due_date_the_time_of_the_procedure_counts() -> None:
    five = Limit(amount=5)  # received Monday 3 August 08:00 → until Monday 10 August 08:00
    in_time, late = course(("08-10 08:00", 9), due=None), course(("08-10 08:01", 9), due=None)
    assert judged(in_time, limit=five) is National.IN_TIME
    assert judged(late, limit=five) is National.LATE
    assert judged(late) is National.IN_TIME


def test_without_due_date_supplement_time_counts_as_the_procedure_counts() -> None:
    """Friday 14:30 to Monday 09:30 is three hours and two of working time, not three days."""
    pause = (("08-07 14:30", "08-10 09:30"),)
    marks = (("08-07 14:30", 5), ("08-10 09:30", 4))
    five = Limit(amount=5)
    good = course(*marks, ("08-10 14:30", 9), due=None, pauses=pause)
    assert judged(good, limit=five) is National.IN_TIME
    bad = course(*marks, ("08-10 15:31", 9), due=None, pauses=pause)
    assert judged(bad, limit=five) is National.LATE


def test_open_is_judged_at_the_last_day_of_the_period() -> None:
    case = course(("08-03 08:00", 2), ("08-04 08:00", 4), due="08-31 17:00")
    assert judged(case, until="08-31 00:00") is National.IN_TIME
    assert judged(case, until="09-01 00:00") is National.LATE


def test_what_happened_after_the_period_is_not_known_in_it() -> None:
    case = course(("09-03 10:00", 9), due="08-20 17:00")
    assert judged(case, until="09-01 00:00") is National.LATE
    assert local(case, until=at("09-01 00:00")) is Local.OPEN_LATE
    assert local(case, until=at("10-01 00:00")) is Local.LATE


def test_what_was_never_received_is_not_counted() -> None:
    assert judged(course(("08-05 10:00", 3), received=None)) is National.NOT_COUNTED
    assert local(course(received=None), until=at("09-01 00:00")) is Local.NOT_RECEIVED


@pytest.mark.parametrize(
    ("released", "verdict", "by_day"),
    [
        ("08-07 23:59", Local.EARLY, Local.EARLY),
        ("08-10 07:00", Local.ON_TIME, Local.ON_TIME),
        ("08-10 17:00", Local.ON_TIME, Local.ON_TIME),
        ("08-10 17:01", Local.LATE, Local.ON_TIME),
        ("08-11 00:00", Local.LATE, Local.LATE),
    ],
)
def test_early_on_time_late_at_the_counter(released: str, verdict: Local, by_day: Local) -> None:
    case = course((released, 9))
    assert local(case, until=at("09-01 00:00")) is verdict
    assert local(case, until=at("09-01 00:00"), days_only=True) is by_day


def test_no_due_date_is_not_late_at_the_counter() -> None:
    assert local(course(("08-31 10:00", 9), due=None), until=at("09-01 00:00")) is Local.ON_TIME
    assert local(course(due=None), until=at("09-01 00:00")) is Local.OPEN


@pytest.mark.parametrize(
    ("status", "verdict"), [(3, Local.REFUSED), (8, Local.REFUSED), (7, Local.WITHDRAWN)]
)
def test_unresolved_and_withdrawn_stand_apart_at_the_counter(status: int, verdict: Local) -> None:
    assert local(course(("08-20 10:00", status)), until=at("09-01 00:00")) is verdict


def test_working_time_knows_nights_noon_holidays_and_made_up_days() -> None:
    assert CALENDAR.between(at("08-03 11:00"), at("08-03 14:00")) == timedelta(hours=1)
    assert CALENDAR.between(at("08-07 17:00"), at("08-10 08:00")) == timedelta(hours=1)
    assert CALENDAR.between(at("09-01 07:00"), at("09-03 18:00")) == timedelta(hours=16)
    assert CALENDAR.between(at("08-22 07:00"), at("08-22 18:00")) == timedelta(hours=8)
    assert CALENDAR.between(at("08-10 08:00"), at("08-03 08:00")) == timedelta()


def test_a_due_date_skips_tet() -> None:
    """Three working days from Friday 13 February: Friday, then Monday and Tuesday after Tết."""
    assert Limit(amount=3).due(CALENDAR, at("02-13 07:30")) == at("02-24 17:30")
    assert Limit(amount=3, unit=Unit.DAYS).due(CALENDAR, at("02-13 07:30")) == at("02-16 07:30")


def test_an_online_submission_is_answered_within_eight_working_hours() -> None:
    assert ANSWER_WITHIN.due(CALENDAR, at("08-07 16:30")) == at("08-10 16:30")
    assert ANSWER_WITHIN.due(CALENDAR, at("08-08 03:00")) == at("08-10 17:30")


def test_a_calendar_without_working_days_is_found_out() -> None:
    rest = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(365))
    with pytest.raises(ValueError, match="no working day"):
        WorkingCalendar(holidays=rest).after(at("02-01 08:00"), timedelta(hours=1))
    with pytest.raises(ValidationError):
        WorkingCalendar(weekdays=frozenset({7}))


def test_a_record_that_names_no_supplement_is_read_by_its_timeline() -> None:
    record = told()
    steps = [
        Step(code=record.code, at=at(when), by="CV", content="x", status=DossierStatus(status))
        for when, status in [("08-08 10:00", 4), ("08-06 10:00", 5), ("08-12 17:00", 9)]
    ]
    read = course_of(record, steps)
    assert read.pauses == (Pause(at("08-06 10:00"), at("08-08 10:00")),)
    assert judged(read) is National.IN_TIME
