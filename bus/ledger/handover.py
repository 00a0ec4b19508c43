"""What may leave at once need not go round by dispatcher and broker.

A process that accepts and delivers holds free places of its runners for the messages it is about to
commit; what turns out to be the head of its key is claimed in the same transaction and sent when
that is committed.  Everything else, and all that finds no free place, is the dispatcher's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from bus.ledger.records import Acceptance, Claimed


class Place(Protocol):
    """A place that a runner holds free for one delivery. Exactly one of its methods is called."""

    @property
    def endpoint(self) -> str: ...

    def fill(self, claimed: Claimed) -> None:
        """It is in hand, and committed: send it."""

    def give_up(self) -> None:
        """There is nothing to send after all."""


Reserve = Callable[[str], Place | None]
"""A place at the runner of that endpoint; None: none is free, or nothing may go there now."""


class Places:
    """Those held for one transaction."""

    def __init__(self, reserve: Reserve | None, acceptances: Iterable[Acceptance]) -> None:
        self._held: dict[str, list[Place]] = {}
        if reserve is None:
            return
        for acceptance in acceptances:
            for plan in acceptance.planned:
                if not (plan.pull or plan.held) and (place := reserve(plan.endpoint)) is not None:
                    self._held.setdefault(plan.endpoint, []).append(place)

    def count(self) -> Counter[str]:
        """How many for each endpoint."""
        return Counter({endpoint: len(places) for endpoint, places in self._held.items()})

    def fill(self, taken: Iterable[Claimed]) -> None:
        for claimed in taken:
            self._held[claimed.endpoint].pop().fill(claimed)

    def give_up(self) -> None:
        """Those not filled."""
        for places in self._held.values():
            while places:
                places.pop().give_up()
