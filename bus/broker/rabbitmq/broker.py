"""RabbitMQ behind the broker port."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial

import structlog
from aio_pika import Connection
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity

from bus.broker.port import GRACE, Event, Handler, Work
from bus.broker.rabbitmq.consumer import Consumer
from bus.broker.rabbitmq.declare import (
    SETTLING,
    declare_base,
    declare_endpoint,
    queues_missing,
)
from bus.broker.rabbitmq.events import Emitter
from bus.broker.rabbitmq.link import CALL, Link, settle, throwaway
from bus.broker.rabbitmq.publisher import Publisher
from bus.broker.rabbitmq.quiet import quieten
from bus.broker.topology import Topology
from schemas.errors import BrokerUnavailable, ConfigurationError
from schemas.message import Lane

log = structlog.get_logger(__name__)

DECLARING = 8  # endpoints declared at the same time; a new quorum queue takes the broker ~4 ms
UNROUTED_PREFETCH = 64

Refused = (BrokerUnavailable, ConfigurationError, AMQPChannelError)


class RabbitBroker:
    """Two connections, because the broker holds publishers back when memory or disk run short.

    One publishes; the other consumes and asks.  Queues of other endpoints than those consumed
    here are left alone, except `unrouted`, which every process empties (see topology.py).
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        quieten()
        self._started = False
        self._topology = Topology(prefix)
        base = partial(declare_base, topology=self._topology)
        self._publishing = Link(url, f"{prefix} publish", base)
        self._consuming = Link(url, f"{prefix} consume", base)
        self._publisher = Publisher(self._publishing, self._topology)
        self._emitter = Emitter(self._publishing, self._topology)
        self._consumers: dict[str, Consumer] = {}
        self._repairs: dict[str, asyncio.Task[None]] = {}
        self._unrouted = Consumer(
            self._consuming,
            [self._topology.unrouted_queue],
            base,
            self._forward,
            prefetch=UNROUTED_PREFETCH,
        )

    async def start(self) -> None:
        if self._started:
            return
        self._started = True
        self._publishing.start()
        self._consuming.start()
        self._emitter.start()
        self._unrouted.start()

    async def close(self, *, grace: float = GRACE) -> None:
        self._started = False
        consumers = [*self._consumers.values(), self._unrouted]
        self._consumers.clear()
        await asyncio.gather(*(consumer.stop(grace=grace) for consumer in consumers))
        for repair in self._repairs.values():
            repair.cancel()
        await self._emitter.stop()
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    @property
    def connected(self) -> bool:
        return self._publishing.current is not None and self._consuming.current is not None

    @property
    def events_dropped(self) -> int:
        return self._emitter.dropped

    async def ensure(self, endpoints: Collection[str]) -> None:
        places = asyncio.Semaphore(DECLARING)

        async def one(endpoint: str) -> None:
            async with places:
                connection = self._consuming.current
                if connection is None:
                    return
                try:
                    await declare_endpoint(connection, self._topology, endpoint)
                except Refused as error:
                    log.warning("queues not declared", endpoint=endpoint, reason=str(error))

        await asyncio.gather(*(one(endpoint) for endpoint in set(endpoints)))

    async def publish(self, batch: Sequence[Work], *, deadline: float) -> list[Work]:
        return await self._publisher.publish(batch, deadline=deadline)

    async def consume(self, endpoint: str, handler: Handler, *, prefetch: int) -> None:
        if endpoint in self._consumers:
            raise ValueError(f"{endpoint} is being consumed already")
        consumer = self._consumers[endpoint] = Consumer(
            self._consuming,
            [self._topology.queue(endpoint, lane) for lane in (Lane.URGENT, Lane.NORMAL)],
            partial(declare_endpoint, topology=self._topology, endpoint=endpoint),
            handler,
            prefetch=prefetch,
        )
        consumer.start()

    async def stop_consuming(self, endpoint: str, *, grace: float = GRACE) -> None:
        if consumer := self._consumers.pop(endpoint, None):
            await consumer.stop(grace=grace)

    async def depth(self, endpoint: str, lane: Lane) -> int | None:
        try:
            async with throwaway(self._current()) as channel:
                name = self._topology.queue(endpoint, lane).name
                queue = await settle(channel.declare_queue(name, passive=True), CALL)
                return queue.declaration_result.message_count
        except ChannelNotFoundEntity:
            return 0
        except Refused:
            return None

    async def remove(self, endpoint: str) -> None:
        await self.stop_consuming(endpoint)
        for lane in Lane:
            async with throwaway(self._current()) as channel:
                # never if-unused or if-empty: RabbitMQ closes the connection over them (540)
                await settle(channel.queue_delete(self._topology.queue(endpoint, lane).name), CALL)

    def emit(self, events: Sequence[Event]) -> None:
        self._emitter.offer(events)

    def _current(self) -> Connection:
        connection = self._consuming.current
        if connection is None:
            raise BrokerUnavailable("not connected")
        return connection

    async def _forward(self, work: Work) -> None:
        """Work that no queue took: make the queue, send it there.  Raises to try again later."""
        repair = self._repairs.get(work.endpoint)
        if repair is None:
            repair = asyncio.create_task(self._repair(work.endpoint))
            self._repairs[work.endpoint] = repair
            repair.add_done_callback(partial(self._repaired, work.endpoint))
        await asyncio.wait({repair})  # shared by all that wait, so never cancelled by one of them
        repair.result()
        if await self._publisher.publish([work], deadline=CALL):
            raise BrokerUnavailable("not confirmed")

    async def _repair(self, endpoint: str) -> None:
        """Make the queues of an endpoint whose work was unrouted or failed too often."""
        if await queues_missing(self._current(), self._topology, endpoint):
            await asyncio.sleep(SETTLING)
        await declare_endpoint(self._current(), self._topology, endpoint)
        log.info("sending unrouted work on", endpoint=endpoint)

    def _repaired(self, endpoint: str, repair: asyncio.Task[None]) -> None:
        self._repairs.pop(endpoint)
        if not repair.cancelled():
            repair.exception()  # seen here too: those who waited may be gone
