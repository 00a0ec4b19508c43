"""Calls of services in the last minutes, by who asked, over all gateways.

They are what gateways have counted into the ledger for the alerts, which keep them for some minutes
(bus.ops.tallies); what must be known for longer, accesses to personal data, is kept apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from bus.ledger.accesses import ANSWERED
from bus.ledger.ledger import Ledger
from bus.ops.tallies import CALL, CALL_TIME, NOBODY
from schemas.instant import SECOND

SECONDS = 600
"""How far back."""


@dataclass(slots=True)
class Calls:
    """Of one service by one caller."""

    service: str  # name@version
    client: str
    agency: str  # empty: an operator's
    outcomes: Counter[str] = field(default_factory=Counter)
    milliseconds: int = 0
    longest: int = 0

    @property
    def count(self) -> int:
        return self.outcomes.total()

    @property
    def failed(self) -> int:
        return self.count - self.outcomes[ANSWERED]

    @property
    def mean(self) -> float | None:
        """Milliseconds."""
        return self.milliseconds / self.count if self.count else None


async def lately(ledger: Ledger, *, agencies: Collection[str] | None) -> list[Calls]:
    """The busiest first. `agencies`: only their calls. Raises LedgerUnavailable."""
    found: dict[tuple[str, str, str], Calls] = {}
    for tally in await ledger.alerts.tallies(ledger.clock() - SECONDS * SECOND):
        if tally.kind not in {CALL, CALL_TIME}:
            continue
        service, client, agency, outcome = tally.subject.split(" ")
        agency = "" if agency == NOBODY else agency
        if agencies is not None and agency not in agencies:
            continue
        calls = found.setdefault((service, client, agency), Calls(service, client, agency))
        if tally.kind == CALL:
            calls.outcomes[outcome] += tally.count
            calls.longest = max(calls.longest, tally.high or 0)
        else:
            calls.milliseconds += tally.count
    return sorted(found.values(), key=lambda each: -each.count)
