"""Proof: the broker holds nothing that the ledger does not hold.

Invariants 1 (accepted means durable), 2 (nothing is lost). What else may die is in test_points.py
and test_proof.py.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from pathlib import Path

import aiormq
import pytest

from deploy.services import RabbitMQ
from tests.proof.load import keys_for
from tests.proof.scene import SPLIT, scene
from tests.waiting import wait_until

SETTLE_SECONDS = 120.0


@pytest.mark.crash
@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.parametrize("emptied", [True, False], ids=["reset", "definitions deleted"])
async def test_an_emptied_rabbitmq_is_filled_again_from_the_ledger(
    tmp_path: Path, rabbitmq: RabbitMQ, postgres_url: str, emptied: bool
) -> None:
    """Work lies in its queues while every worker is away; then it forgets all it ever knew, or
    somebody deletes queues and exchanges under the running bus. Receipts are given as ever.
    """
    rabbitmq.start()
    async with scene(
        tmp_path, roles=SPLIT, database_url=postgres_url, broker_url=rabbitmq.url
    ) as stage:
        workers = [each for each in stage.stage.bus if each.name.startswith("worker")]
        for each in workers:
            await asyncio.to_thread(each.stop)
        keys = iter(keys_for(stage.targets))
        for key in itertools.islice(keys, 30):
            await stage.sender.send(key, 0)
        _: int = await wait_until(partial(_in_queues, rabbitmq), 30, what="work in the queues")
        if emptied:
            await asyncio.to_thread(rabbitmq.stop_app)
        else:
            await _delete_definitions(rabbitmq, stage.stage.env["LGSP_BROKER_PREFIX"])
        for key in itertools.islice(keys, 10):
            await stage.sender.send(key, 0)
        if emptied:
            await asyncio.to_thread(rabbitmq.ctl, "reset")
            await asyncio.to_thread(rabbitmq.start_app)
        assert sum(stage.arrived().values()) == 0, "nothing had left before"
        for each in workers:
            await asyncio.to_thread(each.start)
        verdict = await stage.settle(SETTLE_SECONDS)
        assert verdict.clean, str(verdict)


async def _delete_definitions(broker: RabbitMQ, prefix: str) -> None:
    """All queues of the bus with what is in them, and all its exchanges."""
    names = await asyncio.to_thread(broker.ctl, "list_queues", "name", "--silent")
    async with aiormq.connect(broker.url) as connection:
        channel = await connection.channel()
        for name in names.split():
            if name.startswith(f"{prefix}."):
                await channel.queue_delete(name)
        for name in ("deliveries", "events", "unrouted"):
            await channel.exchange_delete(f"{prefix}.{name}")


async def _in_queues(broker: RabbitMQ) -> int:
    listed = await asyncio.to_thread(broker.ctl, "list_queues", "messages", "--silent")
    return sum(int(line) for line in listed.split() if line.isdigit())
