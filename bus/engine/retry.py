"""When a failed delivery goes again: a pure function of the policy and what happened."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bus.ledger.records import Claimed
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.errors import PartnerLacksDossier
from schemas.instant import SECOND, Instant
from schemas.province import RetryPolicy

JITTER = 0.2
"""Each wait is moved by up to a fifth either way, so that a crowd does not come back at once."""

MAX_PAUSE = 3_600.0
"""Seconds; a partner that asks for a longer pause is asked again after an hour."""

OWN_FAULT = "adapter-fault"
OWN_FAULT_ATTEMPTS = 5
"""An error of our own adapter does not go away by waiting: an operator hears of it soon."""


@dataclass(frozen=True, slots=True)
class Verdict:
    state: DeliveryState
    next_attempt_at: Instant = 0


def judge(
    policy: RetryPolicy, claimed: Claimed, outcome: Outcome, now: Instant, *, counts: bool
) -> Verdict:
    """The state after an attempt. `counts` is False for probes of an open breaker."""
    if outcome.result is Result.DELIVERED:
        return Verdict(DeliveryState.DELIVERED)
    if outcome.result is Result.REJECTED and outcome.code == PartnerLacksDossier.code:
        return Verdict(DeliveryState.HELD)  # until the partner has the dossier
    if outcome.result is Result.REJECTED:
        return Verdict(DeliveryState.REJECTED)
    if uses_up(outcome, counts=counts) and claimed.strikes + 1 >= _limit(policy, outcome):
        return Verdict(DeliveryState.DEAD)
    seconds = wait(policy, claimed.attempt, (now - claimed.first_attempt_at) / SECOND)
    pause = min(outcome.retry_after or 0.0, MAX_PAUSE)
    seconds = max(seconds * _spread(1 - JITTER), pause * _spread(1.0))  # never before they asked
    return Verdict(DeliveryState.WAITING, now + int(seconds * SECOND))


def uses_up(outcome: Outcome, *, counts: bool) -> bool:
    """Transient failures and probes use no attempts up: the partner never had the message."""
    return counts and outcome.result is Result.UNKNOWN


def wait(policy: RetryPolicy, attempt: int, since_first: float) -> float:
    """Seconds before the next attempt, before jitter."""
    doubled = policy.first * 2.0 ** min(attempt - 1, 30)
    return min(doubled, max(policy.soft_cap, since_first / 10), policy.cap)


def _spread(least: float) -> float:
    return random.uniform(least, 1 + JITTER)  # noqa: S311 - not a secret


def _limit(policy: RetryPolicy, outcome: Outcome) -> int:
    if outcome.code == OWN_FAULT:
        return min(OWN_FAULT_ATTEMPTS, policy.max_attempts)
    return policy.max_attempts
