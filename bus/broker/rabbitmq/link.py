"""One supervised AMQP connection, and the deadline that every call to the library gets.

The library's own robust connections are not used: they reconnect and declare out of sight, and
what is in doubt after a break has to be in sight here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
from aio_pika import Connection
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import AMQPChannelError, ChannelInvalidStateError
from yarl import URL

from bus.broker.rabbitmq.pulse import feel_pulse
from schemas.errors import BrokerUnavailable

log = structlog.get_logger(__name__)

_closing: set[asyncio.Future[None]] = set()

T = TypeVar("T")
Setup = Callable[[Connection], Awaitable[None]]

CONNECT = 5.0  # seconds for the whole handshake
CALL = 5.0  # seconds for one question to the broker
CLOSE = 3.0  # seconds to say goodbye
AT_ONCE = 0.2  # seconds to say it to the dead
HEARTBEAT = 2
"""Seconds. The broker gives us up after two to three of them, and gives our work to others: as soon
as we count as lost for them (membership.LOST_SECONDS). We give it up sooner, see pulse.py."""
RETRY = (0.2, 0.8)  # seconds between attempts, spread so that processes do not come all at once


async def settle(call: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of a library call within a deadline, with errors that mean one thing each.

    Raises AMQPChannelError when the broker refused, BrokerUnavailable for everything else.  The
    library ends calls on a dying connection with CancelledError; because the call runs in a task
    of its own, that never looks like this task being cancelled.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(_retrieve)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        finished = task.done()
        task.cancel()
    if not finished:
        raise BrokerUnavailable(f"no answer within {seconds:.1f} s")
    if task.cancelled():
        raise BrokerUnavailable("the connection was lost")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, AMQPChannelError):
        raise error
    raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Asyncio reports errors that nobody looked at; a call given up on has nobody."""
    if not task.cancelled():
        task.exception()


async def open_channel(connection: Connection, *, confirms: bool = False) -> AbstractChannel:
    """With `confirms`, what is published is confirmed, and PublishError says: routed nowhere."""
    channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
    await settle(channel.initialize(), CALL)
    return channel


@asynccontextmanager
async def throwaway(connection: Connection) -> AsyncIterator[AbstractChannel]:
    """A channel for questions whose wrong answer closes the channel (404, 406)."""
    channel = await open_channel(connection)
    try:
        yield channel
    finally:
        await close_channel(channel)


async def close_channel(channel: AbstractChannel) -> None:
    """Close a channel, without waiting longer than CLOSE for the answer.

    Closing is never cancelled: the library would say Channel.Close twice, and the second answer
    sets free a number that may be in use again (504, second channel.open: the connection is lost).
    """
    task = asyncio.ensure_future(channel.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    task.add_done_callback(_retrieve)
    await asyncio.wait({task}, timeout=CLOSE)


class Link:
    """Keeps one connection open: connects in the background, again and again, for ever.

    `setup` runs on every new connection before anybody else gets it.
    """

    def __init__(self, url: str, name: str, setup: Setup) -> None:
        self._url = URL(url)
        if "heartbeat" not in self._url.query:
            self._url = self._url.update_query(heartbeat=HEARTBEAT)
        self._name = name
        self._setup = setup
        self._connection: Connection | None = None
        self._blocked = False
        self._up = asyncio.Event()
        self._told: bool | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"rabbitmq {self._name}")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    @property
    def current(self) -> Connection | None:
        """The open connection, or None while there is none, or the broker blocks it: short of
        memory or disk, it reads nothing of those who publish.
        """
        connection = self._connection
        usable = connection is not None and connection.connected.is_set() and not self._blocked
        return connection if usable else None

    async def connection(self) -> Connection:
        """The open connection, as soon as there is one."""
        while (connection := self.current) is None:
            await self._up.wait()
            await asyncio.sleep(0)
        return connection

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._open()
            except Exception as error:  # noqa: BLE001 - no failure may end the supervision
                self._tell(up=False, reason=str(error))
            else:
                await self._hold(connection)
            await asyncio.sleep(random.uniform(*RETRY))  # noqa: S311 - jitter, not a secret

    async def _open(self) -> Connection:
        connection = Connection(self._url, client_properties={"connection_name": self._name})
        try:
            await settle(connection.connect(), CONNECT)
            await self._setup(connection)
        except BaseException:
            await _part(connection)
            raise
        return connection

    async def _hold(self, connection: Connection) -> None:
        """Lend the connection out until it breaks.

        `closed()` would not do: the library completes it only when we close.
        """
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        if not connection.connected.is_set():
            lost.set()
        self._connection = connection
        self._up.set()
        self._tell(up=True)
        pulse = asyncio.create_task(self._feel_pulse(connection))
        pulse.add_done_callback(_retrieve)
        pulse.add_done_callback(lambda _: lost.set())
        try:
            await lost.wait()
        finally:
            self._up.clear()
            self._connection = None
            self._blocked = False
            await _part(connection, within=AT_ONCE if pulse.done() else CLOSE)
            pulse.cancel()
        self._tell(up=False, reason="the connection was lost")

    async def _feel_pulse(self, connection: Connection) -> None:
        """Returns when the connection is dead, however long it would go on looking open."""
        with suppress(BrokerUnavailable, AMQPChannelError, ChannelInvalidStateError):
            channel = await open_channel(connection)
            await feel_pulse(await channel.get_underlay_channel(), self._block)

    def _block(self, blocked: bool) -> None:
        self._blocked = blocked
        if blocked:
            self._up.clear()
            self._tell(up=False, reason="short of memory or disk, it takes nothing")
        else:
            self._up.set()
            self._tell(up=True)

    def _tell(self, *, up: bool, reason: str = "") -> None:
        """Log changes only: an outage is two lines, however long it lasts."""
        if up == self._told:
            return
        self._told = up
        if up:
            log.info("rabbitmq connected", link=self._name)
        else:
            log.warning("rabbitmq unreachable, retrying", link=self._name, reason=reason)


async def _part(connection: Connection, *, within: float = CLOSE) -> None:
    with suppress(BrokerUnavailable, AMQPChannelError):
        await settle(connection.close(), within)


class Outlet:
    """An exchange on a channel of its own, opened again when either has gone."""

    def __init__(
        self, link: Link, exchange: str, *, confirms: bool = False, prepare: Setup | None = None
    ) -> None:
        """`prepare` runs before a channel is opened."""
        self._link = link
        self._name = exchange
        self._confirms = confirms
        self._prepare = prepare
        self._connection: Connection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = asyncio.Lock()

    async def exchange(self) -> AbstractExchange:
        """Raises BrokerUnavailable, or what `prepare` raises."""
        connection = self._link.current
        if connection is None:
            raise BrokerUnavailable("not connected")
        async with self._opening:
            if self._usable(connection) and self._exchange is not None:
                return self._exchange
            if self._prepare is not None:
                await self._prepare(connection)
            self._channel = await open_channel(connection, confirms=self._confirms)
            self._exchange = await self._channel.get_exchange(self._name, ensure=False)
            self._connection = connection
            return self._exchange

    def forget(self) -> None:
        """Prepare and open anew next time."""
        self._exchange = None

    def _usable(self, connection: Connection) -> bool:
        channel = self._channel
        return channel is not None and not channel.is_closed and connection is self._connection
