"""One proof: traffic and faults on a stand, then the judge's verdict on what was said and got."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.breaking import Faults
from tests.proof.judge import Verdict, digests, judge_folder, missing
from tests.proof.load import Key, play
from tests.proof.nest import Nest
from tests.proof.points import Backend
from tests.proof.stand import AGENCIES, AXIS, Stand
from tests.proof.traffic import keys

PER_KEY = 5
LARGE = 120 * 1024 * 1024  # bytes of the file of a large document, whose packet has 160 MiB
LARGE_HOME, LARGE_TO = "he-1", "he-3"


@dataclass(frozen=True)
class Plan:
    """Ends when both are reached: so many messages told, so many seconds passed."""

    messages: int
    seconds: float = 0.0
    seed: int = 1
    rate: float = 150.0  # messages a second on average, all systems together
    at_once: int = 256  # keys under way at most
    gap: float = 2.0  # seconds between two faults, about; 0: there are none
    faults: tuple[str, ...] = ()  # names of those to draw from; otherwise all
    points: bool = False  # a process dies at a named point after each fault
    settle_seconds: float = 180.0  # for the rest to arrive after the last fault
    large: int = 0  # large documents among the traffic
    trespasses: int = 5


@dataclass
class Services:
    """Of the backend RabbitMQ + PostgreSQL; a fresh database."""

    rabbitmq: RabbitMQ | None = None
    postgres: PostgreSQL | None = None
    database_url: str | None = None


Progress = Callable[[int, int], None]  # messages told, messages arrived


async def prove(
    folder: Path,
    backend: Backend,
    plan: Plan,
    nest: Nest,
    services: Services | None = None,
    *,
    bug: str = "",
    progress: Progress = lambda _told, _arrived: None,
) -> dict[str, Any]:
    """Carry the plan out and return the verdict as JSON shows it."""
    services = services or Services()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stand").mkdir()
    clock = folder / "stand" / "clock"
    clock.write_text("0")
    extra = {"PROOF_CLOCK": str(clock)} | ({"PROOF_BUG": bug} if bug else {})
    async with Stand(
        folder / "stand",
        nest,
        backend,
        services.rabbitmq,
        services.postgres,
        services.database_url,
        extra,
    ) as stand:
        run = _Run(stand, plan)
        await run.under_faults(progress)
        settled = await run.settle(progress)
        stand.read_axis()
    verdict = judge_folder(stand.histories)
    return run.report(verdict, settled) | {"histories": digests(stand.histories)}


class _Run:
    def __init__(self, stand: Stand, plan: Plan) -> None:
        self._stand = stand
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._faults = Faults(stand, self._dice, plan.faults, points=plan.points)
        self._began = time.monotonic()
        self._faults_over = asyncio.Event()

    @property
    def told(self) -> int:
        return len(self._stand.sender.sent)

    def _enough(self) -> bool:
        passed = time.monotonic() - self._began
        return self.told >= self._plan.messages and passed >= self._plan.seconds

    async def under_faults(self, progress: Progress) -> None:
        """Traffic flows as long as faults go on, and as long as the plan wants."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._break())
            load = group.create_task(self._load())
            others = [group.create_task(self._others()), group.create_task(self._show(progress))]
            await load
            for task in others:
                task.cancel()

    async def _break(self) -> None:
        if self._plan.gap:
            await self._faults.go_on(self._plan.gap, self._enough)
        self._faults_over.set()

    async def _load(self) -> None:
        plan, sender = self._plan, self._stand.sender
        for number in range(plan.large):
            to = AGENCIES[LARGE_TO]
            key = Key(
                f"lon-{plan.seed}-{number}",
                "document",
                (to,),
                (LARGE_TO,),
                AGENCIES[LARGE_HOME],
                LARGE_HOME,
                LARGE,
            )
            await sender.send(key, 0)
        await play(
            sender,
            keys(plan.seed),
            per_key=PER_KEY,
            at_once=plan.at_once,
            rate=plan.rate,
            go_on=lambda: not (self._faults_over.is_set() and self._enough()),
        )

    async def _others(self) -> None:
        """The other province sends by way of the axis, and somebody tries what is not his."""
        trespasses = 0
        while True:
            self._stand.put()
            if trespasses < self._plan.trespasses:
                trespasses += 1
                await self._stand.trespass(trespasses)
            await asyncio.sleep(self._dice.uniform(0.2, 0.6))

    async def _show(self, progress: Progress) -> None:
        while True:
            progress(self.told, self._arrived())
            await asyncio.sleep(1)

    def _arrived(self) -> int:
        return sum(len(book.refresh().arrivals) for book in self._stand.books.values())

    async def settle(self, progress: Progress) -> float | None:
        """Seconds until all had arrived, nobody helping; None: not in time."""
        stand, began = self._stand, time.monotonic()
        while missing(stand.sender.sent, stand.books | {AXIS: stand.read_axis()}):
            progress(self.told, self._arrived())
            if time.monotonic() - began > self._plan.settle_seconds:
                return None
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    def report(self, verdict: Verdict, settled: float | None) -> dict[str, Any]:
        books = self._stand.books.values()
        return {
            "clean": verdict.clean,
            "backend": self._stand.backend,
            "processes": [place.role for place in self._stand.places],
            "seed": self._plan.seed,
            "messages": self.told,
            "deliveries_judged": verdict.expected,
            **{name: len(found) for name, found in verdict.faults.items()},
            "examples": {name: found[:5] for name, found in verdict.faults.items() if found},
            "repeats_at_receivers": sum(book.repeats for book in books),
            "answers": dict(self._stand.sender.answers),
            "faults": dict(sorted(self._faults.happened.items())),
            "points_hit": dict(sorted(Counter(self._stand.points_hit()).items())),
            "settled_seconds": settled and round(settled, 1),
            "seconds": round(time.monotonic() - self._began, 1),
        }
