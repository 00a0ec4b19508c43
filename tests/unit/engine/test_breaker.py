"""The breaker as a table: what happened, second by second, and how it stands after."""

from __future__ import annotations

import pytest

from bus.engine.breaker import Breaker, Change, Permit
from schemas.declared import BreakerPolicy
from schemas.instant import SECOND

EVERY = int(BreakerPolicy().probe_every * SECOND)


def after(*failed: int | str, policy: BreakerPolicy | None = None) -> tuple[Breaker, list[Change]]:
    """A breaker after failures of these deliveries ("ok" is a success), and what it answered."""
    breaker = Breaker(policy or BreakerPolicy())
    changes = [
        breaker.succeeded() if isinstance(each, str) else breaker.failed(each, 0, probe=False)
        for each in failed
    ]
    return breaker, changes


def opened() -> Breaker:
    breaker, _ = after(1, 2, 3, 4, 5)
    assert breaker.is_open
    return breaker


def probing() -> Breaker:
    breaker = opened()
    assert breaker.permit(EVERY) is Permit.PROBE
    return breaker


@pytest.mark.parametrize(
    ("happened", "is_open"),
    [
        ((1, 2, 3, 4), False),
        ((1, 2, 3, 4, 5), True),
        ((1, 2, 3, 1, 2), True),
        ((1, 1, 1, 2, 3), True),
        ((1, 1, 1, 1, 2), False),
        ((1, 2, 1, 2, 1, 2, 1, 2), False),
        ((1,) * 100, False),
        ((1,) * 100 + (2, 3), True),
        ((1, 2, 3, 4, "ok", 5), False),
        ((1, 2, 3, 4, "ok", 5, 6, 7, 8), False),
        ((1, 2, 3, 4, "ok", 5, 6, 7, 8, 9), True),
        ((1, 2, "ok", 3, 3, 3, 3, 3), False),
        (("ok", "ok"), False),
    ],
)
def test_it_opens_after_failures_in_a_row_of_several_deliveries(
    happened: tuple[int | str, ...], is_open: bool
) -> None:
    breaker, changes = after(*happened)
    assert breaker.is_open is is_open
    assert changes == [Change.NONE] * (len(happened) - is_open) + [Change.OPENED] * is_open
    assert breaker.permit(0) is (Permit.WAIT if is_open else Permit.GO)


@pytest.mark.parametrize(
    ("failures", "distinct", "happened", "is_open"),
    [
        (1, 3, (1,), True),  # no more different deliveries can be asked for than failures
        (2, 3, (1, 1), False),
        (2, 3, (1, 2), True),
        (3, 1, (1, 1, 1), True),
    ],
)
def test_the_policy_says_how_many(
    failures: int, distinct: int, happened: tuple[int, ...], is_open: bool
) -> None:
    breaker, _ = after(*happened, policy=BreakerPolicy(failures=failures, distinct=distinct))
    assert breaker.is_open is is_open


def test_one_probe_at_a_time_and_none_before_its_time() -> None:
    breaker = opened()
    assert breaker.probe_at == EVERY
    asked = [breaker.permit(at) for at in (0, EVERY - 1, EVERY, EVERY, 9 * EVERY)]
    assert asked == [Permit.WAIT, Permit.WAIT, Permit.PROBE, Permit.WAIT, Permit.WAIT]


def test_a_failed_probe_opens_it_again() -> None:
    breaker = probing()
    assert breaker.failed(6, 2 * EVERY, probe=True) is Change.OPENED
    asked = [breaker.permit(at) for at in (2 * EVERY, 3 * EVERY - 1, 3 * EVERY)]
    assert asked == [Permit.WAIT, Permit.WAIT, Permit.PROBE]


def test_a_successful_probe_closes_it_and_counting_starts_anew() -> None:
    breaker = probing()
    assert breaker.succeeded() is Change.CLOSED
    assert breaker.permit(EVERY) is Permit.GO
    assert [breaker.failed(n, EVERY, probe=False) for n in range(4)] == [Change.NONE] * 4
    assert breaker.failed(4, EVERY, probe=False) is Change.OPENED


def test_stragglers_neither_move_the_probe_nor_end_it() -> None:
    breaker = opened()
    assert breaker.failed(9, EVERY - 1, probe=False) is Change.NONE
    assert breaker.permit(EVERY) is Permit.PROBE
    assert breaker.failed(9, 2 * EVERY, probe=False) is Change.NONE
    assert breaker.probing
    assert breaker.probe_at == EVERY


def test_it_learns_that_another_worker_opened_it() -> None:
    breaker, _ = after(1)
    breaker.learn(is_open=True, probe_at=EVERY)
    assert [breaker.permit(at) for at in (0, EVERY)] == [Permit.WAIT, Permit.PROBE]
    assert breaker.succeeded() is Change.CLOSED


def test_it_learns_that_another_worker_closed_it() -> None:
    breaker = probing()
    breaker.learn(is_open=False, probe_at=0)
    assert breaker.permit(0) is Permit.GO
    assert breaker.failed(6, EVERY, probe=True) is Change.NONE  # the probe, now one of many
    assert not breaker.is_open


def test_what_it_learns_never_brings_the_probe_forward_nor_ends_one() -> None:
    breaker = opened()
    breaker.learn(is_open=True, probe_at=EVERY // 2)
    assert breaker.permit(EVERY // 2) is Permit.WAIT
    breaker.learn(is_open=True, probe_at=2 * EVERY)
    assert breaker.permit(EVERY) is Permit.WAIT
    assert breaker.permit(2 * EVERY) is Permit.PROBE
    breaker.learn(is_open=True, probe_at=EVERY)
    assert breaker.permit(3 * EVERY) is Permit.WAIT


def test_a_probe_is_not_put_off_by_a_clock_that_was_ahead() -> None:
    breaker = opened()
    breaker.learn(is_open=True, probe_at=1_000 * EVERY)
    assert breaker.permit(EVERY) is Permit.PROBE


def test_learning_nothing_new_does_not_forget_failures() -> None:
    breaker, _ = after(1, 2, 3, 4)
    breaker.learn(is_open=False, probe_at=0)
    assert breaker.failed(5, 0, probe=False) is Change.OPENED


def test_one_message_opens_it_where_no_message_is_to_blame() -> None:
    """A partner that cannot be reached is asked every few seconds, by whatever is there."""
    breaker = Breaker(BreakerPolicy(failures=3, probe_every=1))
    for _ in range(2):
        assert breaker.failed(1, 0, probe=False, blameless=True) is Change.NONE
    assert breaker.failed(1, 0, probe=False) is Change.NONE  # this one had it, perhaps
    assert breaker.failed(1, 0, probe=False, blameless=True) is Change.OPENED


def test_an_answer_after_a_row_of_failures_wakes_what_waits() -> None:
    """Too few messages to open it: they must not wait for as long as they have failed already."""
    breaker = Breaker(BreakerPolicy(failures=3))
    for _ in range(3):
        assert breaker.failed(1, 0, probe=False) is Change.NONE
    assert breaker.succeeded() is Change.CLOSED
    assert breaker.failed(1, 0, probe=False) is Change.NONE
    assert breaker.succeeded() is Change.NONE
