"""Token buckets, against a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.ops.rates import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_burst_at_once_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(monotonic=clock)
    taken = [buckets.take("a", rate=2, burst=3) for _ in range(4)]
    assert taken == [0.0, 0.0, 0.0, 0.5]
    clock.now = 0.5
    assert buckets.take("a", rate=2, burst=3) == 0.0
    assert buckets.take("a", rate=2, burst=3) == pytest.approx(0.5)


def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Clock()
    buckets = Buckets(monotonic=clock)
    buckets.take("a", rate=3, burst=1)
    clock.now += buckets.take("a", rate=3, burst=1) + 1e-9
    assert buckets.take("a", rate=3, burst=1) == 0.0


def test_keys_do_not_share() -> None:
    buckets = Buckets(monotonic=Clock())
    assert buckets.take("a", rate=1, burst=1) == 0.0
    assert buckets.take("b", rate=1, burst=1) == 0.0


def test_given_back_can_be_taken_again() -> None:
    buckets = Buckets(monotonic=Clock())
    for _ in range(5):
        assert buckets.take("a", rate=1, burst=1) == 0.0
        buckets.give_back("a")


def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    buckets = Buckets(max_keys=10, monotonic=Clock())
    buckets.take("busy", rate=1, burst=1)
    for number in range(1000):
        buckets.take(number, rate=1, burst=1)
        assert buckets.take("busy", rate=1, burst=1) > 0
    assert len(buckets._filled) <= 10


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 10), max_size=100),
)
def test_never_more_than_burst_plus_rate_times_time(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets = Buckets(monotonic=clock)
    allowed = 0
    for pause in pauses:
        clock.now += pause
        allowed += buckets.take("a", rate=rate, burst=burst) == 0.0
    assert allowed <= burst + rate * clock.now + 1e-6
