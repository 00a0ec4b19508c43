"""Calls of services: counted by each process, added up in the ledger, read by page and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bus.ledger.accesses import ANSWERED
from bus.ledger.usage import HOUR, Usage
from bus.ops.latency import bound_of, percentile
from schemas.errors import RateLimited
from schemas.instant import Clock, Instant

MAX_KINDS = 10_000
"""Rows that may wait at once: beyond it nothing new is counted until they are written."""


class UsageCount:
    """What this process counted and has not written yet; names of configuration bound it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[tuple[Instant, str, str, str, str, str], Usage] = {}

    def called(
        self,
        service: str,
        operation: str,
        outcome: str,
        seconds: float,
        *,
        client: str,
        agency: str,
    ) -> None:
        took, at = round(seconds * 1000), self._clock() // HOUR * HOUR
        spread = {bound_of(took): 1}
        self._add(Usage(at, service, operation, client, agency, outcome, 1, took, took, spread))

    def drain(self) -> list[Usage]:
        """What gathered since the last time."""
        rows, self._rows = self._rows, {}
        return list(rows.values())

    def put_back(self, rows: Iterable[Usage]) -> None:
        """They could not be written; they count with what comes next."""
        for row in rows:
            self._add(row)

    def _add(self, new: Usage) -> None:
        old = self._rows.get(new.key)
        if old is not None:
            self._rows[new.key] = replace(
                old,
                count=old.count + new.count,
                milliseconds=old.milliseconds + new.milliseconds,
                longest=max(old.longest, new.longest),
                spread=Counter(old.spread) + Counter(new.spread),
            )
        elif len(self._rows) < MAX_KINDS:
            self._rows[new.key] = new


@dataclass(slots=True)
class Calls:
    """Of some rows together."""

    outcomes: Counter[str] = field(default_factory=Counter)
    milliseconds: int = 0
    longest: int = 0
    spread: Counter[int] = field(default_factory=Counter)  # of those that were let in

    def add(self, row: Usage) -> None:
        self.outcomes[row.outcome] += row.count
        if row.outcome != RateLimited.code:
            self.spread.update(row.spread)
        self.milliseconds += row.milliseconds
        self.longest = max(self.longest, row.longest)

    @property
    def count(self) -> int:
        return self.outcomes.total()

    @property
    def answered(self) -> int:
        return self.outcomes[ANSWERED]

    @property
    def over_quota(self) -> int:
        """Refused by the bus, since the caller asked too often."""
        return self.outcomes[RateLimited.code]

    @property
    def failed(self) -> int:
        """Neither answered nor over the quota."""
        return self.count - self.answered - self.over_quota

    @property
    def mean(self) -> float | None:
        """Milliseconds."""
        return self.milliseconds / self.count if self.count else None

    def percentile(self, share: float) -> float | None:
        """Milliseconds within which this share of the calls ended that were let in.

        None where no call was counted since there are percentiles.
        """
        return percentile(self.spread, share, longest=self.longest)


def grouped(rows: Iterable[Usage], by: Callable[[Usage], _Group]) -> dict[_Group, Calls]:
    """The busiest first."""
    found: dict[_Group, Calls] = {}
    for row in rows:
        found.setdefault(by(row), Calls()).add(row)
    return dict(sorted(found.items(), key=lambda each: (-each[1].count, each[0])))


_Group = tuple[str, ...]
