"""What becomes of a delivery after an attempt, and how long it waits for the next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.engine.retry import JITTER, OWN_FAULT, Verdict, judge, uses_up, wait
from bus.ledger.records import Claimed
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.instant import SECOND
from schemas.message import Lane
from schemas.province import RetryPolicy

S = DeliveryState
POLICY = RetryPolicy()
BEGAN = 1_700_000_000 * SECOND


def claimed(attempt: int = 1, strikes: int = 0) -> Claimed:
    return Claimed(
        id=1,
        endpoint="ep",
        receivers=("H99.02",),
        order_key="k",
        lane=Lane.NORMAL,
        attempt=attempt,
        strikes=strikes,
        maybe_sent=False,
        first_attempt_at=BEGAN,
        message_id="m",
        sender="H99.01",
        kind="document",
        media_type="application/edxml+xml",
        size=1,
        sha256="",
        trace="",
        accepted_at=BEGAN,
        content=None,
    )


def judged(
    outcome: Outcome, *, attempt: int = 1, strikes: int = 0, age: float = 0, counts: bool = True
) -> Verdict:
    now = BEGAN + int(age * SECOND)
    return judge(POLICY, claimed(attempt, strikes), outcome, now, counts=counts)


@pytest.mark.parametrize(
    ("result", "code", "strikes", "counts", "state"),
    [
        (Result.DELIVERED, "", 0, True, S.DELIVERED),
        (Result.DELIVERED, "", 999, True, S.DELIVERED),
        (Result.DELIVERED, "", 0, False, S.DELIVERED),
        (Result.REJECTED, "", 0, True, S.REJECTED),
        (Result.REJECTED, "", 999, False, S.REJECTED),
        (Result.TRANSIENT, "", 0, True, S.WAITING),
        (Result.TRANSIENT, "", 1_000_000, True, S.WAITING),
        (Result.UNKNOWN, "", 0, True, S.WAITING),
        (Result.UNKNOWN, "", POLICY.max_attempts - 2, True, S.WAITING),
        (Result.UNKNOWN, "", POLICY.max_attempts - 1, True, S.DEAD),
        (Result.UNKNOWN, "", POLICY.max_attempts - 1, False, S.WAITING),
        (Result.UNKNOWN, OWN_FAULT, 3, True, S.WAITING),
        (Result.UNKNOWN, OWN_FAULT, 4, True, S.DEAD),
        (Result.UNKNOWN, OWN_FAULT, 4, False, S.WAITING),
    ],
)
def test_the_state_after_an_attempt(
    result: Result, code: str, strikes: int, counts: bool, state: DeliveryState
) -> None:
    verdict = judged(Outcome(result, code=code), attempt=9, strikes=strikes, counts=counts)
    assert verdict.state is state
    assert (verdict.next_attempt_at > BEGAN) is (state is S.WAITING)


def test_our_own_fault_never_gets_more_attempts_than_the_policy_gives() -> None:
    outcome = Outcome(Result.UNKNOWN, code=OWN_FAULT)
    verdict = judge(RetryPolicy(max_attempts=2), claimed(2, 1), outcome, BEGAN, counts=True)
    assert verdict.state is S.DEAD


@pytest.mark.parametrize("result", Result)
def test_only_an_unknown_outcome_that_counts_uses_an_attempt_up(result: Result) -> None:
    assert uses_up(Outcome(result), counts=True) is (result is Result.UNKNOWN)
    assert not uses_up(Outcome(result), counts=False)


@pytest.mark.parametrize(
    ("attempt", "since_first", "seconds"),
    [
        (1, 0, 1),
        (2, 1, 2),
        (3, 3, 4),
        (4, 7, 6),
        (5, 15, 6),  # soft cap
        (10, 60, 6),
        (10, 200, 20),  # a tenth of the age
        (20, 1_000, 100),
        (20, 3_000, 300),
        (50, 86_400, 300),  # cap
        (10_000, 1e9, 300),
        (3, 86_400, 4),  # old, but not tried often: it doubles all the same
        (9, -3_600, 6),  # the clock was set back
    ],
)
def test_the_wait(attempt: int, since_first: float, seconds: float) -> None:
    assert wait(POLICY, attempt, since_first) == pytest.approx(seconds)


@pytest.mark.parametrize(("asked", "seconds"), [(None, 6), (0.0, 6), (3.0, 6), (60.0, 60)])
def test_the_longer_of_our_wait_and_the_partners(asked: float | None, seconds: float) -> None:
    outcome = Outcome(Result.TRANSIENT, retry_after=asked)
    waits = [judged(outcome, attempt=9, age=10).next_attempt_at for _ in range(200)]
    base = BEGAN + 10 * SECOND
    assert min(waits) >= base + seconds * (1 - JITTER) * SECOND - 1
    assert max(waits) <= base + seconds * (1 + JITTER) * SECOND
    assert len(set(waits)) > 100  # a crowd does not come back at once


positive = st.floats(0.01, 10_000)
policies = st.builds(
    RetryPolicy, first=positive, soft_cap=positive, cap=positive, max_attempts=st.integers(1, 1_000)
)


@given(policies, st.integers(1, 10_000), st.floats(0, 1e8), st.floats(0, 1e8))
def test_the_wait_never_shrinks_and_never_leaves_its_bounds(
    policy: RetryPolicy, attempt: int, since_first: float, later: float
) -> None:
    seconds = wait(policy, attempt, since_first)
    floor = min(policy.first, policy.soft_cap, policy.cap)
    assert floor <= seconds <= policy.cap
    assert seconds <= wait(policy, attempt + 1, since_first + later)


@given(
    policies,
    st.sampled_from(Result),
    st.sampled_from(["", OWN_FAULT]),
    st.integers(0, 2_000),
    st.booleans(),
    st.floats(0, 1e6),
)
def test_dead_is_only_what_used_its_attempts_up(
    policy: RetryPolicy, result: Result, code: str, strikes: int, counts: bool, age: float
) -> None:
    now = BEGAN + int(age * SECOND)
    work = claimed(strikes + 1, strikes)
    verdict = judge(policy, work, Outcome(result, code=code), now, counts=counts)
    limit = min(5, policy.max_attempts) if code == OWN_FAULT else policy.max_attempts
    used_up = counts and result is Result.UNKNOWN and strikes + 1 >= limit
    assert (verdict.state is S.DEAD) is used_up
    if verdict.state is S.WAITING:
        expected = wait(policy, work.attempt, (now - BEGAN) / SECOND) * SECOND
        waited = verdict.next_attempt_at - now
        assert expected * (1 - JITTER) - 1 <= waited <= expected * (1 + JITTER)


def test_a_step_waits_for_its_dossier_and_nothing_else_does() -> None:
    lacks = Outcome(Result.REJECTED, code="partner-lacks-dossier")
    step = replace(claimed(), kind="step")
    assert judge(POLICY, step, lacks, BEGAN, counts=True).state is S.HELD
    assert judge(POLICY, claimed(), lacks, BEGAN, counts=True).state is S.REJECTED
