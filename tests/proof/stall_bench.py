"""The stand of the stalls: production's own patience everywhere, and a wire to each service.

`Line` is one stream of documents to some receivers: told without pause, and watched until the last
of them has arrived.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiormq
from sqlalchemy.engine import make_url

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.judge import Book
from tests.proof.load import Key
from tests.proof.nest import Nest
from tests.proof.picky import Picky
from tests.proof.stand import AGENCIES, SYSTEMS, Place, Stand
from tests.proof.wire import Wire
from tests.waiting import wait_until

GAP_SECONDS = 0.3  # between two rounds of a line's documents
DEADLINE = 300.0
"""Seconds after which a scenario counts as stalled for good; how soon it should be over is judged
by the repeated run."""

CHOOSY, EAGER = "kho-tinh", "voi-vang"
PICKY = {CHOOSY: "H99.81", EAGER: "H99.82"}
"""Receivers that refuse what contains a word. EAGER is tried again after 50 ms."""


@dataclass
class Bench:
    stand: Stand
    broker: RabbitMQ
    database: PostgreSQL
    database_wire: Wire
    picky: dict[str, Picky]
    seconds: float  # for which a cause lasts
    many: int  # documents where a scenario wants many
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def line(self, *systems: str) -> Line:
        return Line(self, systems, next(self._numbers))

    def book(self, system: str) -> Book:
        return self.picky[system].book if system in PICKY else self.stand.books[system]

    def one_of_each(self) -> list[Place]:
        """The first process of each role; a second goes on."""
        roles = {place.role: place for place in reversed(self.stand.places)}
        return list(roles.values())

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aiormq.abc.AbstractChannel]:
        """On the broker itself, as somebody else's program might have one."""
        async with aiormq.connect(self.broker.url) as connection:
            yield await connection.channel()


@dataclass
class Line:
    bench: Bench
    systems: Sequence[str]
    number: int
    _told: dict[str, set[str]] = field(default_factory=dict)  # message ids, by receiver
    _counter: itertools.count[int] = field(default_factory=itertools.count)

    async def tell(self, *, word: str = "", key: str = "") -> None:
        """A document to each of the receivers, of a key of its own unless one is given."""
        number = next(self._counter)
        name = key or f"ngung-{self.number}-{number}"
        async with asyncio.TaskGroup() as group:
            for system in self.systems:
                of_key = number if key else 0  # the first of a key is a new document
                group.create_task(self._send(system, f"{name}-{system}{word}", of_key))

    async def _send(self, system: str, name: str, number: int) -> None:
        code = AGENCIES.get(system) or PICKY[system]
        key = Key(name, "document", (code,), (system,), AGENCIES[SYSTEMS[0]])
        sent = await self.bench.stand.sender.send(key, number)
        self._told.setdefault(system, set()).add(sent.message_id)

    async def tell_many(self, count: int, *, at_once: int = 16) -> None:
        left = iter(range(count))

        async def teller() -> None:
            for _ in left:
                await self.tell()

        await asyncio.gather(*(teller() for _ in range(at_once)))

    async def keep_telling(self) -> None:
        while True:
            await self.tell()
            await asyncio.sleep(GAP_SECONDS)

    def missing(self) -> list[str]:
        """Receivers that lack something that was told."""
        return [name for name, told in self._told.items() if told - self._arrived(name).keys()]

    async def arrived(self, deadline: float = DEADLINE) -> float:
        """Waits until all that was told is there; when the last of it came (seconds since 1970)."""
        await wait_until(lambda: not self.missing(), deadline, lambda: f"at {self.missing()}")
        return max(
            self._arrived(name)[message] for name, told in self._told.items() for message in told
        )

    def _arrived(self, system: str) -> dict[str, float]:
        effects = self.bench.book(system).refresh().effects
        return {effect["message_id"]: effect["at"] for effect in effects}


async def resumed_after(
    line: Line, begin: Callable[[], Awaitable[object]], end: Callable[[], Awaitable[object]]
) -> float:
    """Seconds from the end of a cause until all that was accepted before, during and just after it
    had arrived.
    """
    await line.tell()
    await line.arrived()
    telling = asyncio.create_task(line.keep_telling())
    try:
        await begin()
        try:
            await asyncio.sleep(line.bench.seconds)
        finally:
            await end()
        ended = time.time()
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    await line.tell()
    return max(0.0, await line.arrived() - ended)


class CalmStand(Stand):
    """Endpoints as they are declared in production, with all defaults of patience."""

    picky: dict[str, Picky]

    def province(self) -> dict[str, Any]:
        province = super().province()
        for endpoint in province["endpoints"]:
            for name in ("retry", "breaker"):
                endpoint.pop(name)
            if endpoint["kind"] == "rest-push":
                for name in ("connect_seconds", "answer_seconds"):
                    endpoint["config"].pop(name)
        for name, code in PICKY.items():
            config = {"url": self.picky[name].url, "secret": "he"}
            endpoint = {"name": name, "kind": "rest-push", "config": config}
            endpoint["reports_arrival"] = False
            if name == EAGER:
                endpoint["retry"] = {"first": 0.05, "soft_cap": 0.05, "cap": 0.05}
            province["endpoints"].append(endpoint)
            agency = {"code": code, "name": f"Cơ quan {code}", "parent": "H99", "endpoint": name}
            province["agencies"].append(agency)
        return province


@asynccontextmanager
async def bench(
    folder: Path,
    nest: Nest,
    broker: RabbitMQ,
    database: PostgreSQL,
    database_url: str,
    *,
    seconds: float,
    many: int,
) -> AsyncIterator[Bench]:
    async with (
        Wire(database.ports["sql"]) as wire,
        Picky(folder / f"{CHOOSY}.ndjson") as choosy,
        Picky(folder / f"{EAGER}.ndjson") as eager,
    ):
        url = make_url(database_url).set(port=wire.port).render_as_string(hide_password=False)
        stand = CalmStand(folder / "stand", nest, "rabbitmq-postgresql", broker, database, url)
        stand.picky = {CHOOSY: choosy, EAGER: eager}
        async with stand:
            yield Bench(stand, broker, database, wire, stand.picky, seconds, many)
