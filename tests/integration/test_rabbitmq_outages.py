"""RabbitMQ stops, freezes, drops connections or loses queues: everything resumes by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aio_pika
import aiormq
import pytest
from aio_pika.abc import AbstractIncomingMessage
from structlog.testing import capture_logs

from bus.broker import Broker, Event
from bus.broker.rabbitmq import RabbitBroker
from bus.broker.rabbitmq.consumer import Consumer, Session
from bus.broker.rabbitmq.quiet import LOGGERS
from bus.broker.topology import Topology
from deploy.services import RabbitMQ
from schemas.message import Lane
from tests.contract.broker_harness import Harness, Recorder, until_depth, work, works
from tests.waiting import wait_until

pytestmark = pytest.mark.rabbitmq

RESUME = 10.0  # seconds within which everything must run again


@pytest.fixture
async def harness(rabbitmq: RabbitMQ) -> AsyncIterator[Harness]:
    await asyncio.to_thread(rabbitmq.start)
    harness = Harness(rabbitmq.url)
    yield harness
    await asyncio.to_thread(rabbitmq.start)  # a failed test may have left it stopped or frozen
    await harness.end()


class Load:
    """Publishes one work after another, again until it is confirmed, as the dispatcher does."""

    def __init__(self, broker: Broker, endpoint: str) -> None:
        self._broker = broker
        self._endpoint = endpoint
        self._task = asyncio.create_task(self._run())
        self.confirmed: set[int] = set()
        self.refused = 0

    async def _run(self) -> None:
        first = 0
        while True:
            left = [work(self._endpoint, i) for i in range(first, first + 50)]
            while left:
                left = await self._broker.publish(left, deadline=1)
                self.refused += len(left)
                await asyncio.sleep(0.005)  # leaves the loop to the consumers
            self.confirmed.update(range(first, first + 50))
            first += 50

    async def more(self, count: int, deadline: float) -> None:
        goal = len(self.confirmed) + count
        await wait_until(
            lambda: len(self.confirmed) >= goal, deadline, lambda: f"{goal} confirmed works"
        )

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def test_a_restart_under_load_loses_nothing_and_needs_nobody(
    harness: Harness, rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    for name in LOGGERS:  # what earlier tests used up of the allowance
        logging.getLogger(name).filters.clear()
    caplog.set_level(logging.INFO)
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint(), recorder, prefetch=20)
    load = Load(broker, "endpoint")
    with capture_logs() as logs:
        for _ in range(2):
            await load.more(500, deadline=20)
            await asyncio.to_thread(rabbitmq.stop_app)
            await wait_until(lambda: not broker.connected, what="the connections to be gone")
            await wait_until(lambda: load.refused > 200, what="publishing to be refused meanwhile")
            load.refused = 0
            await asyncio.to_thread(rabbitmq.start_app)
            started = time.monotonic()
            await recorder.more(1, RESUME)
            await load.more(500, deadline=RESUME)
            assert time.monotonic() - started < RESUME
    await load.end()
    await recorder.finished(load.confirmed)
    down = [entry for entry in logs if "unreachable" in entry["event"]]
    assert len(down) == 4, "one line per connection and outage"
    library = Counter(r.msg for r in caplog.records if r.name.startswith("aiormq"))
    assert library, "the library's records are expected here"
    assert max(library.values()) == 1, "the library's records are sampled"
    asyncio_errors = [r for r in caplog.records if r.name == "asyncio" and r.levelname == "ERROR"]
    assert not asyncio_errors, "an error nobody looked at"


async def test_starting_while_rabbitmq_is_down(harness: Harness, rabbitmq: RabbitMQ) -> None:
    await asyncio.to_thread(rabbitmq.stop_app)
    broker = await harness.open(start=False)
    recorder = Recorder()
    batch = works(harness.endpoint(), 10)
    begin = time.monotonic()
    await broker.start()
    await broker.ensure(["endpoint"])
    await broker.consume("endpoint", recorder, prefetch=5)
    broker.emit([Event("delivery.delivered", b"{}")] * 3)
    assert await broker.publish(batch, deadline=5) == batch
    assert await broker.depth("endpoint", Lane.NORMAL) is None
    assert time.monotonic() - begin < 0.5, "nothing waits for a broker that is not there"
    assert not broker.connected
    assert broker.events_dropped == 3
    await asyncio.to_thread(rabbitmq.start_app)
    await wait_until(lambda: broker.connected, RESUME, "the connection")
    assert await broker.publish(batch, deadline=5) == []
    await recorder.finished(range(10), RESUME)


async def test_a_frozen_broker_never_holds_a_publisher_beyond_its_deadline(
    harness: Harness, rabbitmq: RabbitMQ
) -> None:
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint(), recorder, prefetch=20)
    await broker.publish(works("endpoint", 5), deadline=5)
    await recorder.finished(range(5))
    batch = [work("endpoint", i) for i in range(100, 400)]
    await asyncio.to_thread(rabbitmq.pause)
    try:
        begin = time.monotonic()
        assert await broker.publish(batch, deadline=1) == batch
        assert time.monotonic() - begin < 1.5
    finally:
        await asyncio.to_thread(rabbitmq.resume)
    begin = time.monotonic()
    await recorder.finished(range(100, 400), RESUME)  # late answers: they had arrived after all
    assert await broker.publish([work("endpoint", 1000)], deadline=5) == []
    await recorder.finished([1000], RESUME)
    assert time.monotonic() - begin < RESUME


async def test_a_freeze_longer_than_the_heartbeat(harness: Harness, rabbitmq: RabbitMQ) -> None:
    """The library ends calls in flight with CancelledError: nobody's task may be cancelled."""
    harness.url += "?heartbeat=1"  # the library then gives up after 6 s
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish(works("endpoint", 5), deadline=5)
    await wait_until(lambda: recorder.in_hand == 5, what="five works in hand")
    await asyncio.to_thread(rabbitmq.pause)
    try:
        batch = [work("endpoint", i) for i in range(100, 105)]
        publishing = asyncio.create_task(broker.publish(batch, deadline=30))
        await wait_until(lambda: not broker.connected, 20, "the heartbeat to be missed")
        assert await publishing == batch
        assert recorder.in_hand == 5, "handlers go on without the connection"
    finally:
        await asyncio.to_thread(rabbitmq.resume)
    begin = time.monotonic()
    recorder.gate.set()

    async def published() -> bool:
        return await broker.publish(batch, deadline=2) == []

    while not await published():
        assert time.monotonic() - begin < RESUME
        await asyncio.sleep(0.05)
    await recorder.finished([*range(5), *range(100, 105)], RESUME)
    assert recorder.most_in_hand <= 5, "repeats wait for their turn"


async def test_closing_while_the_broker_is_frozen(harness: Harness, rabbitmq: RabbitMQ) -> None:
    broker = await harness.open()
    await broker.consume(harness.endpoint(), Recorder(), prefetch=5)
    await broker.publish(works("endpoint", 5), deadline=5)
    await asyncio.to_thread(rabbitmq.pause)
    try:
        async with asyncio.timeout(15):
            await broker.close(grace=1)
    finally:
        await asyncio.to_thread(rabbitmq.resume)


def _are_new(broker: RabbitBroker, old: set[Any]) -> bool:
    """Back already, perhaps: rabbitmqctl takes longer to end than the bus to connect."""
    return broker.connected and old.isdisjoint(
        {broker._publishing.current, broker._consuming.current}
    )


def received_at_least(consumer: Consumer, count: int) -> bool:
    return len(consumer._in_hand) >= count


async def test_killed_connections_come_back(harness: Harness, rabbitmq: RabbitMQ) -> None:
    """What was in hand is finished but cannot be acknowledged any more: it comes again."""
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.consume(harness.endpoint(), recorder, prefetch=4)
    await broker.publish(works("endpoint", 12), deadline=5)
    await wait_until(lambda: recorder.in_hand == 4, what="four works in hand")
    assert isinstance(broker, RabbitBroker)
    consumer = broker._consumers["endpoint"]
    for received in (8, 12):  # those in hand, and as many from each new connection
        old = {broker._publishing.current, broker._consuming.current}
        await asyncio.to_thread(rabbitmq.ctl, "close_all_connections", "test")
        await wait_until(partial(_are_new, broker, old), RESUME, "new connections")
        await wait_until(
            partial(received_at_least, consumer, received), RESUME, "work on the new connection"
        )
    recorder.gate.set()
    await recorder.finished(range(12), RESUME)

    await until_depth(broker, "endpoint", 0, what="an empty queue")
    await wait_until(lambda: not consumer._in_hand, RESUME, "nothing left in hand")
    assert recorder.most_in_hand == 4
    assert sum(recorder.ids.values()) <= 16, "only what was in hand at the first kill is repeated"


async def test_queues_deleted_under_a_consumer_are_made_again(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish([work("endpoint", 1)], deadline=5)
    await recorder.finished([1])
    topology = Topology(harness.prefix)
    async with aiormq.connect(harness.url) as connection:
        channel = await connection.channel()
        for lane in Lane:
            await channel.queue_delete(topology.queue("endpoint", lane).name)
        await channel.queue_delete(topology.unrouted_queue.name)
    sent = [work("endpoint", i, lane=lane) for i, lane in enumerate([*Lane] * 5, start=10)]
    assert await broker.publish(sent, deadline=5) == []
    await recorder.finished(range(10, 20), RESUME)


async def test_losing_one_queue_does_not_cost_the_connection(harness: Harness) -> None:
    """The session ends with work of its other queue in hand, whose answers must stay unsaid."""
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.consume(harness.endpoint(), recorder, prefetch=50)
    await broker.publish(works("endpoint", 200), deadline=5)
    await wait_until(lambda: recorder.in_hand == 50, what="work in hand")
    assert isinstance(broker, RabbitBroker)
    session = broker._consumers["endpoint"]._session
    assert session is not None
    with capture_logs() as logs:
        async with aiormq.connect(harness.url) as connection:
            channel = await connection.channel()
            urgent = Topology(harness.prefix).queue("endpoint", Lane.URGENT)
            await channel.queue_delete(urgent.name)
        await wait_until(lambda: session._said_close, what="the session to be closing")
        recorder.gate.set()
        await recorder.finished(range(200), RESUME)
        await broker.publish([work("endpoint", 999, lane=Lane.URGENT)], deadline=5)
        await recorder.finished([999], RESUME)
    assert not [entry for entry in logs if "unreachable" in entry["event"]]


async def test_a_consumer_the_broker_forgot_is_replaced(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ 3.10: a queue deleted and back within 30 ms keeps its consumers, who get nothing."""
    monkeypatch.setattr("bus.broker.rabbitmq.consumer.RENEW", 2.0)
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish([work("endpoint", 1)], deadline=5)
    await recorder.finished([1])
    async with aiormq.connect(harness.url) as connection:
        channel = await connection.channel()
        queue = Topology(harness.prefix).queue("endpoint", Lane.NORMAL)
        await channel.queue_delete(queue.name)
        await channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        await channel.queue_bind(queue.name, queue.exchange, queue.routing_key)
    await broker.publish([work("endpoint", 2)], deadline=5)
    await recorder.finished([2], RESUME)


async def test_a_deleted_exchange_is_made_again(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish([work("endpoint", 1)], deadline=5)
    await recorder.finished([1])
    async with aiormq.connect(harness.url) as connection:
        channel = await connection.channel()
        await channel.exchange_delete(Topology(harness.prefix).deliveries.name)
    left = [work("endpoint", 2)]
    begin = time.monotonic()
    while left:
        left = await broker.publish(left, deadline=2)
        assert time.monotonic() - begin < RESUME
    await recorder.finished([2], RESUME)


async def test_nothing_is_acknowledged_on_a_channel_that_is_closing(harness: Harness) -> None:
    """An acknowledgement after Channel.Close makes RabbitMQ close the whole connection (504)."""
    broker = await harness.open()
    await broker.ensure([harness.endpoint()])
    await broker.publish(works("endpoint", 1000), deadline=5)
    received: list[AbstractIncomingMessage] = []

    async def take(message: AbstractIncomingMessage) -> None:
        received.append(message)

    async with await aio_pika.connect(harness.url) as connection:
        session = Session(await connection.channel(publisher_confirms=False))
        await session.subscribe(Topology(harness.prefix).queue("endpoint", Lane.NORMAL).name, take)
        await wait_until(lambda: len(received) == 1000, what="all messages")
        closing = asyncio.create_task(session.close())
        for message in received:
            await asyncio.sleep(0)  # closing takes several steps: answer between them
            await session.answer(message, done=True)
        await closing
        async with connection.channel():  # refused if the connection was lost
            pass


async def test_ending_one_consumer_under_load_leaves_the_others_alone(harness: Harness) -> None:
    broker = await harness.open()
    steady, flapping = Recorder(), Recorder()
    await broker.consume(harness.endpoint("steady"), steady, prefetch=50)
    await broker.publish(
        works("steady", 1000) + works(harness.endpoint("flapping"), 1000), deadline=10
    )
    with capture_logs() as logs:
        for _ in range(10):
            await broker.consume("flapping", flapping, prefetch=50)
            await flapping.more(20, RESUME)
            await broker.stop_consuming("flapping", grace=0)
        await broker.consume("flapping", flapping, prefetch=50)
        await flapping.finished(range(1000))
        await steady.finished(range(1000))
    assert not [entry for entry in logs if "unreachable" in entry["event"]]
    assert set(steady.ids.values()) == {1}
