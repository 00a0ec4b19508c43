"""Proof: a sick partner hurts nobody else and loses nothing (invariant 5)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.proof.load import keys_for, play
from tests.proof.scene import Scene, scene
from tests.waiting import wait_until

SICK = "so-xay-dung"
QUICK = {
    "config": {"connect_seconds": 0.5, "answer_seconds": 0.5},
    "breaker": {"failures": 5, "distinct": 3, "probe_every": 0.5},
    "retry": {"first": 0.3, "soft_cap": 1.0},
}
DURING = 300  # what each healthy endpoint must get while the sick one is open


@pytest.mark.parametrize("mode", ["500", "hang", "refuse", "garbage"])
async def test_a_sick_partner_hurts_nobody_else(tmp_path: Path, mode: str) -> None:
    async with scene(tmp_path, endpoint_options=QUICK) as stage:
        healthy = [name for name in stage.books if name != SICK]
        over = asyncio.Event()

        async def sickness() -> None:
            await wait_until(lambda: stage.arrived()[SICK] > 20, what="a healthy beginning")
            await _fall_sick(stage, mode)
            await _breaker_is(stage, "open")
            before = stage.arrived()
            await wait_until(
                lambda: all(stage.arrived()[name] >= before[name] + DURING for name in healthy),
                30,
                what="traffic of the others while the breaker is open",
            )
            assert await stage.breaker(SICK) == "open", "it closed while the partner was sick"
            shown = await asyncio.to_thread(_as_the_operator_sees_it, stage)
            assert shown["breaker"] == "open"
            assert shown["lastError"], "the operator is not told why"
            assert stage.arrived()[SICK] <= before[SICK] + PROBED, "a sick partner was pressed"
            await _recover(stage, mode)
            await _breaker_is(stage, "closed")
            over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(sickness())
            await play(
                stage.sender,
                keys_for(stage.targets),
                per_key=2,
                at_once=32,
                rate=200,
                go_on=lambda: not over.is_set(),
            )
        verdict = await stage.settle(30)
        assert verdict.clean, str(verdict)
        assert await stage.breaker(SICK) == "closed"


PROBED = 20
"""A hanging partner keeps what it does not answer: that is one for each probe."""


async def _fall_sick(stage: Scene, mode: str) -> None:
    # a closed socket takes no order to open again, so `refuse` ends by itself
    details = {"seconds": 9.0} if mode == "refuse" else {}
    await stage.fault(SICK, mode, **details)


async def _recover(stage: Scene, mode: str) -> None:
    if mode != "refuse":
        await stage.fault(SICK, "ok")


async def _breaker_is(stage: Scene, state: str) -> None:
    async def shown() -> bool:
        return await stage.breaker(SICK) == state

    _: bool = await wait_until(shown, 20, what=f"the breaker of {SICK} to be {state}")


def _as_the_operator_sees_it(stage: Scene) -> dict[str, str]:
    listed = stage.stage.lgsp("endpoint", "list", "--json")["items"]
    found: dict[str, str] = next(each for each in listed if each["name"] == SICK)
    return found
