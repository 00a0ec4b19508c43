"""Proof: whoever follows dossiers has everything, once and in order, though the bus is killed."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from adapters.http import open_session
from adapters.onestop.pusher import Pusher
from adapters.onestop.stories import Story, Teller
from adapters.webhook.sandbox import Portal
from deploy.demo.centre import CLIENT, DECLARED, Centre, Mark, mark_of
from deploy.demo.dossiers import DEPARTMENT, FIRST_DAY, differing
from deploy.stage import Stage
from tests.waiting import wait_until

SECRET = "a-secret-of-the-portal-of-32-byte"
KILLS = 2
CENTRES = 3


def stage_with(folder: Path, portal: Portal) -> Stage:
    config = {"url": portal.url, "secret": "cong-tinh"}
    return Stage(
        folder,
        also={
            "agencies": [{"code": "H99.90", "name": "Cổng tỉnh", "endpoint": "cong-tinh"}],
            "endpoints": [{"name": "cong-tinh", "kind": "webhook", "config": config}],
            "subscriptions": [{"name": "cong-tinh", "sender": "H99*", "receivers": ["H99.90"]}],
            "clients": [DECLARED],
        },
        secret_values={"cong-tinh": SECRET},
    )


def published(portal: Portal) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = defaultdict(list)
    for event in portal.events.values():
        found[event["code"]].append(mark_of(event["data"]))
    return found


async def _kill_now_and_then(stage: Stage, centre: Centre, total: int) -> None:
    """At points of the way, so that there is always something before and something after."""
    dice = random.Random(5)
    (bus,) = stage.bus
    for number in range(KILLS):
        point = total * (number + dice.random()) / (KILLS + 1)
        await wait_until(partial(_reached, centre, point), 60, what=f"event {point:.0f}")
        bus.kill()
        bus.start()


def _reached(centre: Centre, events: float) -> bool:
    return centre.events >= events


def _missing(stories: list[Story], portal: Portal, centres: list[Centre]) -> list[str]:
    found = differing("portal", stories, published(portal))
    for centre in centres:
        found += differing("centre", stories, centre.seen)
    return found


@pytest.mark.crash
@pytest.mark.timeout(180)
async def test_followers_miss_nothing_and_see_nothing_twice_while_the_bus_is_killed(
    tmp_path: Path,
) -> None:
    stories = list(Teller((DEPARTMENT,), 11, FIRST_DAY).stories(30))
    total = sum(len(story.changes) for story in stories)
    async with Portal(secrets=(SECRET.encode(),)) as portal, open_session() as http:
        stage = stage_with(tmp_path, portal)
        try:
            await asyncio.to_thread(stage.open)
            key = stage.lgsp("client", "key", "add", CLIENT, "--json")["key"]
            centres = [Centre(stage.url, key) for _ in range(CENTRES)]
            following = [asyncio.create_task(centre.follow()) for centre in centres]
            own = next(each for each in stage.agencies if each.code == DEPARTMENT.code)
            pusher = Pusher(http, stage.url, own.client, own.client_secret)
            async with asyncio.timeout(150):
                killing = asyncio.create_task(_kill_now_and_then(stage, centres[0], total))
                await pusher.push(stories)
                await killing
            await wait_until(
                lambda: not _missing(stories, portal, centres),
                60,
                what=lambda: f"everything told: {_missing(stories, portal, centres)[:5]}",
            )
            for task in following:
                task.cancel()
            await asyncio.wait(following)
        finally:
            await asyncio.to_thread(stage.close)
    assert all(centre.connections > KILLS for centre in centres)
    assert [centre.events for centre in centres] == [total] * CENTRES
