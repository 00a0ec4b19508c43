"""Publishing: many messages in flight, each confirmed, all under one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum, auto
from functools import partial

import structlog
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import AMQPChannelError, PublishError

from bus.broker.port import Work
from bus.broker.rabbitmq.declare import SETTLING, declare_base
from bus.broker.rabbitmq.link import Link, Outlet, settle
from bus.broker.rabbitmq.wire import encode
from bus.broker.topology import Topology
from schemas.errors import BrokerUnavailable, ConfigurationError

log = structlog.get_logger(__name__)


class Fate(Enum):
    CONFIRMED = auto()
    RETURNED = auto()  # routed nowhere: not even the catch-all queue is there
    UNKNOWN = auto()  # refused, or no answer: it may have arrived


class Publisher:
    """One channel for all publishing."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._topology = topology
        self._outlet = Outlet(
            link,
            topology.deliveries.name,
            confirms=True,
            prepare=partial(declare_base, topology=topology),
        )

    async def publish(self, batch: Sequence[Work], *, deadline: float) -> list[Work]:
        """What was not confirmed within `deadline` seconds.

        What is returned as routed nowhere is published once more after declaring the topology.
        """
        until = asyncio.get_running_loop().time() + deadline
        fates = await self._attempt(batch, until)
        returned = [i for i, fate in enumerate(fates) if fate is Fate.RETURNED]
        if returned:
            log.warning("the catch-all queue was missing, declaring again", works=len(returned))
            self._outlet.forget()
            left = until - asyncio.get_running_loop().time()
            await asyncio.sleep(min(SETTLING, max(0.0, left)))
            again = await self._attempt([batch[i] for i in returned], until)
            for i, fate in zip(returned, again, strict=True):
                fates[i] = fate
        return [w for w, fate in zip(batch, fates, strict=True) if fate is not Fate.CONFIRMED]

    async def _attempt(self, batch: Sequence[Work], until: float) -> list[Fate]:
        loop = asyncio.get_running_loop()
        try:
            exchange = await settle(self._outlet.exchange(), until - loop.time())
        except (BrokerUnavailable, ConfigurationError, AMQPChannelError):
            return [Fate.UNKNOWN] * len(batch)
        tasks = [asyncio.create_task(self._send(exchange, work)) for work in batch]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=max(0.0, until - loop.time()))
        finally:
            for task in tasks:
                task.cancel()
        return [task.result() if _answered(task) else Fate.UNKNOWN for task in tasks]

    async def _send(self, exchange: AbstractExchange, work: Work) -> Fate:
        key = self._topology.routing_key(work.endpoint, work.lane)
        try:
            await exchange.publish(encode(work), key, mandatory=True)
        except PublishError:
            return Fate.RETURNED
        except Exception:  # noqa: BLE001 - however the library failed, nothing was confirmed
            return Fate.UNKNOWN
        return Fate.CONFIRMED


def _answered(task: asyncio.Task[Fate]) -> bool:
    return task.done() and not task.cancelled()
