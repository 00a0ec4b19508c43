"""Proof: processes die, the broker and the database go away, and nothing happens to a message.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
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
        await self._more_arrives(self.dice.uniform(0.2, 1.0))
        await asyncio.to_thread(fault)
        began = time.monotonic()
        before = self.scene.arrived()
        await wait_until(
            lambda: all(count > before[k] for k, count in self.scene.arrived().items()),
            RESUME_SECONDS,
            what=f"new receipts at every receiver after: {name}",
        )
        self.resumed.append((name, time.monotonic() - began))

    def kill(self, *names: str) -> None:
        """kill -9 all of them at once, then start them again."""
        victims = [each for each in self.scene.stage.bus if each.name in names]
        assert len(victims) == len(names), f"no such processes: {names}"
        for each in victims:
            assert each.alive, f"{each.name} had ended by itself, see {each.log}"
            each.kill()
        for each in victims:
            each.start()

    async def _more_arrives(self, seconds: float) -> None:
        """The fault comes at a random moment of a load that flows."""
        end = time.monotonic() + seconds
        before = sum(self.scene.arrived().values())
        await wait_until(
            lambda: time.monotonic() > end and sum(self.scene.arrived().values()) > before,
            RESUME_SECONDS,
            what="a flow before the next fault",
        )


async def accepts_while_down(stage: Scene, broker: RabbitMQ) -> None:
    """Receipts are given while RabbitMQ serves nobody."""
    await asyncio.to_thread(broker.stop_app)
    told = len(stage.sender.sent)
    await wait_until(
        lambda: len(stage.sender.sent) > told + 50, what="receipts while RabbitMQ is down"
    )
    await asyncio.to_thread(broker.start_app)


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
        faults = Faults(stage, random.Random(SEED))
        load = asyncio.create_task(_load(stage, lambda: over or _few(stage)))
        over = False
        try:
            for name, fault in _plan(faults, rabbitmq, postgres):
                await faults.happen(name, fault)
            await accepts_while_down(stage, rabbitmq)
            await faults.happen("RabbitMQ was stopped", lambda: None)
        finally:
            over = True
        await load
        verdict = await stage.settle(SETTLE_SECONDS)
        _report(stage, faults)
        assert verdict.clean, str(verdict)
        assert len(stage.sender.sent) >= MESSAGES
