"""Working time (thời gian làm việc): by it processing times and answers are measured.

Holidays are data: the Prime Minister decides on them every year, with working Saturdays that make
up for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.vietnam import VIETNAM

_DAY = timedelta(days=1)
_LONGEST_REST = 60  # days; a calendar with more than that in a row is wrong


class Session(BaseModel):
    """Part of a working day, in Vietnam's time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begins: time
    ends: time


class WorkingCalendar(BaseModel):
    """Lịch làm việc of an authority."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekdays: frozenset[int] = Field(
        frozenset({0, 1, 2, 3, 4}), description="0 is Monday", min_length=1
    )
    sessions: tuple[Session, ...] = Field(
        (
            Session(begins=time(7, 30), ends=time(11, 30)),
            Session(begins=time(13, 30), ends=time(17, 30)),
        ),
        min_length=1,
    )
    holidays: frozenset[date] = Field(frozenset(), description="ngày nghỉ lễ, tết")
    made_up: frozenset[date] = Field(frozenset(), description="ngày làm bù")

    @model_validator(mode="after")
    def _plausible(self) -> WorkingCalendar:
        marks = [mark for each in self.sessions for mark in (each.begins, each.ends)]
        if marks != sorted(set(marks)):
            msg = "sessions must follow each other and end after they begin"
            raise ValueError(msg)
        if not self.weekdays <= set(range(7)):
            msg = "weekdays are 0 (Monday) to 6 (Sunday)"
            raise ValueError(msg)
        return self

    @property
    def day_length(self) -> timedelta:
        """Working time of one whole day."""
        return sum((_length(each) for each in self.sessions), timedelta())

    def is_working(self, day: date) -> bool:
        if day in self.made_up:
            return True
        return day.weekday() in self.weekdays and day not in self.holidays

    def working_days(self, after: date, until: date) -> int:
        """Working days later than `after` and before `until`."""
        days = range(1, (until - after).days)
        return sum(self.is_working(after + n * _DAY) for n in days)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; nothing when the end is not later."""
        total, day = timedelta(), start.astimezone(VIETNAM).date()
        last = end.astimezone(VIETNAM).date()
        while day <= last:
            for begins, ends in self._sessions_of(day):
                total += max(min(ends, end) - max(begins, start), timedelta())
            day += _DAY
        return total

    def after(self, start: datetime, working: timedelta) -> datetime:
        """The moment when `working` time has passed since `start`.

        Raises ValueError when the calendar has no working day for two months.
        """
        left, day, rested = working, start.astimezone(VIETNAM).date(), 0
        while rested < _LONGEST_REST:
            rested += 1
            for begins, ends in self._sessions_of(day):
                rested = 0
                begins = max(begins, start)  # noqa: PLW2901 - the part of it that is left
                if ends > begins and left <= ends - begins:
                    return begins + left
                left -= max(ends - begins, timedelta())
            day += _DAY
        msg = f"no working day in the {_LONGEST_REST} days before {day}"
        raise ValueError(msg)

    def _sessions_of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if self.is_working(day):
            for each in self.sessions:
                yield (
                    datetime.combine(day, each.begins, VIETNAM),
                    datetime.combine(day, each.ends, VIETNAM),
                )


def _length(session: Session) -> timedelta:
    day = date(2026, 1, 1)
    return datetime.combine(day, session.ends) - datetime.combine(day, session.begins)


class Unit(StrEnum):
    """Đơn vị tính of a procedure's processing time."""

    WORKING_DAYS = "working-days"  # ngày làm việc
    DAYS = "days"  # ngày
    HOURS = "hours"  # giờ làm việc


class Limit(BaseModel):
    """Thời gian giải quyết: how long a procedure may take at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(ge=0, le=10_000)
    unit: Unit = Unit.WORKING_DAYS

    def length(self, calendar: WorkingCalendar) -> timedelta:
        """Of working time, or plain time for `days`."""
        match self.unit:
            case Unit.WORKING_DAYS:
                return self.amount * calendar.day_length
            case Unit.DAYS:
                return timedelta(days=self.amount)
            case Unit.HOURS:
                return timedelta(hours=self.amount)

    def elapsed(self, calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
        """Time from `start` to `end` as this limit counts it."""
        if self.unit is Unit.DAYS:
            return max(end - start, timedelta())
        return calendar.between(start, end)

    def due(self, calendar: WorkingCalendar, start: datetime) -> datetime:
        """Ngày hẹn trả: the last moment that is in time."""
        if self.unit is Unit.DAYS:
            return start + self.length(calendar)
        return calendar.after(start, self.length(calendar))


ANSWER_WITHIN = Limit(amount=8, unit=Unit.HOURS)
"""An online submission is accepted, or answered with what is missing, within 8 working hours."""
