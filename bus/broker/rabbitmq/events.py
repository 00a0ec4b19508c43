"""Events to subscribers: sent by a task of its own, so that no commit ever waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiormq import spec
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPChannelError

from bus.broker.port import Event
from bus.broker.rabbitmq.link import CALL, Link, settle
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
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="rabbitmq events")

    async def stop(self) -> None:
        """Send what is waiting if the broker takes it, then end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None
            while not self._waiting.empty() and self._link.current is not None:
                await self._send(self._take())
        self.dropped += self._waiting.qsize()
        self._waiting = asyncio.Queue(WAITING)

    def offer(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._link.current is None or self._waiting.full():
                self.dropped += 1
            else:
                self._waiting.put_nowait(event)

    async def _run(self) -> None:
        while True:
            first = await self._waiting.get()
            await self._send([first, *self._take()])

    def _take(self) -> list[Event]:
        count = min(self._waiting.qsize(), AT_ONCE)
        return [self._waiting.get_nowait() for _ in range(count)]

    async def _send(self, events: Sequence[Event]) -> None:
        try:
            await settle(self._publish(events), CALL)
        except (BrokerUnavailable, AMQPChannelError):
            self.dropped += len(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        channel = await self._open_channel()
        for event in events:
            await channel.basic_publish(
                event.body,
                exchange=self._exchange,
                routing_key=event.routing_key,
                properties=spec.Basic.Properties(
                    content_type="application/cloudevents+json", delivery_mode=TRANSIENT
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
