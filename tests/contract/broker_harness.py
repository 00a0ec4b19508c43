"""Opens brokers of either kind on one set of queues, and records what their handlers got."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import aiormq

from bus.broker import Broker, Work, create
from bus.broker.topology import Topology
from schemas.message import Lane
from tests.waiting import wait_until

DEADLINE = 10.0  # seconds for a publish in a test
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def work(endpoint: str, *ids: int, lane: Lane = Lane.NORMAL) -> Work:
    return Work(endpoint, lane, ids, TRACE)


def works(endpoint: str, count: int, lane: Lane = Lane.NORMAL) -> list[Work]:
    return [work(endpoint, i, lane=lane) for i in range(count)]


async def until_depth(broker: Broker, endpoint: str, depth: int, *, what: str) -> None:
    async def reached() -> bool:
        return await broker.depth(endpoint, Lane.NORMAL) == depth

    condition: Callable[[], bool | Awaitable[bool]] = reached
    await wait_until(condition, what=what)


class Harness:
    """Brokers that share queues: RabbitMQ's by their prefix, the embedded one by being itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.prefix = f"test-{uuid.uuid4().hex[:12]}"
        self._opened: list[Broker] = []
        self._endpoints: set[str] = set()

    async def open(self, *, start: bool = True) -> Broker:
        embedded = self.url == "embedded:"
        reuse = embedded and self._opened
        broker = self._opened[0] if reuse else create(self.url, prefix=self.prefix)
        if not reuse:
            self._opened.append(broker)
        if start:
            await broker.start()
            await wait_until(lambda: broker.connected, what="the broker to be connected")
        return broker

    def endpoint(self, name: str = "endpoint") -> str:
        """A name whose queues are deleted after the test."""
        self._endpoints.add(name)
        return name

    async def end(self) -> None:
        for broker in self._opened:
            await broker.close(grace=0)
        if self.url != "embedded:":
            await self._delete_all()

    async def _delete_all(self) -> None:
        topology = Topology(self.prefix)
        async with aiormq.connect(self.url) as connection:
            channel = await connection.channel()
            for endpoint in self._endpoints:
                for lane in Lane:
                    await channel.queue_delete(topology.queue(endpoint, lane).name)
            await channel.queue_delete(topology.unrouted_queue.name)
            for exchange in (topology.deliveries, topology.unrouted, topology.events):
                await channel.exchange_delete(exchange.name)


class Recorder:
    """A handler that counts what it finished and how much it has in hand."""

    def __init__(self) -> None:
        self.done: list[Work] = []
        self.started: Counter[int] = Counter()
        self.in_hand = 0
        self.most_in_hand = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, item: Work) -> None:
        self.started.update(item.ids)
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        try:
            await self.before(item)
            await self.gate.wait()
            self.done.append(item)
        finally:
            self.in_hand -= 1

    async def before(self, item: Work) -> None:
        """For subclasses that fail."""

    @property
    def ids(self) -> Counter[int]:
        """How often each id was finished."""
        return Counter(i for item in self.done for i in item.ids)

    async def more(self, count: int, deadline: float) -> None:
        """Wait until `count` more works are done than now."""
        goal = len(self.done) + count
        await wait_until(lambda: len(self.done) >= goal, deadline, f"{goal} works done")

    async def finished(self, ids: Iterable[int], deadline: float = 15.0) -> None:
        wanted = set(ids)
        await wait_until(
            lambda: wanted <= self.ids.keys(),
            deadline,
            lambda: f"{len(wanted - self.ids.keys())} of {len(wanted)} ids to be finished",
        )
