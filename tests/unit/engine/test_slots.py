"""Places of one endpoint: never more in use than there are, urgent first, none lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from bus.engine.slots import Slots
from schemas.message import Lane

N, U = Lane.NORMAL, Lane.URGENT


async def turn() -> None:
    """Let everything that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def ask(slots: Slots, lane: Lane, wanted: int = 1) -> asyncio.Task[int]:
    task = asyncio.create_task(slots.acquire(wanted, lane))
    await turn()
    return task


async def free(slots: Slots) -> int:
    """How many places can be had now; they are given back."""
    task = await ask(slots, U, 1_000)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return 0
    slots.release(task.result())
    return task.result()


@pytest.mark.parametrize(("wanted", "got"), [(1, 1), (3, 3), (5, 3)])
async def test_as_many_as_are_free(wanted: int, got: int) -> None:
    assert await Slots(3).acquire(wanted, N) == got


async def test_a_place_is_taken_at_once_only_when_nobody_waits_for_it() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    waiting = await ask(slots, N)
    slots.release(2)
    await turn()
    assert waiting.result() == 1
    assert slots.take()
    slots.resize(0)
    await ask(slots, N)
    slots.resize(10)
    assert await free(slots) == 7


async def test_never_more_than_there_are_under_load() -> None:
    slots, chance, in_use, most, done = Slots(4), random.Random(1), 0, 0, 0

    async def work(lane: Lane) -> None:
        nonlocal in_use, most, done
        got = await slots.acquire(chance.randint(1, 6), lane)
        in_use += got
        most = max(most, in_use)
        for _ in range(chance.randint(0, 4)):
            await asyncio.sleep(0)
        in_use -= got
        slots.release(got)
        done += 1

    async with asyncio.timeout(20):
        await asyncio.gather(*(work(chance.choice((N, U))) for _ in range(500)))
    assert (most, done, await free(slots)) == (4, 500, 4)


async def test_urgent_gets_the_next_place_and_equals_go_in_order() -> None:
    slots = Slots(1)
    await slots.acquire(1, N)
    waiting = {name: await ask(slots, lane) for name, lane in (("n1", N), ("n2", N), ("u1", U))}
    waiting["u2"] = await ask(slots, U)
    served: list[str] = []
    while len(served) < len(waiting):
        slots.release()
        await turn()
        (new,) = [name for name, task in waiting.items() if task.done() and name not in served]
        served.append(new)
    assert served == ["u1", "u2", "n1", "n2"]


@pytest.mark.parametrize("waiter", [N, U])
async def test_nobody_takes_the_place_of_one_already_called(waiter: Lane) -> None:
    """The place is free and its taker called; a normal one asks before the taker has run."""
    slots = Slots(1)
    await slots.acquire(1, N)
    called = asyncio.create_task(slots.acquire(1, waiter))
    await turn()
    slots.release()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):  # in this task: runs before the one called
            await slots.acquire(1, N)
    assert called.done()


async def test_more_places_wake_those_who_wait() -> None:
    slots = Slots(1)
    await slots.acquire(1, N)
    waiting = [await ask(slots, N) for _ in range(3)]
    slots.resize(3)
    await turn()
    assert [task.done() for task in waiting] == [True, True, False]
    slots.release()
    await turn()
    assert waiting[2].done()


async def test_fewer_places_hold_as_soon_as_enough_are_back() -> None:
    slots = Slots(3)
    await slots.acquire(3, N)
    slots.resize(1)
    waiting = await ask(slots, U)
    for still_waits in (True, True, False):
        slots.release()
        await turn()
        assert waiting.done() is not still_waits
    assert await free(slots) == 0


@pytest.mark.parametrize("lane", [N, U])
async def test_cancelling_while_waiting_loses_no_place(lane: Lane) -> None:
    slots = Slots(1)
    await slots.acquire(1, N)
    first, second = await ask(slots, lane), await ask(slots, N)
    first.cancel()
    await turn()
    slots.release()
    await turn()
    assert first.cancelled()
    assert second.done()


@pytest.mark.parametrize("lane", [N, U])
async def test_cancelling_one_just_called_hands_its_place_on(lane: Lane) -> None:
    slots = Slots(1)
    await slots.acquire(1, N)
    first, second = await ask(slots, lane), await ask(slots, N)
    slots.release()
    first.cancel()  # called, but has not run
    await turn()
    assert first.cancelled()
    assert second.result() == 1
    slots.release()
    assert await free(slots) == 1


async def test_a_storm_of_cancellations_leaks_nothing() -> None:
    slots, chance = Slots(3), random.Random(2)

    async def work() -> None:
        got = await slots.acquire(chance.randint(1, 3), chance.choice((N, U)))
        try:
            await asyncio.sleep(0)
        finally:
            slots.release(got)

    tasks = [asyncio.create_task(work()) for _ in range(300)]
    while not all(task.done() for task in tasks):
        chance.choice(tasks).cancel()
        await asyncio.sleep(0)
    assert any(task.cancelled() for task in tasks)
    assert await free(slots) == 3
