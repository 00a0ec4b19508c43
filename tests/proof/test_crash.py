"""Proof: processes die, the broker and the database go away, and nothing happens to a message.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.load import keys_for, play
from tests.proof.scene import SPLIT, Scene, scene
from tests.waiting import wait_until

SEED = 20260302
MESSAGES = 5_000
PER_KEY = 5
RESUME_SECONDS = 10.0
SETTLE_SECONDS = 40.0


class Faults:
    """Breaks parts of a running scene in a random order, one after the other, under load."""

    def __init__(self, stage: Scene, dice: random.Random) -> None:
        self.scene = stage
        self.dice = dice
        self.resumed: list[tuple[str, float]] = []  # fault, seconds until every receiver got more

    async def happen(self, name: str, fault: Callable[[], None]) -> None:
        await self._flows(self.dice.uniform(0.2, 1.0))
        await self.over(name, fault)

    async def over(self, name: str, end: Callable[[], None]) -> None:
        """`end` ends the fault; everything has to resume by itself."""
        await asyncio.to_thread(end)
        began = time.monotonic()
        before = self.scene.arrived()
        await wait_until(
            lambda: all(count > before[k] for k, count in self.scene.arrived().items()),
            RESUME_SECONDS,
            what=f"new receipts at every receiver after: {name}",
        )
        self.resumed.append((name, time.monotonic() - began))

    def kill(self, *names: str) -> None:
        """Kill -9 all of them at once, then start them again."""
        victims = [each for each in self.scene.stage.bus if each.name in names]
        assert len(victims) == len(names), f"no such processes: {names}"
        for each in victims:
            assert each.alive, f"{each.name} had ended by itself, see {each.log}"
            each.kill()
        for each in victims:
            each.start()

    async def _flows(self, seconds: float) -> None:
        """The fault comes at a random moment of a load that flows."""
        end = time.monotonic() + seconds
        before = sum(self.scene.arrived().values())
        await wait_until(
            lambda: time.monotonic() > end and sum(self.scene.arrived().values()) > before,
            RESUME_SECONDS,
            what="a flow before the next fault",
        )


async def under_load(
    stage: Scene, faults: Callable[[], Awaitable[None]], *, messages: int, rate: float
) -> None:
    """A load of at least so many messages, that flows as long as the faults go on."""
    over = asyncio.Event()

    async def all_faults() -> None:
        await faults()
        over.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(all_faults())
        await play(
            stage.sender,
            keys_for(stage.targets),
            per_key=PER_KEY,
            at_once=64,
            rate=rate,
            go_on=lambda: not over.is_set() or len(stage.sender.sent) < messages,
        )


async def verdict_of(stage: Scene, faults: Faults, *, messages: int) -> None:
    began = time.monotonic()
    verdict = await stage.settle(SETTLE_SECONDS)
    repeats = sum(book.repeats for book in stage.books.values())
    print(
        f"\n{len(stage.sender.sent)} messages, settled {time.monotonic() - began:.1f} s after the"
    )
    print(f"load, {repeats} repeats at receivers, answers {dict(stage.sender.answers)}; {verdict}")
    for name, seconds in faults.resumed:
        print(f"  {name}: resumed after {seconds:.1f} s")
    assert verdict.clean, str(verdict)
    assert len(stage.sender.sent) >= messages


@pytest.mark.crash
@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(240)
async def test_kills_and_restarts_under_load_lose_double_and_reorder_nothing(
    tmp_path: Path, rabbitmq: RabbitMQ, postgres: PostgreSQL, postgres_url: str
) -> None:
    rabbitmq.start()
    async with scene(
        tmp_path, roles=SPLIT, database_url=postgres_url, broker_url=rabbitmq.url
    ) as stage:
        dice = random.Random(SEED)
        faults = Faults(stage, dice)
        gateway, dispatcher, one, two = (each.name for each in stage.stage.bus)

        def broker_crash() -> None:
            rabbitmq.kill()
            rabbitmq.start()

        def database_crash() -> None:
            postgres.kill()
            postgres.start()

        plan: list[tuple[str, Callable[[], None]]] = [
            ("kill -9 gateway", lambda: faults.kill(gateway)),
            ("kill -9 dispatcher", lambda: faults.kill(dispatcher)),
            ("kill -9 a worker", lambda: faults.kill(one)),
            ("kill -9 both workers", lambda: faults.kill(one, two)),
            ("kill -9 every process", lambda: faults.kill(gateway, dispatcher, one, two)),
            ("RabbitMQ killed and started", broker_crash),
            ("PostgreSQL restarted", postgres.restart),
            ("PostgreSQL killed and started", database_crash),
        ]
        dice.shuffle(plan)

        async def all_faults() -> None:
            await _accepted_while_down(stage, rabbitmq)
            await faults.over("RabbitMQ stopped and started", rabbitmq.start_app)
            for name, fault in plan:
                await faults.happen(name, fault)

        await under_load(stage, all_faults, messages=MESSAGES, rate=250)
        await verdict_of(stage, faults, messages=MESSAGES)


@pytest.mark.crash
@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(180)
async def test_an_emptied_rabbitmq_is_filled_again_from_the_ledger(
    tmp_path: Path, rabbitmq: RabbitMQ, postgres_url: str
) -> None:
    """Work lies in its queues while every worker is away; then it forgets all it ever knew."""
    rabbitmq.start()
    async with scene(
        tmp_path, roles=SPLIT, database_url=postgres_url, broker_url=rabbitmq.url
    ) as stage:
        workers = [each for each in stage.stage.bus if each.name.startswith("worker")]
        for each in workers:
            await asyncio.to_thread(each.stop)
        for key in itertools.islice(keys_for(stage.targets), 30):
            await stage.sender.send(key, 0)
        _: int = await wait_until(partial(_in_queues, rabbitmq), 30, what="work in the queues")
        for command in ("stop_app", "reset"):
            await asyncio.to_thread(rabbitmq.ctl, command)
        await asyncio.to_thread(rabbitmq.start_app)
        assert sum(stage.arrived().values()) == 0, "nothing had left before"
        for each in workers:
            await asyncio.to_thread(each.start)
        verdict = await stage.settle(SETTLE_SECONDS)
        assert verdict.clean, str(verdict)


async def _in_queues(broker: RabbitMQ) -> int:
    listed = await asyncio.to_thread(broker.ctl, "list_queues", "messages", "--silent")
    return sum(int(line) for line in listed.split() if line.isdigit())


async def _accepted_while_down(stage: Scene, broker: RabbitMQ) -> None:
    """Invariant 1: receipts are given while RabbitMQ serves nobody."""
    await wait_until(lambda: sum(stage.arrived().values()) > 100, what="a flow")
    await asyncio.to_thread(broker.stop_app)
    told = len(stage.sender.sent)
    await wait_until(
        lambda: len(stage.sender.sent) > told + 200, what="receipts while RabbitMQ is down"
    )


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_the_embedded_bus_survives_its_kills(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        faults = Faults(stage, random.Random(SEED))

        async def all_faults() -> None:
            for number in range(3):
                await faults.happen(f"kill -9 serve ({number + 1})", lambda: faults.kill("serve-1"))

        await under_load(stage, all_faults, messages=1_000, rate=250)
        await verdict_of(stage, faults, messages=1_000)
