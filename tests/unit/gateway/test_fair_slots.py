"""Places are shared out between callers in turn, and none is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from bus.gateway.calling.fair_slots import WAITING, FairSlots
from schemas.errors import RateLimited


async def test_callers_take_turns() -> None:
    slots = FairSlots(1)
    await slots.acquire("a")
    order: list[str] = []

    async def one(caller: str) -> None:
        await slots.acquire(caller)
        order.append(caller)
        slots.release()

    waiting = []
    for caller in "aaabbc":
        waiting.append(asyncio.create_task(one(caller)))
        await asyncio.sleep(0)
    slots.release()
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c", "a", "b", "a"]


async def test_who_gives_up_gives_its_turn_away() -> None:
    slots = FairSlots(1)
    await slots.acquire("a")
    gone, next_ = (asyncio.create_task(slots.acquire(caller)) for caller in "bc")
    await asyncio.sleep(0)
    slots.release()  # b is called, and goes away in the same moment
    gone.cancel()
    await next_
    with pytest.raises(asyncio.CancelledError):
        await gone
    slots.release()
    await slots.acquire("d")


async def test_who_gives_up_while_waiting_is_passed_over() -> None:
    slots = FairSlots(1)
    await slots.acquire("a")
    gone = asyncio.create_task(slots.acquire("b"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    slots.release()
    await slots.acquire("c")


async def test_one_caller_cannot_queue_without_end() -> None:
    slots = FairSlots(1)
    await slots.acquire("a")
    waiting = [asyncio.create_task(slots.acquire("a")) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await slots.acquire("a")
    other = asyncio.create_task(slots.acquire("b"))
    for task in (*waiting, other):
        slots.release()
        await asyncio.sleep(0)
        del task
    await asyncio.gather(*waiting, other)


async def test_more_places_are_handed_over_at_once() -> None:
    slots = FairSlots(1)
    await slots.acquire("a")
    waiting = asyncio.create_task(slots.acquire("b"))
    await asyncio.sleep(0)
    slots.resize(2)
    await waiting
