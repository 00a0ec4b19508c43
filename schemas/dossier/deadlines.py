"""In time or late: the national portal's rules and the one-stop counter's.

National: QĐ 766/QĐ-TTg, the portal's own computation from what was synchronised (§2.1 of its
description).  It measures the timeline, not the status field.
Local: the words of the provinces' reports: early (sớm hạn), on time (đúng hạn), late (quá hạn).

Where the description leaves something open, it is read so:
- "more than one request for a supplement is late" holds whatever came after, a result too;
- requests are counted in the timeline; steps of status 5 in a row are one request told twice;
- the one request ends the clock also when processing went on, or was stopped, without a result;
- of several steps with the ending status the last one counts;
- supplement time runs to the completion or to the end of processing, whichever is first; one that
  has not come is not subtracted, since nobody knows how long it takes;
- the due date is the record's, also where a supplement has moved it (NgayHenTraMoi): the portal
  knows no other;
- time is subtracted from due dates as it passes, and from a procedure's time as that is counted, in
  working time where it is;
- withdrawn (7) comes last of all: what ended in another way did.

Nothing here looks at a clock: an open dossier is judged at the end of the reporting period.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from schemas.dossier.calendar import Limit, WorkingCalendar
from schemas.dossier.life import DossierStatus
from schemas.dossier.model import DossierRecord, Step
from schemas.dossier.moments import day_of

S = DossierStatus


@dataclass(frozen=True, slots=True)
class Mark:
    """One step of a timeline, as far as deadlines care."""

    at: datetime
    status: DossierStatus


@dataclass(frozen=True, slots=True)
class Pause:
    """A supplement from the request to its completion; None: it has not come."""

    asked: datetime
    completed: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """What deadlines are judged by: the facts of one dossier."""

    received: datetime | None
    due: datetime | None
    marks: tuple[Mark, ...]  # in time order
    pauses: tuple[Pause, ...] = ()

    def until(self, end: datetime) -> Course:
        """What was known when the period ended; `end` itself is no longer in it."""
        return Course(
            received=self.received if self.received and self.received < end else None,
            due=self.due,
            marks=tuple(mark for mark in self.marks if mark.at < end),
            pauses=tuple(
                Pause(p.asked, p.completed if p.completed and p.completed < end else None)
                for p in self.pauses
                if p.asked < end
            ),
        )


def course_of(record: DossierRecord, steps: Iterable[Step]) -> Course:
    """Pauses are those of the record; a record that names none is read by its timeline.

    A step whose status is not understood yet says nothing, until it is.
    """
    told = (Mark(step.at, step.status) for step in steps if step.status is not S.UNMAPPED)
    marks = tuple(sorted(told, key=lambda mark: mark.at))
    named = tuple(Pause(each.asked_at, each.received_at) for each in record.supplements)
    return Course(record.received, record.due, marks, named or _pauses(marks))


def _pauses(marks: Sequence[Mark]) -> tuple[Pause, ...]:
    found: list[Pause] = []
    asked: datetime | None = None
    for mark in marks:
        if mark.status is S.SUPPLEMENT_ASKED:
            asked = asked or mark.at
        elif asked is not None:
            resumed = mark.status in {S.RECEIVED, S.PROCESSING}
            found.append(Pause(asked, mark.at if resumed else None))
            asked = None
    return (*found, Pause(asked, None)) if asked is not None else tuple(found)


def end_of_processing(course: Course) -> datetime | None:
    """When the clock stopped; None while it runs.

    9 before 10; without either, the one request for a supplement; without it 8 or 3, and 7 for a
    dossier that had been received.  Of several steps with an ending status the last one counts.
    """
    for status in (S.FINISHED, S.RETURNED):
        if at := _last(course.marks, {status}):
            return at
    if _requests(course) == 1:
        return min(mark.at for mark in course.marks if mark.status is S.SUPPLEMENT_ASKED)
    if at := _last(course.marks, {S.STOPPED, S.REFUSED}):
        return at
    return _last(course.marks, {S.WITHDRAWN}) if course.received else None


def _last(marks: Sequence[Mark], statuses: set[DossierStatus]) -> datetime | None:
    return max((mark.at for mark in marks if mark.status in statuses), default=None)


def _requests(course: Course) -> int:
    """Requests for a supplement; steps of status 5 in a row are one request told twice."""
    statuses = [mark.status for mark in course.marks]
    return sum(
        now is S.SUPPLEMENT_ASKED and before is not S.SUPPLEMENT_ASKED
        for before, now in zip([None, *statuses], statuses, strict=False)
    )


def _spans(course: Course, end: datetime) -> list[tuple[datetime, datetime]]:
    """Completed supplements up to `end`, overlapping ones as one."""
    spans: list[tuple[datetime, datetime]] = []
    for pause in sorted(course.pauses, key=lambda each: each.asked):
        if pause.completed is None or pause.asked >= end:
            continue
        asked, completed = pause.asked, min(pause.completed, end)
        if spans and asked <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], completed))
        elif completed > asked:
            spans.append((asked, completed))
    return spans


class National(StrEnum):
    """What the national portal makes of a dossier."""

    NOT_COUNTED = "not-counted"  # never received
    IN_TIME = "in-time"
    LATE = "late"


def national(
    course: Course, *, until: datetime, limit: Limit | None, calendar: WorkingCalendar
) -> National:
    """`until` is the first moment behind the reporting period; `limit` the procedure's.

    A dossier without a due date whose procedure has no limit cannot be late.
    """
    known = course.until(until)
    if known.received is None:
        return National.NOT_COUNTED
    if _requests(known) > 1:
        return National.LATE
    end = end_of_processing(known) or until - timedelta(seconds=1)
    spans = _spans(known, end)
    if known.due is not None:
        paused = sum((to - since for since, to in spans), timedelta())
        in_time = end - paused <= known.due
    elif limit is not None:
        paused = sum((limit.elapsed(calendar, *span) for span in spans), timedelta())
        used = limit.elapsed(calendar, known.received, end) - paused
        in_time = used <= limit.length(calendar)
    else:
        in_time = True
    return National.IN_TIME if in_time else National.LATE


class Local(StrEnum):
    """What the provinces' reports say of a dossier."""

    NOT_RECEIVED = "not-received"
    EARLY = "early"  # sớm hạn: on an earlier day than promised
    ON_TIME = "on-time"  # đúng hạn
    LATE = "late"  # quá hạn
    OPEN = "open"  # đang xử lý, trong hạn
    OPEN_LATE = "open-late"  # đang xử lý, quá hạn
    REFUSED = "refused"  # từ chối, dừng: not measured
    WITHDRAWN = "withdrawn"  # rút: counted apart


LOCAL_OPEN = frozenset({Local.OPEN, Local.OPEN_LATE})


def local(course: Course, *, until: datetime, days_only: bool = False) -> Local:
    """`days_only`: a result of the due day is on time whatever the hour."""
    known = course.until(until)
    if known.received is None:
        return Local.NOT_RECEIVED
    released = _last(known.marks, {S.FINISHED}) or _last(known.marks, {S.RETURNED})
    if released is None:
        if apart := _apart(known):
            return apart
        now = until - timedelta(seconds=1)
        return Local.OPEN_LATE if _overdue(known.due, now, days_only=days_only) else Local.OPEN
    if _overdue(known.due, released, days_only=days_only):
        return Local.LATE
    if known.due is None or day_of(released) == day_of(known.due):
        return Local.ON_TIME
    return Local.EARLY


def _apart(course: Course) -> Local | None:
    ends = {S.REFUSED, S.STOPPED, S.WITHDRAWN}
    ended = [mark.status for mark in course.marks if mark.status in ends]
    if not ended:
        return None
    return Local.WITHDRAWN if ended[-1] is S.WITHDRAWN else Local.REFUSED


def _overdue(due: datetime | None, at: datetime, *, days_only: bool) -> bool:
    if due is None:
        return False
    return day_of(at) > day_of(due) if days_only else at > due
