"""Events to subscribers: sent by a task of its own, so that no commit ever waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import AMQPChannelError

from bus.broker.port import Event
from bus.broker.rabbitmq.link import CALL, CLOSE, Link, Outlet, settle
from bus.broker.topology import Topology
from schemas.errors import BrokerUnavailable

WAITING = 10_000  # events; beyond it new ones are dropped
AT_ONCE = 200


class Emitter:
    """Keeps up to WAITING events, sends them unconfirmed, counts what it drops."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._outlet = Outlet(link, topology.events.name)
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None
        self._unsent = 0
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="rabbitmq events")

    async def stop(self) -> None:
        """Send what is waiting if the broker takes it in time, then end."""
        if self._link.current is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE):
                    await self._waiting.join()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self.dropped += self._unsent
        self._unsent = 0
        self._waiting = asyncio.Queue(WAITING)

    def offer(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._link.current is None or self._waiting.full():
                self.dropped += 1
            else:
                self._waiting.put_nowait(event)
                self._unsent += 1

    async def _run(self) -> None:
        while True:
            events = [await self._waiting.get()]
            while len(events) < AT_ONCE and not self._waiting.empty():
                events.append(self._waiting.get_nowait())
            await self._send(events)
            for _ in events:
                self._waiting.task_done()

    async def _send(self, events: Sequence[Event]) -> None:
        try:
            await settle(self._publish(events), CALL)
        except (BrokerUnavailable, AMQPChannelError):
            self.dropped += len(events)
        self._unsent -= len(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        exchange = await self._outlet.exchange()
        for event in events:
            message = Message(
                event.body,
                content_type="application/cloudevents-batch+json",
                delivery_mode=DeliveryMode.NOT_PERSISTENT,
            )
            await exchange.publish(message, event.routing_key, mandatory=False)
