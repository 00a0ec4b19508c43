"""What the bus declares on RabbitMQ, and where work goes that finds no queue."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import aiormq
import pytest
from structlog.testing import capture_logs

from bus.broker import Event, Work, create
from bus.broker.rabbitmq.declare import declare_base
from bus.broker.rabbitmq.link import Link
from bus.broker.rabbitmq.publisher import Publisher
from bus.broker.topology import Topology
from deploy.services import RabbitMQ
from schemas.message import Lane
from tests.contract.broker_harness import TRACE, Harness, Recorder, work, works
from tests.waiting import wait_until

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
async def harness(rabbitmq: RabbitMQ) -> AsyncIterator[Harness]:
    await asyncio.to_thread(rabbitmq.start)
    harness = Harness(rabbitmq.url)
    yield harness
    await harness.end()


@pytest.fixture
async def channel(harness: Harness) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    """An operator's own view of the broker."""
    async with aiormq.connect(harness.url) as connection:
        yield await connection.channel()


async def listed(rabbitmq: RabbitMQ, what: str, *columns: str) -> list[dict[str, Any]]:
    text = await asyncio.to_thread(rabbitmq.ctl, what, *columns, "--formatter=json")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


async def until_ready(channel: aiormq.abc.AbstractChannel, queue: str, count: int) -> None:
    async def reached() -> bool:
        return (await channel.queue_declare(queue, passive=True)).message_count == count

    condition: Callable[[], bool | Awaitable[bool]] = reached
    await wait_until(condition, what=f"{count} messages in {queue}")


async def test_every_queue_is_quorum_bounded_and_consumed(
    harness: Harness, rabbitmq: RabbitMQ
) -> None:
    broker = await harness.open()
    recorder = Recorder()
    for name in ("a", "b"):
        await broker.consume(harness.endpoint(name), recorder, prefetch=7)
    await broker.publish([work("a", 1), work("b", 2)], deadline=5)
    await recorder.finished([1, 2])
    rows = await listed(
        rabbitmq, "list_queues", "name", "type", "durable", "auto_delete", "arguments"
    )
    mine = {r["name"]: r for r in rows if r["name"].startswith(f"{harness.prefix}.")}
    lanes = {f"{harness.prefix}.{lane}.{name}" for lane in Lane for name in "ab"}
    assert set(mine) == lanes | {f"{harness.prefix}.unrouted"}
    for row in mine.values():
        assert (row["type"], row["durable"], row["auto_delete"]) == ("quorum", True, False)
    consumers = await listed(rabbitmq, "list_consumers", "queue_name")
    assert Counter(r["queue_name"] for r in consumers if r["queue_name"] in mine) == Counter(
        [*mine]
    )
    for name in lanes:
        assert str(harness.prefix) + ".unrouted" in str(mine[name]["arguments"])
        assert "x-max-priority" not in str(mine[name]["arguments"])


async def test_exchanges_and_their_alternate(harness: Harness, rabbitmq: RabbitMQ) -> None:
    await harness.open()
    rows = await listed(rabbitmq, "list_exchanges", "name", "type", "durable", "arguments")
    mine = {r["name"].removeprefix(f"{harness.prefix}."): r for r in rows}
    assert mine["deliveries"]["type"] == mine["events"]["type"] == "topic"
    assert all(mine[name]["durable"] for name in ("deliveries", "events", "unrouted"))
    assert f"{harness.prefix}.unrouted" in str(mine["deliveries"]["arguments"])


async def test_publishing_and_consuming_have_connections_of_their_own(
    harness: Harness, rabbitmq: RabbitMQ
) -> None:
    broker = await harness.open()
    recorder = Recorder()
    for name in ("a", "b", "c"):
        await broker.consume(harness.endpoint(name), recorder, prefetch=7)
        await broker.publish([work(name, 1)], deadline=5)
    await wait_until(lambda: len(recorder.done) == 3, what="all three endpoints consumed")
    rows = await listed(rabbitmq, "list_connections", "client_properties", "pid")
    mine = [r for r in rows if harness.prefix in str(r["client_properties"])]
    assert len(mine) == 2
    rows = await listed(
        rabbitmq, "list_channels", "connection", "consumer_count", "prefetch_count",
        "global_prefetch_count", "confirm",
    )  # fmt: skip
    channels = [r for r in rows if r["connection"] in {m["pid"] for m in mine}]
    consuming = [r for r in channels if r["consumer_count"]]
    assert sorted(r["consumer_count"] for r in consuming) == [1, 2, 2, 2], "one channel each"
    assert all(r["global_prefetch_count"] == 0 for r in channels)
    assert [r["consumer_count"] for r in channels if r["confirm"]] == [0]


async def test_work_of_a_deleted_queue_is_sent_on(
    harness: Harness, channel: aiormq.abc.AbstractChannel
) -> None:
    broker = await harness.open()
    queue = Topology(harness.prefix).queue(harness.endpoint(), Lane.NORMAL).name
    await broker.ensure(["endpoint"])
    await broker.publish(works("endpoint", 1), deadline=5)
    await channel.queue_delete(queue)
    assert await broker.publish(works("endpoint", 30), deadline=5) == []
    recorder = Recorder()
    await broker.consume("endpoint", recorder, prefetch=50)
    await recorder.finished(range(30))
    assert set(recorder.ids.values()) == {1}


async def test_what_even_the_catch_all_misses_is_returned_and_published_once_more(
    harness: Harness, channel: aiormq.abc.AbstractChannel
) -> None:
    """A publisher alone, as nobody here consumes (and so repairs) the catch-all queue."""
    topology = Topology(harness.prefix)
    link = Link(harness.url, "test", partial(declare_base, topology=topology))
    publisher = Publisher(link, topology)
    link.start()
    await link.connection()
    assert await publisher.publish(works(harness.endpoint(), 1), deadline=5) == []
    await channel.queue_delete(topology.unrouted_queue.name)
    with capture_logs() as logs:
        assert await publisher.publish(works("endpoint", 3), deadline=5) == []
    assert [entry["works"] for entry in logs if "catch-all" in entry["event"]] == [3]
    await until_ready(channel, topology.unrouted_queue.name, 3)
    await link.close()


async def test_work_that_fails_again_and_again_is_never_dropped(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the delivery limit it goes through the catch-all and to the end of its queue."""
    monkeypatch.setattr("bus.broker.handling.REQUEUE_PAUSE", 0.001)

    class Poison(Recorder):
        async def before(self, item: Work) -> None:
            if item.ids == (0,) and self.started[0] < 50:
                raise RuntimeError("still ill")

    broker = await harness.open()
    recorder = Poison()
    await broker.consume(harness.endpoint(), recorder, prefetch=10)
    with capture_logs() as logs:
        await broker.publish(works("endpoint", 10), deadline=5)
        await recorder.finished(range(10))
    assert recorder.started[0] == 50
    assert all(recorder.ids[i] == 1 for i in range(10))
    assert [e for e in logs if e["event"] == "sending unrouted work on"], (
        "the limit was not reached"
    )


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b"\xff", b'{"endpoint":"e","lane":"x"}'])
async def test_a_foreign_message_ends_nothing(
    harness: Harness, channel: aiormq.abc.AbstractChannel, body: bytes
) -> None:
    broker = await harness.open()
    recorder = Recorder()
    topology = Topology(harness.prefix)
    await broker.ensure([harness.endpoint()])
    for key in ("normal.endpoint", "nowhere"):
        await channel.basic_publish(body, exchange=topology.deliveries.name, routing_key=key)
    await broker.publish([work("endpoint", 1)], deadline=5)
    await broker.consume("endpoint", recorder, prefetch=1)
    await recorder.finished([1])
    await until_ready(channel, topology.queue("endpoint", Lane.NORMAL).name, 0)
    await until_ready(channel, topology.unrouted_queue.name, 0)


async def test_a_queue_with_other_arguments_disturbs_only_its_endpoint(
    harness: Harness, channel: aiormq.abc.AbstractChannel
) -> None:
    broker = await harness.open()
    name = Topology(harness.prefix).queue(harness.endpoint("odd"), Lane.URGENT).name
    await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
    recorder = Recorder()
    with capture_logs() as logs:
        await broker.ensure(["odd", harness.endpoint("even")])
        await broker.consume("odd", recorder, prefetch=5)
        await broker.consume("even", recorder, prefetch=5)
        assert await broker.publish(works("even", 5), deadline=5) == []
        await recorder.finished(range(5))
    assert [e["endpoint"] for e in logs if e["event"] == "queues not declared"] == ["odd"]
    assert broker.connected
    await channel.queue_delete(name)  # the operator follows the advice
    await broker.publish([work("odd", 9)], deadline=5)
    await recorder.finished([9])


async def test_removing_does_not_cost_the_connection(harness: Harness) -> None:
    """With if-unused or if-empty RabbitMQ answers 540 for the whole connection."""
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume(harness.endpoint("stays"), recorder, prefetch=5)
    await broker.consume(harness.endpoint("goes"), recorder, prefetch=5)
    with capture_logs() as logs:
        await broker.remove("goes")
        await broker.publish([work("stays", 1)], deadline=5)
        await recorder.finished([1])
    assert not [e for e in logs if "unreachable" in e["event"]]


async def test_two_processes_share_the_work_and_other_prefixes_see_none_of_it(
    harness: Harness,
) -> None:
    stranger_harness = Harness(harness.url)
    stranger = await stranger_harness.open()
    one, two = await harness.open(), await harness.open()
    first, second, strange = Recorder(), Recorder(), Recorder()
    await one.consume(harness.endpoint(), first, prefetch=5)
    await two.consume("endpoint", second, prefetch=5)
    await stranger.consume(stranger_harness.endpoint(), strange, prefetch=5)
    first.gate.clear()
    second.gate.clear()
    left = works("endpoint", 100)
    while left:  # what meets a queue that is just being made comes back, and is published again
        left = await one.publish(left, deadline=5)
    await wait_until(
        lambda: first.in_hand == second.in_hand == 5,
        what=lambda: f"both to be busy: {first.in_hand}, {second.in_hand}",
    )
    first.gate.set()
    second.gate.set()
    await wait_until(
        lambda: (first.ids + second.ids).keys() == set(range(100)),
        what=lambda: f"all 100 works: {first.ids}, {second.ids}",
    )
    assert set((first.ids + second.ids).values()) == {1}
    assert strange.done == []
    await stranger_harness.end()


async def test_the_message_can_be_read_by_people_and_carries_the_trace(
    harness: Harness, channel: aiormq.abc.AbstractChannel
) -> None:
    broker = await harness.open()
    await broker.ensure([harness.endpoint()])
    await broker.publish([Work("endpoint", Lane.URGENT, (1, 2, 3), TRACE)], deadline=5)
    queue = Topology(harness.prefix).queue("endpoint", Lane.URGENT).name
    await until_ready(channel, queue, 1)
    message = await channel.basic_get(queue, no_ack=True)
    assert message.body == b'{"endpoint":"endpoint","lane":"urgent","ids":[1,2,3]}'
    properties = message.header.properties
    assert (properties.headers or {})["traceparent"] == TRACE
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"


async def test_events_reach_subscribers_by_topic(
    harness: Harness, channel: aiormq.abc.AbstractChannel
) -> None:
    broker = await harness.open()
    queue = f"{harness.prefix}.subscriber"
    await channel.queue_declare(queue, exclusive=True)
    await channel.queue_bind(queue, Topology(harness.prefix).events.name, "delivery.*")
    events = [Event("delivery.delivered", b'{"n":%d}' % i) for i in range(500)]
    broker.emit([Event("agency.changed", b"{}"), *events])
    await until_ready(channel, queue, 500)
    first = await channel.basic_get(queue, no_ack=True)
    assert (first.body, first.routing_key) == (b'{"n":0}', "delivery.delivered")
    assert first.header.properties.content_type == "application/cloudevents-batch+json"
    broker.emit(events)
    await broker.close()
    await until_ready(channel, queue, 999)
    assert broker.events_dropped == 0


async def test_wrong_credentials_are_a_broker_that_is_down_and_stay_secret(
    harness: Harness,
) -> None:
    url = harness.url.replace("guest:guest", "guest:s3cr3t-password")
    broker = create(url, prefix=harness.prefix)
    with capture_logs() as logs:
        await broker.start()
        await wait_until(lambda: len(logs) == 2, what="both connections to be refused")
        assert await broker.publish(works("endpoint", 1), deadline=1) != []
    assert "refused" in logs[0]["reason"].lower()
    assert "s3cr3t" not in str(logs) + repr(broker)
    await broker.close()
    await harness.open()
