"""The broker port: carries due work from the dispatcher to the workers.

The ledger holds the truth.  A broker may lose or repeat work and the ledger puts it right; what a
broker may never do is block for ever, so every await behind this port has a deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.message import Lane

GRACE = 10.0
"""Seconds that work in hand gets to finish before it is cancelled and given back."""


@dataclass(frozen=True, slots=True)
class Work:
    """One broker message: a batch of delivery ids of one endpoint and lane."""

    endpoint: str
    lane: Lane
    ids: tuple[int, ...]
    trace: str = ""  # W3C traceparent of the dispatch


@dataclass(frozen=True, slots=True)
class Event:
    """Changes of state of one commit, as a CloudEvents JSON batch made by the caller."""

    routing_key: str  # words separated by dots, for example delivery.delivered
    body: bytes


Handler = Callable[[Work], Awaitable[None]]
"""Returns: the work is done.  Raises: the work comes back.  It must tolerate repeats."""


class Broker(Protocol):
    async def start(self) -> None:
        """Return at once, even while the broker is down; connecting goes on in the background."""
        ...

    async def close(self, *, grace: float = GRACE) -> None:
        """Take nothing new, let handlers finish for `grace` seconds, give the rest back."""
        ...

    @property
    def connected(self) -> bool:
        """Whether work can be published and consumed now."""
        ...

    @property
    def events_dropped(self) -> int:
        """Events that were not sent because the broker was down or too slow."""
        ...

    async def ensure(self, endpoints: Collection[str]) -> None:
        """Make the queues of these endpoints, as far as the broker can be reached.

        It saves the first publish the time; publish and consume make what is missing themselves.
        """
        ...

    async def publish(self, batch: Sequence[Work], *, deadline: float) -> list[Work]:
        """Publish all of `batch` within `deadline` seconds; return what was not confirmed.

        What is returned may still have arrived: the answer was lost or late.  Never raises
        because of the broker.
        """
        ...

    async def consume(self, endpoint: str, handler: Handler, *, prefetch: int) -> None:
        """Hand the work of both lanes of `endpoint` to `handler` until `stop_consuming`.

        At most `prefetch` works are in hand per lane.  Lanes do not share it, so a backlog of
        normal work never occupies the places of urgent work.  Outlives reconnects, broker restarts
        and deleted queues.  Raises ValueError if this endpoint is being consumed already.
        """
        ...

    async def stop_consuming(self, endpoint: str, *, grace: float = GRACE) -> None:
        """As `close`, for one endpoint.  Nothing happens if it is not being consumed."""
        ...

    async def depth(self, endpoint: str, lane: Lane) -> int | None:
        """Works ready in the queue, not those in hand; None while the broker is unreachable."""
        ...

    async def remove(self, endpoint: str) -> None:
        """Stop consuming here and delete the queues with what is in them.

        A consumer in another process makes them again: stop those first.  Raises
        BrokerUnavailable when the broker did not do it.
        """
        ...

    def emit(self, events: Sequence[Event]) -> None:
        """Offer events to subscribers.  Never waits for the broker; drops what it cannot send."""
        ...
