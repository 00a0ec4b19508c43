"""Circuit breaker of one endpoint, as one worker sees it.

closed ──(failures in a row, of several deliveries)──▶ open ──(a probe succeeds)──▶ closed
                                                         └─(a probe fails)──▶ open, probe later

A single poisonous message never opens it: the failures must be of different deliveries, unless the
partner certainly had nothing of them (not reached, 503), for which no message is to blame.
No I/O here; the worker tells the ledger what changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from schemas.declared import BreakerPolicy
from schemas.instant import SECOND, Instant


class Change(Enum):
    NONE = auto()
    OPENED = auto()  # also: opened again after a failed probe
    CLOSED = auto()  # also: answers after failures in a row that were too much alike to open it


class Permit(Enum):
    GO = auto()
    PROBE = auto()  # the one that asks whether the endpoint is back
    WAIT = auto()


@dataclass(slots=True)
class Breaker:
    policy: BreakerPolicy
    is_open: bool = False
    probe_at: Instant = 0
    probing: bool = False
    _failures: int = 0
    _blameless: int = 0  # of them: the partner had nothing of the message
    _failed: set[int] = field(default_factory=set)

    def permit(self, now: Instant) -> Permit:
        """May one more delivery go now? PROBE must be answered by `succeeded` or `failed`."""
        if not self.is_open:
            return Permit.GO
        ahead = self.probe_at - now
        if self.probing or 0 < ahead <= self._pause:  # further away: the clock was put right
            return Permit.WAIT
        self.probing = True
        return Permit.PROBE

    def succeeded(self) -> Change:
        was_away = self.is_open or self._failures >= self.policy.failures
        self._forget()
        self.is_open = False
        return Change.CLOSED if was_away else Change.NONE

    def failed(
        self, delivery: int, now: Instant, *, probe: bool, blameless: bool = False
    ) -> Change:
        """A transient (then `blameless`) or unknown outcome. Stragglers of before the opening
        change nothing.
        """
        if self.is_open:
            if not probe:
                return Change.NONE
            return self._open(now)
        self._failures += 1
        self._blameless += blameless
        self._failed.add(delivery)
        several = self._failures >= self.policy.failures and len(self._failed) >= self.distinct
        away = several or self._blameless >= self.policy.failures
        return self._open(now) if away else Change.NONE

    @property
    def distinct(self) -> int:
        return min(self.policy.distinct, self.policy.failures)

    @property
    def _pause(self) -> Instant:
        return int(self.policy.probe_every * SECOND)

    def learn(self, *, is_open: bool, probe_at: Instant) -> None:
        """What the ledger says, where another worker may have opened or closed it."""
        if self.is_open and not is_open:
            self._forget()
        self.is_open = is_open
        if is_open:
            self.probe_at = max(probe_at, self.probe_at)

    def _forget(self) -> None:
        self._failures = self._blameless = 0
        self._failed.clear()
        self.probing = False

    def _open(self, now: Instant) -> Change:
        self.is_open = True
        self.probing = False
        self.probe_at = now + self._pause
        return Change.OPENED
