"""Who is lost: only one whose beat stood still through five seconds of steady readings."""

from __future__ import annotations

import pytest

from bus.engine.membership import Watch

P = "p"


def first_lost(readings: list[tuple[float, int]]) -> float | None:
    """When `P` is first called lost, reading (time, beat) one after the other."""
    watch = Watch()
    for at, beat in readings:
        lost = watch.read({P: beat}, at)
        if lost:
            assert lost == [(P, beat)]
            return at
    return None


def still(begin: float, end: float, *, beat: int = 7, step: float = 1.0) -> list[tuple[float, int]]:
    """A beat that stands still, read every `step` seconds up to and with `end`."""
    count = round((end - begin) / step)
    return [(begin + n * step, beat) for n in range(count + 1)]


@pytest.mark.parametrize(
    ("readings", "lost_at"),
    [
        (still(0, 4), None),
        (still(0, 4.75, step=0.25), None),
        (still(0, 9), 5),
        (still(100, 109, step=0.25), 105),
        (still(0, 10, step=2.5), 5),
        ([(0, 7), (60, 7)], None),  # a gap proves nothing
        (still(0, 4) + still(7, 11), None),
        (still(0, 4) + still(7, 12), 12),
        (still(0, 30, step=2.75), None),  # never steady
        (still(0, 4) + still(5, 9, beat=8), None),  # a beat: counted anew
        (still(0, 4) + still(5, 10, beat=8), 10),
        (still(0, 4) + still(5, 9, beat=1), None),  # a restarted counter is a beat as well
        ([(n, n) for n in range(100)], None),
        ([(n, n // 5) for n in range(100)], None),  # one beat in five seconds is alive
        ([(n, n // 6) for n in range(100)], 5),
    ],
)
def test_when_a_process_is_lost(readings: list[tuple[float, int]], lost_at: float | None) -> None:
    assert first_lost(readings) == lost_at


def test_it_is_named_until_it_leaves_the_ledger_or_beats_again() -> None:
    watch = Watch()
    named = [watch.read({P: 7}, at) for at in range(8)]
    assert named == [[]] * 5 + [[(P, 7)]] * 3
    assert watch.read({P: 8}, 8) == []


def test_one_lost_among_the_living() -> None:
    watch = Watch()
    for at in range(5):
        assert watch.read({"alive": at, P: 7}, at) == []
    assert watch.read({"alive": 5, P: 7}, 5) == [(P, 7)]


def test_one_that_left_and_came_back_is_new() -> None:
    watch = Watch()
    for at in range(4):
        watch.read({P: 7}, at)
    assert watch.read({}, 4) == []
    assert [watch.read({P: 7}, at) for at in range(5, 10)] == [[]] * 5
    assert watch.read({P: 7}, 10) == [(P, 7)]


def test_a_silent_process_loses_its_share_before_it_counts_as_lost() -> None:
    watch = Watch()
    for at in (0.0, 1.0, 2.0):
        assert watch.read({"dead": 7, "alive": int(at)}, at) == []
        assert watch.silent(at) == set()
    assert watch.read({"dead": 7, "alive": 3}, 3.0) == []
    assert watch.silent(3.0) == {"dead"}
    watch.read({"dead": 8, "alive": 4}, 4.0)
    assert watch.silent(4.0) == set()
