"""Time as the ledger keeps it: whole microseconds since 1970-01-01T00:00:00Z, as an int."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Instant = int
Clock = Callable[[], Instant]

SECOND: Instant = 1_000_000


def now() -> Instant:
    """Wall-clock time of this process."""
    return time.time_ns() // 1000


def to_datetime(instant: Instant) -> datetime:
    return datetime.fromtimestamp(instant / SECOND, tz=UTC)


def to_iso(instant: Instant | None) -> str | None:
    """RFC 3339 in UTC with microseconds; None stays None."""
    if instant is None:
        return None
    seconds, microseconds = divmod(instant, SECOND)
    return f"{_to_second(seconds)}.{microseconds:06d}+00:00"


@lru_cache(maxsize=256)
def _to_second(seconds: int) -> str:
    """Nearly every call is about the present second."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")[:19]


def from_datetime(moment: datetime) -> Instant:
    """Raises ValueError on a naive datetime: the bus never guesses a zone."""
    if moment.tzinfo is None:
        msg = "a datetime without a zone cannot become an instant"
        raise ValueError(msg)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
