"""Breaks whatever may break on a stand, one thing after the other, and mends it again.

Every fault ends by itself after a few seconds; that the bus goes on afterwards is for the judge.
"""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from signal import SIGCONT, SIGSTOP

import asyncpg

from adapters.faults import Mode
from tests.proof.points import Point, points_of
from tests.proof.stand import SECURED, SYSTEMS, Place, Stand
from tests.proof.wire import Mode as WireMode

SICK_SECONDS = 25.0  # at most
WATCH_SECONDS = 4.0
REACH_SECONDS = 20.0
PARTNER_MODES = (
    *(Mode.ERROR, Mode.BUSY, Mode.HANG, Mode.GARBAGE, Mode.SLOW, Mode.CUT, Mode.HALF),
    *(Mode.REFUSE, Mode.UNSIGNED),
)
FULL = 4_096  # bytes: no file may grow beyond it, as on a disk that is full
JUMPS = (3_600, -3_600, 90, -90)  # seconds

Fault = Callable[[], Awaitable[None]]


class Faults:
    """All faults that the stand's backend knows, in a random order drawn from `dice`."""

    def __init__(
        self, stand: Stand, dice: random.Random, only: Sequence[str] = (), *, points: bool
    ) -> None:
        """`only` are the names of those to draw from; otherwise all. With `points` a process dies
        at a named point after each of them.
        """
        self._stand = stand
        self._only = only
        self._with_points = points
        self._points: list[Point] = []
        self._dice = dice
        self.happened: Counter[str] = Counter()

    async def go_on(self, gap: float, until: Callable[[], bool]) -> None:
        """One after the other, about `gap` seconds apart, all of them at least once."""
        while True:
            round_of_all = list(self._all().items())
            self._dice.shuffle(round_of_all)
            for name, fault in round_of_all:
                await asyncio.sleep(self._dice.uniform(0.5, 1.5) * gap)
                await self._happen(name, fault)
                if self._with_points:
                    await self._happen("a named point", self._die_at_point)
                if until() and self.happened.keys() >= self._all().keys():
                    return

    async def _happen(self, name: str, fault: Fault) -> None:
        began = time.time()
        await fault()
        self.happened[name] += 1
        self._stand.history.tell("fault", name=name, began=began, ended=time.time())

    def _all(self) -> dict[str, Fault]:
        stand = self._stand
        faults: dict[str, Fault] = {
            "kill -9 a process": self._kill_one,
            "kill -9 all processes": self._kill_all,
            "a process frozen": self._freeze,
            "disk full": self._fill_disk,
            "clock jumps": self._jump,
            "a partner hangs": self._sick,
            "TLS broken": self._garble,
        }
        faults |= {f"partner: {mode}": self._partner(mode) for mode in PARTNER_MODES}
        rabbitmq, postgres = stand.rabbitmq, stand.postgres
        if rabbitmq is not None:
            faults |= {
                "RabbitMQ stopped": lambda: self._over(rabbitmq.stop_app, rabbitmq.start_app),
                "RabbitMQ killed": lambda: self._over(rabbitmq.kill, rabbitmq.start),
                "RabbitMQ frozen": lambda: self._over(rabbitmq.pause, rabbitmq.resume),
                "RabbitMQ cut off": lambda: self._wire("cut"),
                "RabbitMQ silent": lambda: self._wire("silent"),
                "RabbitMQ slow": lambda: self._wire("slow"),
            }
        if postgres is not None:
            faults |= {
                "PostgreSQL restarted": lambda: asyncio.to_thread(postgres.restart),
                "PostgreSQL killed": lambda: self._over(postgres.kill, postgres.start),
                "PostgreSQL frozen": lambda: self._over(postgres.pause, postgres.resume),
                "connections terminated": self._terminate,
            }
        return {name: faults[name] for name in self._only or faults}

    # --- processes ------------------------------------------------------------------------------

    async def _kill_one(self) -> None:
        place = self._dice.choice(self._stand.places)
        await self._stand.kill(place)
        await self._pause(0.1, 1)
        await self._stand.revive(place)

    async def _kill_all(self) -> None:
        await self._stand.kill(*self._stand.places)
        await self._stand.revive(*self._stand.places)

    async def _die_at_point(self) -> None:
        """All of them in turn; a process that does not come by in time is killed as it is."""
        stand, dice = self._stand, self._dice
        if not self._points:
            self._points = points_of("serve", stand.backend)
            dice.shuffle(self._points)
        point = self._points.pop()
        roles = {point.role, "serve"}
        places = [each for each in stand.places if each.role in roles] or stand.places
        place = dice.choice(places)
        await stand.kill(place)
        at = f"{point.name}:{dice.randint(1, point.passages)}"
        await stand.start(place, PROOF_POINT=at)
        assert place.bird is not None
        await asyncio.to_thread(place.bird.ended.wait, REACH_SECONDS)
        await stand.kill(place)
        await stand.revive(place)

    async def _freeze(self) -> None:
        """Longer than it takes to be thought dead: the others have its work meanwhile."""
        place = self._dice.choice(self._stand.places)
        bird = place.bird
        assert bird is not None
        bird.signal(SIGSTOP)
        await self._pause(6, 8)
        bird.signal(SIGCONT)

    async def _fill_disk(self) -> None:
        """For all processes at once; the limit of the system on a file stands in for the disk."""
        places = [place for place in self._stand.places if place.bird and place.bird.alive]
        for place in places:
            _limit(place, FULL)
        await self._pause(1, 3)
        for place in places:
            _limit(place, resource.RLIM_INFINITY)

    async def _jump(self) -> None:
        """The ledger's clock is wrong for a while, then right again."""
        clock = self._stand.folder / "clock"
        clock.write_text(str(self._dice.choice(JUMPS)))
        await self._pause(2, 4)
        clock.write_text("0")

    # --- partners -------------------------------------------------------------------------------

    def _partner(self, mode: Mode) -> Fault:
        async def fault() -> None:
            system = self._dice.choice(SYSTEMS)
            seconds = self._dice.uniform(1, 3)
            probability = 1.0 if mode is Mode.REFUSE else self._dice.choice((0.3, 1.0))
            await self._stand.fault(system, mode.value, seconds=seconds, probability=probability)
            await asyncio.sleep(seconds)

        return fault

    async def _garble(self) -> None:
        await self._stand.secured.set("garbled")
        await self._pause(1, 3)
        await self._stand.secured.set("cut")
        await self._stand.secured.set("open")

    async def _sick(self) -> None:
        """One partner hangs until all has arrived that others were sent in its first seconds."""
        stand = self._stand
        system = self._dice.choice([name for name in SYSTEMS if name != SECURED])
        await stand.fault(system, "hang")
        began, told = time.time(), len(stand.sender.sent)

        def witnessed() -> bool:
            sent = [each for each in stand.sender.sent[told:] if each.at < began + WATCH_SECONDS]
            others = [
                (endpoint, each.message_id)
                for each in sent
                for endpoint in each.endpoints
                if endpoint != system and each.message_id
            ]
            came = {
                (name, arrival["message_id"])
                for name, book in stand.books.items()
                for arrival in book.refresh().arrivals[-10_000:]
            }
            return time.time() > began + WATCH_SECONDS and came.issuperset(others)

        while not witnessed() and time.time() - began < SICK_SECONDS:
            await asyncio.sleep(0.2)
        stand.history.tell("sick", systems=[system], **{"from": began, "to": time.time()})
        await stand.fault(system, "ok")

    # --- broker and database --------------------------------------------------------------------

    async def _over(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        await asyncio.to_thread(begin)
        try:
            await self._pause(1, 5)
        finally:
            await asyncio.to_thread(end)

    async def _wire(self, mode: WireMode) -> None:
        await self._stand.wire.set(mode)
        await self._pause(2, 6)
        await self._stand.wire.set("open")

    async def _terminate(self) -> None:
        await end_sessions(self._stand)

    async def _pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self._dice.uniform(least, most))


def _limit(place: Place, size: int) -> None:
    """RLIMIT_FSIZE of a running process (prlimit(2)); its writes fail with EFBIG beyond it."""
    with suppress(ProcessLookupError):
        assert place.bird is not None
        resource.prlimit(place.bird.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def end_sessions(stand: Stand) -> None:
    """As a failover does: every session of PostgreSQL ends, whatever it was doing."""
    url = (stand.database_url or "").replace("postgresql+asyncpg", "postgresql")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
