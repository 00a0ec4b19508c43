"""The broker contract: one body, every backend."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from bus.broker import Event, Work, create
from schemas.errors import ConfigurationError
from schemas.message import Lane
from tests.contract.broker_harness import (
    DEADLINE,
    TRACE,
    Harness,
    Recorder,
    until_depth,
    work,
    works,
)
from tests.waiting import wait_until


@pytest.fixture
async def harness(broker_url: str) -> AsyncIterator[Harness]:
    harness = Harness(broker_url)
    yield harness
    await harness.end()


async def test_what_is_published_arrives_once_and_unchanged(harness: Harness) -> None:
    broker = await harness.open()
    sent = [
        Work(harness.endpoint(f"e{i % 3}"), random.choice(list(Lane)), (2 * i, 2 * i + 1), TRACE)
        for i in range(300)
    ]
    recorder = Recorder()
    await broker.ensure(["e0", "e1", "e2"])
    for endpoint in ("e0", "e1", "e2"):
        await broker.consume(endpoint, recorder, prefetch=10)
    assert await broker.publish(sent, deadline=DEADLINE) == []
    await recorder.finished(range(600))
    assert sorted(recorder.done, key=lambda w: w.ids) == sent
    for endpoint in ("e0", "e1", "e2"):
        assert await broker.depth(endpoint, Lane.NORMAL) == 0


async def test_publishing_from_many_tasks_at_once(harness: Harness) -> None:
    broker = await harness.open()
    endpoint = harness.endpoint()
    batches = [[work(endpoint, 100 * b + i) for i in range(100)] for b in range(10)]
    left = await asyncio.gather(*(broker.publish(b, deadline=DEADLINE) for b in batches))
    assert left == [[]] * 10
    recorder = Recorder()
    await broker.consume(endpoint, recorder, prefetch=50)
    await recorder.finished(range(1000))
    assert set(recorder.ids.values()) == {1}


async def test_nothing_to_publish(harness: Harness) -> None:
    broker = await harness.open()
    assert await broker.publish([], deadline=DEADLINE) == []


async def test_before_start_nothing_is_confirmed_and_nothing_raises(harness: Harness) -> None:
    broker = create(harness.url, prefix=harness.prefix)
    batch = works(harness.endpoint(), 3)
    assert not broker.connected
    assert await broker.publish(batch, deadline=DEADLINE) == batch
    assert await broker.depth("endpoint", Lane.NORMAL) is None
    await broker.ensure(["endpoint"])
    broker.emit([Event("delivery.delivered", b"{}")])
    await broker.close()
    await harness.open()


async def test_work_comes_back_when_the_handler_raises(harness: Harness) -> None:
    class FailsAtFirst(Recorder):
        async def before(self, item: Work) -> None:
            if self.started[item.ids[0]] == 1:
                raise RuntimeError("not this time")

    broker = await harness.open()
    recorder = FailsAtFirst()
    await broker.consume(harness.endpoint(), recorder, prefetch=10)
    await broker.publish(works("endpoint", 20), deadline=DEADLINE)
    await recorder.finished(range(20))
    assert all(recorder.started[i] == 2 for i in range(20))
    assert set(recorder.ids.values()) == {1}


async def test_nothing_is_lost_when_handlers_fail_at_random(harness: Harness) -> None:
    class FailsOften(Recorder):
        async def before(self, item: Work) -> None:  # noqa: ARG002 - every work alike
            await asyncio.sleep(random.random() / 100)
            if random.random() < 0.3:
                raise random.choice([RuntimeError, TimeoutError, OSError])

    broker = await harness.open()
    recorder = FailsOften()
    await broker.consume(harness.endpoint(), recorder, prefetch=50)
    sent = works("endpoint", 200) + [work("endpoint", i, lane=Lane.URGENT) for i in range(200, 250)]
    assert await broker.publish(sent, deadline=DEADLINE) == []
    await recorder.finished(range(250))
    assert set(recorder.ids.values()) == {1}


async def test_a_cancelled_error_from_inside_the_handler_is_a_failure(harness: Harness) -> None:
    """A library that ends a call with CancelledError must not end the consumer."""

    class EndedFromInside(Recorder):
        async def before(self, item: Work) -> None:
            if self.started[item.ids[0]] == 1:
                raise asyncio.CancelledError

    broker = await harness.open()
    recorder = EndedFromInside()
    await broker.consume(harness.endpoint(), recorder, prefetch=1)
    await broker.publish(works("endpoint", 3), deadline=DEADLINE)
    await recorder.finished(range(3))


async def test_no_more_in_hand_than_prefetch(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.ensure([harness.endpoint()])
    await broker.publish(works("endpoint", 20), deadline=DEADLINE)
    await broker.consume("endpoint", recorder, prefetch=3)
    await wait_until(lambda: recorder.in_hand == 3, what="three works in hand")

    await until_depth(broker, "endpoint", 17, what="the other 17 to stay in the queue")
    recorder.gate.set()
    await recorder.finished(range(20))
    assert recorder.most_in_hand == 3


async def test_urgent_work_passes_a_backlog_of_normal_work(harness: Harness) -> None:
    broker = await harness.open()
    blocked = asyncio.Event()

    class NormalIsStuck(Recorder):
        async def before(self, item: Work) -> None:
            if item.lane is Lane.NORMAL:
                await blocked.wait()

    recorder = NormalIsStuck()
    await broker.publish(works(harness.endpoint(), 50), deadline=DEADLINE)
    await broker.consume("endpoint", recorder, prefetch=2)
    await wait_until(lambda: recorder.in_hand == 2, what="normal work to fill its places")
    urgent = [work("endpoint", i, lane=Lane.URGENT) for i in range(100, 110)]
    await broker.publish(urgent, deadline=DEADLINE)
    await recorder.finished(range(100, 110))
    assert {w.lane for w in recorder.done} == {Lane.URGENT}
    blocked.set()
    await recorder.finished(range(50))


async def test_work_for_an_endpoint_nobody_declared_waits_for_its_consumer(
    harness: Harness,
) -> None:
    broker = await harness.open()
    assert await broker.publish(works(harness.endpoint("new"), 5), deadline=DEADLINE) == []

    await until_depth(broker, "new", 5, what="five works in a queue of their own")
    recorder = Recorder()
    await broker.consume("new", recorder, prefetch=10)
    await recorder.finished(range(5))


async def test_depth_counts_each_lane(harness: Harness) -> None:
    broker = await harness.open()
    assert await broker.depth("never seen", Lane.NORMAL) == 0
    await broker.ensure([harness.endpoint()])
    await broker.publish(
        works("endpoint", 4) + works("endpoint", 3, Lane.URGENT), deadline=DEADLINE
    )

    await until_depth(broker, "endpoint", 4, what="four normal works")
    assert await broker.depth("endpoint", Lane.URGENT) == 3
    await broker.close()
    assert await broker.depth("endpoint", Lane.NORMAL) is None


@pytest.mark.parametrize(
    "name",
    [
        "H53.01.02",
        "a.b",
        "a*",
        "#",
        "*.b",
        "a~b+c%20",
        "Sở TTTT / văn thư",
        "x" * 300,
        "ữ" * 200,
        " ",
    ],
)
async def test_any_endpoint_name_has_queues_of_its_own(harness: Harness, name: str) -> None:
    broker = await harness.open()
    mine, others = Recorder(), Recorder()
    other_names = ["a", "b", "x" * 299, "ữ" * 199]
    await broker.ensure([harness.endpoint(n) for n in [name, *other_names]])
    await broker.consume(name, mine, prefetch=5)
    for other in other_names:
        await broker.consume(other, others, prefetch=5)
    await broker.publish(works(name, 5), deadline=DEADLINE)
    await broker.publish([work(n, 7) for n in other_names], deadline=DEADLINE)
    await mine.finished(range(5))
    await wait_until(lambda: len(others.done) == 4, what="one work for each other endpoint")
    assert {w.endpoint for w in mine.done} == {name}
    assert sorted(w.endpoint for w in others.done) == sorted(other_names)


async def test_close_lets_handlers_finish(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish(works("endpoint", 3), deadline=DEADLINE)
    await wait_until(lambda: recorder.in_hand == 3, what="three works in hand")
    closing = asyncio.create_task(broker.close(grace=10))
    finished, _ = await asyncio.wait({closing}, timeout=0.2)
    assert not finished, "close did not wait for the handlers"
    recorder.gate.set()
    await closing
    assert recorder.ids.keys() == {0, 1, 2}
    broker = await harness.open()
    assert await broker.depth("endpoint", Lane.NORMAL) == 0


@pytest.mark.parametrize("grace", [0, 0.3])
async def test_close_gives_back_what_does_not_finish(harness: Harness, grace: float) -> None:
    broker = await harness.open()
    stuck = Recorder()
    stuck.gate.clear()
    await broker.ensure([harness.endpoint()])  # nothing is still on its way to a new queue
    await broker.publish(works("endpoint", 10), deadline=DEADLINE)
    await broker.consume("endpoint", stuck, prefetch=4)
    await wait_until(lambda: stuck.in_hand == 4, what="four works in hand")
    await broker.close(grace=grace)
    assert stuck.in_hand == 0, "a handler was left running"
    assert stuck.done == []
    broker = await harness.open()
    recorder = Recorder()
    await broker.consume("endpoint", recorder, prefetch=4)
    await recorder.finished(range(10))
    assert set(recorder.ids.values()) == {1}


async def test_stop_consuming_stops_one_endpoint(harness: Harness) -> None:
    broker = await harness.open()
    paused, running = Recorder(), Recorder()
    await broker.consume(harness.endpoint("paused"), paused, prefetch=5)
    await broker.consume(harness.endpoint("running"), running, prefetch=5)
    await broker.publish([work("paused", 1), work("running", 1)], deadline=DEADLINE)
    await paused.finished([1])
    await running.finished([1])
    await broker.stop_consuming("paused")
    await broker.stop_consuming("never consumed")
    await broker.publish([work("paused", 2), work("running", 2)], deadline=DEADLINE)
    await running.finished([2])

    await until_depth(broker, "paused", 1, what="the work of the stopped endpoint to wait")
    assert paused.ids.keys() == {1}
    await broker.consume("paused", paused, prefetch=5)
    await paused.finished([2])


async def test_stopping_gives_back_at_once_what_is_in_hand(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.consume(harness.endpoint(), recorder, prefetch=5)
    await broker.publish(works("endpoint", 5), deadline=DEADLINE)
    await wait_until(lambda: recorder.in_hand == 5, what="five works in hand")
    await broker.stop_consuming("endpoint", grace=0)

    await until_depth(broker, "endpoint", 5, what="the five works back in the queue")


async def test_an_endpoint_has_one_consumer_per_broker(harness: Harness) -> None:
    broker = await harness.open()
    await broker.consume(harness.endpoint(), Recorder(), prefetch=1)
    with pytest.raises(ValueError, match="already"):
        await broker.consume("endpoint", Recorder(), prefetch=1)


async def test_remove_deletes_what_waits_and_the_endpoint_can_come_back(harness: Harness) -> None:
    broker = await harness.open()
    recorder = Recorder()
    recorder.gate.clear()
    await broker.ensure([harness.endpoint()])
    await broker.publish(works("endpoint", 5), deadline=DEADLINE)
    await broker.remove("endpoint")
    await broker.remove("endpoint")
    assert await broker.depth("endpoint", Lane.NORMAL) == 0
    assert broker.connected
    recorder.gate.set()
    await broker.publish([work("endpoint", 9)], deadline=DEADLINE)
    await broker.consume("endpoint", recorder, prefetch=5)
    await recorder.finished([9])
    assert recorder.ids.keys() == {9}


async def test_consuming_may_begin_before_the_broker_starts(harness: Harness) -> None:
    broker = await harness.open()
    await broker.publish(works(harness.endpoint(), 3), deadline=DEADLINE)
    await broker.close()
    recorder = Recorder()
    reopened = await harness.open(start=False)
    await reopened.consume("endpoint", recorder, prefetch=5)
    await reopened.start()
    await recorder.finished(range(3))


async def test_starting_and_closing_twice(harness: Harness) -> None:
    broker = await harness.open()
    await broker.start()
    await broker.close()
    await broker.close()
    assert not broker.connected


async def test_emitting_never_fails(harness: Harness) -> None:
    broker = await harness.open()
    broker.emit([Event("delivery.delivered", b"{}")] * 100)
    assert broker.events_dropped == 0


@pytest.mark.parametrize("url", ["redis://h", "amqp:", "http://secret@h", ""])
def test_an_unknown_broker_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create(url, prefix="lgsp")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "a.b", "amq", "x" * 41, "a b", "é"])
def test_a_prefix_that_could_mix_names_up_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError):
        create("amqp://127.0.0.1/", prefix=prefix)
