"""Every endpoint as operators see it: what is declared, what was said of it, what waits for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bus.ledger.ledger import Ledger
from bus.ledger.records import Backlog, EndpointState, Poll
from schemas.delivery import DeliveryState
from schemas.instant import Instant, to_datetime
from schemas.maintenance import Maintenance, away
from schemas.province import Endpoint


@dataclass(slots=True)
class EndpointView:
    """One endpoint."""

    name: str
    declared: Endpoint | None = None
    state: EndpointState | None = None
    poll: Poll | None = None
    counts: dict[DeliveryState, int] = field(default_factory=dict)
    oldest: Instant | None = None

    def add(self, group: Backlog) -> None:
        self.counts[group.state] = self.counts.get(group.state, 0) + group.count
        self.oldest = min(self.oldest or group.oldest, group.oldest)

    @property
    def paused(self) -> bool:
        return self.state is not None and self.state.paused

    def away(self, now: Instant) -> Maintenance | None:
        """The announced maintenance that goes on."""
        return None if self.declared is None else away(self.declared.maintenance, to_datetime(now))

    @property
    def broken(self) -> bool:
        """Its breaker is open."""
        return self.state is not None and self.state.breaker == "open"


async def views(ledger: Ledger) -> list[EndpointView]:
    """Every endpoint that is declared, has a state, or has open deliveries; by name."""
    declared = (await ledger.config.province()).endpoints
    return await views_of(ledger, declared)


async def views_of(
    ledger: Ledger, declared: Iterable[Endpoint], *, agencies: Collection[str] | None = None
) -> list[EndpointView]:
    """The same, for whoever has the declared ones at hand; what waits is that of `agencies`."""
    states = await ledger.queries.endpoint_states()
    backlog = await ledger.queries.backlog(agencies=agencies)
    found = combine(declared, states.values(), backlog)
    polls = await ledger.queries.polls()
    for view in found:
        view.poll = polls.get(view.name)
    return found


def combine(
    declared: Iterable[Endpoint], states: Iterable[EndpointState], backlog: Iterable[Backlog]
) -> list[EndpointView]:
    found: dict[str, EndpointView] = {}

    def view(name: str) -> EndpointView:
        return found.setdefault(name, EndpointView(name))

    for endpoint in declared:
        view(endpoint.name).declared = endpoint
    for state in states:
        view(state.endpoint).state = state
    for group in backlog:
        view(group.endpoint).add(group)
    return [found[name] for name in sorted(found)]
