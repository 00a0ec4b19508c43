"""Vietnam's clock, by which packets are dated, deadlines end and codes come into force."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from schemas.instant import SECOND, Instant, from_datetime, to_datetime

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""No daylight saving since 1975: a fixed offset is exact."""

YEARS = range(1900, 9999)
"""Whose days can be reckoned with: a day of the year 1 began in no year, by the clock of UTC."""


HOUR: Instant = 3600 * SECOND


def day_of(at: Instant) -> date:
    return _day_of_hour(at // HOUR)


@lru_cache(maxsize=1024)
def _day_of_hour(hour: int) -> date:
    """Days begin with an hour, and nearly every call is about the present one."""
    return to_datetime(hour * HOUR).astimezone(VIETNAM).date()


def start_of(day: date) -> Instant:
    """The first moment of a day."""
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=VIETNAM))
