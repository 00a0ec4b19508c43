"""What this process counts for the rules of alerts, until it is written into the ledger.

Metrics are each process's own and need a Prometheus; the ledger sums up over all processes.
Subjects are names of configuration, so what gathers here is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from bus.engine.observer import News
from bus.ledger.alerts import Tally
from schemas.adapter import Result
from schemas.errors import PartnerGarbage, PartnerTimeout, PartnerUnavailable
from schemas.instant import SECOND, Instant

SPAN: Instant = 5 * SECOND
"""What is counted within one such span of time is one row."""

WARNING = "warning:"
MAX_WARNING = 80  # characters of a warning that tell its kind
MAX_KINDS = 2_000
"""Rows that may wait at once: beyond it nothing new is counted until they are written."""

_ANSWERED = "answered"
_FAILED = frozenset({PartnerUnavailable.code, PartnerTimeout.code, PartnerGarbage.code})


@dataclass(slots=True)
class _Count:
    count: int = 0
    low: int | None = None
    high: int | None = None


class Tallies:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}

    def add(self, kind: str, subject: str, *, measured: int | None = None) -> None:
        known = self._counts.get((kind, subject))
        if known is None:
            if len(self._counts) >= MAX_KINDS:
                return
            known = self._counts[kind, subject] = _Count()
        known.count += 1
        if measured is not None:
            known.low = measured if known.low is None else min(known.low, measured)
            known.high = measured if known.high is None else max(known.high, measured)

    def attempted(self, endpoint: str, result: str) -> None:
        """`result` is a schemas.adapter.Result."""
        if result == Result.DELIVERED:
            self.add("attempt-good", endpoint)
        elif result == Result.REJECTED:
            self.add("attempt-rejected", endpoint)
        else:
            self.add("attempt-failed", endpoint)

    def called(self, service: str, outcome: str) -> None:
        """Callers' mistakes, and a partner's well-founded no, say nothing of the service."""
        if outcome == _ANSWERED:
            self.add("call-good", service)
        elif outcome in _FAILED:
            self.add("call-failed", service)

    def heard(self, sender: str, news: News) -> None:
        self.add(f"heard-{news.as_}", sender)
        for warning in news.warnings:
            self.add(f"{WARNING}{warning[:MAX_WARNING]}", sender)
        if news.lag is not None:
            self.add("lag", sender, measured=round(news.lag))

    def drain(self, now: Instant, *, span: Instant = SPAN) -> list[Tally]:
        """What gathered since the last time."""
        at = now // span * span
        counts, self._counts = self._counts, {}
        return [
            Tally(kind, subject, at, each.count, each.low, each.high)
            for (kind, subject), each in counts.items()
        ]

    def put_back(self, tallies: list[Tally]) -> None:
        """They could not be written; they count with what comes next."""
        for tally in tallies:
            key = (tally.kind, tally.subject)
            known = self._counts.setdefault(key, _Count())
            known.count += tally.count
            for measured in (tally.low, tally.high):
                if measured is not None:
                    known.low = measured if known.low is None else min(known.low, measured)
                    known.high = measured if known.high is None else max(known.high, measured)
