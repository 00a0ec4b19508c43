"""The broker inside one process, for a bus that runs from `pip install` alone.

Nothing here survives the process; the ledger publishes again what was in it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from functools import partial

from bus.broker.handling import finish, handled
from bus.broker.port import GRACE, Event, Handler, Work
from schemas.message import Lane

LANES = (Lane.URGENT, Lane.NORMAL)  # in the order in which they are served


class _Consumer:
    """The handler of one endpoint and what it has in hand, per lane."""

    def __init__(self, handler: Handler, prefetch: int) -> None:
        self.handler = handler
        self.prefetch = prefetch
        self.in_hand: dict[Lane, set[asyncio.Task[bool]]] = {lane: set() for lane in LANES}

    def tasks(self) -> set[asyncio.Task[bool]]:
        return set().union(*self.in_hand.values())


class EmbeddedBroker:
    """The same contract as RabbitMQ, kept in queues of this process."""

    def __init__(self) -> None:
        self._queues: defaultdict[tuple[str, Lane], deque[Work]] = defaultdict(deque)
        self._consumers: dict[str, _Consumer] = {}
        self._started = False

    async def start(self) -> None:
        self._started = True
        for endpoint in self._consumers:
            self._serve(endpoint)

    async def close(self, *, grace: float = GRACE) -> None:
        self._started = False
        await asyncio.gather(*(self.stop_consuming(e, grace=grace) for e in list(self._consumers)))

    @property
    def connected(self) -> bool:
        return self._started

    @property
    def events_dropped(self) -> int:
        return 0

    async def ensure(self, endpoints: Collection[str]) -> None:
        """Queues come into being when work arrives."""

    async def publish(
        self,
        batch: Sequence[Work],
        *,
        deadline: float,  # noqa: ARG002 - the contract; appending never waits
    ) -> list[Work]:
        if not self._started:
            return list(batch)
        for work in batch:
            self._queues[work.endpoint, work.lane].append(work)
        for endpoint in {work.endpoint for work in batch}:
            self._serve(endpoint)
        return []

    async def consume(self, endpoint: str, handler: Handler, *, prefetch: int) -> None:
        if endpoint in self._consumers:
            raise ValueError(f"{endpoint} is being consumed already")
        self._consumers[endpoint] = _Consumer(handler, prefetch)
        self._serve(endpoint)

    async def stop_consuming(self, endpoint: str, *, grace: float = GRACE) -> None:
        if consumer := self._consumers.pop(endpoint, None):
            await finish(consumer.tasks(), grace=grace)

    async def depth(self, endpoint: str, lane: Lane) -> int | None:
        if not self._started:
            return None
        return len(self._queues.get((endpoint, lane), ()))

    async def remove(self, endpoint: str) -> None:
        await self.stop_consuming(endpoint)
        for lane in LANES:
            self._queues.pop((endpoint, lane), None)

    def emit(self, events: Sequence[Event]) -> None:
        """Nobody outside this process can subscribe."""

    def _serve(self, endpoint: str) -> None:
        """Hand out as much as the free places allow, urgent first."""
        consumer = self._consumers.get(endpoint)
        if consumer is None or not self._started:
            return
        for lane in LANES:
            queue = self._queues.get((endpoint, lane))
            while queue and len(consumer.in_hand[lane]) < consumer.prefetch:
                work = queue.popleft()
                task = asyncio.create_task(handled(consumer.handler, work))
                consumer.in_hand[lane].add(task)
                task.add_done_callback(partial(self._settle, consumer, work))

    def _settle(self, consumer: _Consumer, work: Work, task: asyncio.Task[bool]) -> None:
        """A callback, because a task that is cancelled before it began runs no code of its own."""
        consumer.in_hand[work.lane].discard(task)
        if task.cancelled() or not task.result():
            self._queues[work.endpoint, work.lane].appendleft(work)
        self._serve(work.endpoint)
