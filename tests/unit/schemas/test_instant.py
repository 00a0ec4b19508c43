"""Microseconds since the epoch, there and back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instant import SECOND, from_datetime, now, to_datetime, to_iso

VIETNAM = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("instant", "iso"),
    [
        (0, "1970-01-01T00:00:00.000000+00:00"),
        (1, "1970-01-01T00:00:00.000001+00:00"),
        (-1, "1969-12-31T23:59:59.999999+00:00"),
        (1_767_225_599_999_999, "2025-12-31T23:59:59.999999+00:00"),
        (951_782_400 * SECOND, "2000-02-29T00:00:00.000000+00:00"),
        (None, None),
    ],
)
def test_iso(instant: int | None, iso: str | None) -> None:
    assert to_iso(instant) == iso


def test_the_zone_counts() -> None:
    moment = datetime(2026, 1, 1, 7, tzinfo=VIETNAM)
    assert from_datetime(moment) == from_datetime(datetime(2026, 1, 1, tzinfo=UTC))
    assert from_datetime(moment) == 1_767_225_600 * SECOND


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_now_is_the_wall_clock_in_microseconds() -> None:
    before = time.time_ns() // 1000
    instant = now()
    assert before <= instant <= time.time_ns() // 1000
    assert isinstance(instant, int)


@given(st.integers(0, from_datetime(datetime(2200, 1, 1, tzinfo=UTC))))
def test_no_microsecond_is_lost_there_and_back(instant: int) -> None:
    assert from_datetime(to_datetime(instant)) == instant


@given(
    st.datetimes(
        datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, VIETNAM]),
    )
)
def test_no_moment_is_changed_there_and_back(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == moment
