"""Proof: sick partners hurt nobody else and lose nothing, for a whole minute (invariant 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.proof.load import keys_for, play
from tests.proof.scene import Scene, scene
from tests.waiting import wait_until

SICK_SECONDS = 60.0
PROBE_SECONDS = 0.5
PROMPT_SECONDS = 30.0  # what is sent to a healthy partner arrives within it, sick ones or not
QUICK = {
    "config": {"connect_seconds": 0.5, "answer_seconds": 0.5},
    "breaker": {"failures": 5, "distinct": 3, "probe_every": PROBE_SECONDS},
    "retry": {"first": 0.3, "soft_cap": 1.0},
}
MOST_PROBES = int(SICK_SECONDS / PROBE_SECONDS)
"""A hanging partner keeps what it does not answer: one message for each probe, at most."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "sick",
    [
        {"so-xay-dung": "500", "huyen-nam-khao": "hang"},
        {"so-xay-dung": "refuse", "huyen-nam-khao": "garbage"},
    ],
    ids=["500-and-hang", "refuse-and-garbage"],
)
async def test_sick_partners_hurt_nobody_else(tmp_path: Path, sick: Mapping[str, str]) -> None:
    async with scene(tmp_path, endpoint_options=QUICK) as stage:
        assert sick.keys() < stage.books.keys(), "somebody has to be healthy"
        over = asyncio.Event()

        async def sickness() -> None:
            await wait_until(
                lambda: all(count > 20 for count in stage.arrived().values()),
                what="a healthy beginning",
            )
            until = asyncio.get_running_loop().time() + SICK_SECONDS
            await _fall_sick(stage, sick)
            await _breakers_are(stage, sick, "open")
            before = stage.arrived()
            while asyncio.get_running_loop().time() < until:
                await _others_get_theirs(stage, sick)
                await _each_is_left_in_peace(stage, sick, before)
            await _recover(stage, sick)
            await _breakers_are(stage, sick, "closed")
            over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(sickness())
            await play(
                stage.sender,
                keys_for(stage.targets),
                per_key=2,
                at_once=32,
                rate=75,
                go_on=lambda: not over.is_set(),
            )
        verdict = await stage.settle(60)
        assert verdict.clean, str(verdict)
        await _breakers_are(stage, sick, "closed")


async def _others_get_theirs(stage: Scene, sick: Mapping[str, str]) -> None:
    """All that was sent to the healthy until now is there soon, and traffic goes on meanwhile."""
    healthy = [name for name in stage.books if name not in sick]
    sent = [(name, each.message_id) for each in stage.sender.sent for name in each.endpoints]
    wanted = {(name, message) for name, message in sent if name in healthy}

    def there() -> bool:
        stage.arrived()
        got = {(n, effect["message_id"]) for n in healthy for effect in stage.books[n].effects}
        return wanted <= got

    await wait_until(there, PROMPT_SECONDS, "what was sent to the healthy")
    more = {name: count + 20 for name, count in stage.arrived().items() if name in healthy}
    await wait_until(
        lambda: all(stage.arrived()[name] >= count for name, count in more.items()),
        PROMPT_SECONDS,
        "traffic of the healthy to go on",
    )


async def _each_is_left_in_peace(
    stage: Scene, sick: Mapping[str, str], before: Mapping[str, int]
) -> None:
    shown = await asyncio.to_thread(_as_the_operator_sees_them, stage)
    for name, mode in sick.items():
        if mode == "refuse" and await stage.breaker(name) == "closed":
            continue  # it ends by itself: no order reaches a closed socket
        assert shown[name]["breaker"] == "open", f"{name} closed while its partner was sick"
        assert shown[name]["lastError"], "the operator is not told why"
        assert stage.arrived()[name] <= before[name] + MOST_PROBES, "a sick partner was pressed"


async def _fall_sick(stage: Scene, sick: Mapping[str, str]) -> None:
    for name, mode in sick.items():
        details = {"seconds": SICK_SECONDS} if mode == "refuse" else {}
        await stage.fault(name, mode, **details)


async def _recover(stage: Scene, sick: Mapping[str, str]) -> None:
    for name, mode in sick.items():
        if mode != "refuse":
            await stage.fault(name, "ok")


async def _breakers_are(stage: Scene, sick: Mapping[str, str], state: str) -> None:
    for name in sick:

        async def shown(name: str = name) -> bool:
            return await stage.breaker(name) == state

        _: bool = await wait_until(shown, 20, what=f"the breaker of {name} to be {state}")


def _as_the_operator_sees_them(stage: Scene) -> dict[str, dict[str, str]]:
    listed = stage.stage.lgsp("endpoint", "list", "--json")["items"]
    return {each["name"]: each for each in listed}
