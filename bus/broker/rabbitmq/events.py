"""Events to subscribers: sent by a task of its own, so that no commit ever waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiormq import spec
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPChannelError

from bus.broker.port import Event
from bus.broker.rabbitmq.link import CALL, CLOSE, Link, settle
from bus.broker.rabbitmq.wire import TRANSIENT
from bus.broker.topology import Topology
from schemas.errors import BrokerUnavailable

WAITING = 10_000  # events; beyond it new ones are dropped
AT_ONCE = 200


class Emitter:
    """Keeps up to WAITING events, sends them unconfirmed, counts what it drops."""

    def __init__(self, link: Link, topology: Topology) -> None:
        self._link = link
        self._exchange = topology.events.name
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
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
        channel = await self._open_channel()
        for event in events:
            await channel.basic_publish(
                event.body,
                exchange=self._exchange,
                routing_key=event.routing_key,
                properties=spec.Basic.Properties(
                    content_type="application/cloudevents-batch+json", delivery_mode=TRANSIENT
                ),
            )

    async def _open_channel(self) -> AbstractChannel:
        connection = self._link.current
        if connection is None:
            raise BrokerUnavailable("not connected")
        channel = self._channel
        if channel is None or channel.is_closed or connection is not self._connection:
            channel = await settle(connection.channel(publisher_confirms=False), CALL)
            self._connection, self._channel = connection, channel
        return channel
