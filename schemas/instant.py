"""Time as the ledger keeps it: whole microseconds since 1970-01-01T00:00:00Z, as an int."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

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
    return None if instant is None else to_datetime(instant).isoformat(timespec="microseconds")


def from_datetime(moment: datetime) -> Instant:
    """Raises ValueError on a naive datetime: the bus never guesses a zone."""
    if moment.tzinfo is None:
        msg = "a datetime without a zone cannot become an instant"
        raise ValueError(msg)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
