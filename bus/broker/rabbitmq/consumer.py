"""Consuming one endpoint: a channel of its own, manual acknowledgement, always back by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity

from bus.broker.handling import finish, handled
from bus.broker.port import Handler
from bus.broker.rabbitmq.declare import SETTLING
from bus.broker.rabbitmq.link import CALL, CLOSE, Link, close_channel, open_channel, settle
from bus.broker.rabbitmq.wire import decode
from bus.broker.topology import Queue
from schemas.errors import BrokerUnavailable

log = structlog.get_logger(__name__)

Declare = Callable[[Connection], Awaitable[None]]
Take = Callable[[AbstractIncomingMessage], Coroutine[Any, Any, None]]

PAUSE = 0.5  # seconds between attempts to consume on a connection that is open
RENEW = 60.0  # seconds, more or less, after which an idle session is replaced: see declare.SETTLING


class Consumer:
    """Keeps a session on `queues` going; the places for work in hand outlive sessions.

    Work that is in hand when a connection breaks is finished, not acknowledged, and comes again:
    handlers tolerate repeats.
    """

    def __init__(
        self,
        link: Link,
        queues: Sequence[Queue],
        declare: Declare,
        handler: Handler,
        *,
        prefetch: int,
    ) -> None:
        self._link = link
        self._queues = queues
        self._declare = declare
        self._handler = handler
        self._prefetch = prefetch
        self._places = {queue.name: asyncio.Semaphore(prefetch) for queue in queues}
        self._in_hand: set[asyncio.Task[bool]] = set()
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"consume {self._queues[0].name}")

    async def stop(self, *, grace: float) -> None:
        """Take nothing new, let handlers finish, then close the channel: the rest goes back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._session is not None:
            await self._session.pause()
        await finish(self._in_hand, grace=grace)
        if self._session is not None:
            await self._session.close()

    async def _run(self) -> None:
        declared = False
        while True:
            connection = await self._link.connection()
            try:
                if not declared:
                    await self._declare(connection)
                    declared = True
                await self._consume(connection)
            except ChannelNotFoundEntity:
                declared = False
                await asyncio.sleep(SETTLING)
            except Exception as error:  # noqa: BLE001 - nothing may end consuming but stop()
                declared = False
                await asyncio.sleep(PAUSE)
                if connection is self._link.current:  # otherwise the link has said so, once
                    name = self._queues[0].name
                    log.warning("not consuming, retrying", queue=name, reason=str(error))

    async def _consume(self, connection: Connection) -> None:
        """One session, until its channel closes, a queue of it is deleted or it has idled."""
        channel = await open_channel(connection)
        session = self._session = Session(channel)
        try:
            await settle(channel.set_qos(prefetch_count=self._prefetch), CALL)
            for queue in self._queues:
                await session.subscribe(queue.name, self._taker(session, queue))
            while not await session.ended(within=RENEW * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
                if not self._in_hand:
                    break
        except (BrokerUnavailable, AMQPChannelError):
            await session.close()
            raise
        await session.close()
        if session.broken:
            raise ChannelNotFoundEntity("the queue was deleted")

    def _taker(self, session: Session, queue: Queue) -> Take:
        async def take(message: AbstractIncomingMessage) -> None:
            """Handle in a task of ours: the library cancels its own when the channel dies."""
            task = asyncio.create_task(self._handle(session, message, self._places[queue.name]))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)

        return take

    async def _handle(
        self, session: Session, message: AbstractIncomingMessage, place: asyncio.Semaphore
    ) -> bool:
        try:
            work = decode(message)
        except ValueError:
            log.warning("dropped a message that is not work", routing_key=message.routing_key)
            await session.answer(message, done=True)
            return True
        async with place:
            if not session.open:  # it comes again; handling it now would only do it twice
                return False
            done = await handled(self._handler, work)
            await session.answer(message, done=done)
        return done


class Session:
    """One channel, and the order of what is said on it.

    An acknowledgement that reaches the broker after Channel.Close makes it close the whole
    connection (504, expected channel.open), so answers and closing go through one lock.
    """

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._speaking = asyncio.Lock()
        self._said_close = False
        self._consuming: list[tuple[AbstractQueue, str]] = []
        self._broken = asyncio.Event()

    @property
    def open(self) -> bool:
        return not self._said_close and not self._channel.is_closed

    @property
    def broken(self) -> bool:
        return self._broken.is_set()

    async def subscribe(self, queue: str, take: Take) -> None:
        if not self._consuming:
            # aio-pika itself does not tell when the broker cancels a consumer
            underlay = await self._channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        source = await self._channel.get_queue(queue, ensure=False)
        self._consuming.append((source, await settle(source.consume(take), CALL)))

    async def ended(self, *, within: float) -> bool:
        """Whether the channel becomes useless in time: closed, a queue deleted, an answer stuck."""
        broken = asyncio.create_task(self._broken.wait())
        closed = asyncio.ensure_future(self._channel.closed())
        useless: set[asyncio.Future[Any]] = {closed, broken}
        try:
            done, _ = await asyncio.wait(
                useless, timeout=within, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for waiting in useless:
                waiting.cancel()
        return bool(done)

    async def pause(self) -> None:
        """Ask for nothing more; what was delivered can still be answered."""
        with suppress(BrokerUnavailable, AMQPChannelError):
            for queue, tag in self._consuming:
                await settle(queue.cancel(tag), CLOSE)

    async def answer(self, message: AbstractIncomingMessage, *, done: bool) -> None:
        """Acknowledge or give back.  If that fails the channel is gone and the work comes again."""
        async with self._speaking:
            if not self.open:
                return
            try:
                await settle(message.ack() if done else message.nack(requeue=True), CALL)
            except (BrokerUnavailable, AMQPChannelError):
                self._broken.set()

    async def close(self) -> None:
        async with self._speaking:
            self._said_close = True
        await close_channel(self._channel)

    def _on_cancel(self, _: object) -> None:
        self._broken.set()
