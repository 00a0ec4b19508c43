"""One-stop software and the bus, by both doors: the ledger's timelines equal what was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.http import open_session
from adapters.onestop import OneStop
from adapters.onestop.config import OneStopConfig
from adapters.onestop.pusher import Pusher, PushRefusedError
from adapters.onestop.sandbox import OneStopSandbox, detail
from adapters.onestop.stories import Desk, Story, Teller
from bus.engine.collect import EndpointInbox
from schemas.dossier import Step
from schemas.errors import PartnerTimeout
from schemas.province import Client, Endpoint
from tests.integration.gateway_harness import BUILD, COMMUNE, DISTRICT, Harness, opened, served

UNIT, SECRET = "000.00.00.H38", b"access-key-of-the-one-stop"
DESKS = (Desk(COMMUNE, "UBND xã Suối Mẫu"), Desk(BUILD, "Sở Xây dựng"))


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}", tmp_path) as harness:
        yield harness


def told(dossiers: int, desks: tuple[Desk, ...] = DESKS) -> list[Story]:
    return list(Teller(desks, 3, date(2026, 8, 3)).stories(dossiers))


async def shown(bus: Harness, story: Story) -> Any:
    answer = await bus.call("van-hanh", "GET", f"/api/v1/dossiers/{story.code}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def assert_kept(bus: Harness, stories: Sequence[Story]) -> None:
    """Every step once, in time order; the status is the last one."""
    for story in stories:
        kept = await shown(bus, story)
        steps = [(s["stepId"], s["status"], datetime.fromisoformat(s["at"])) for s in kept["steps"]]
        assert steps == [(step.id, int(step.status), step.at) for step in story.steps]
        assert kept["status"] == int(story.changes[-1].item.status)
        assert kept["procedure"] == story.record.procedure


async def test_what_is_pulled_is_in_the_ledger_once_and_in_order(bus: Harness) -> None:
    endpoint = Endpoint(name="mot-cua", kind="onestop", speaks_for=(DISTRICT, BUILD))
    await bus.declare("endpoint", None, endpoint)
    stories = told(12)
    changes = sorted((c for story in stories for c in story.changes), key=lambda change: change.at)
    inbox = EndpointInbox("mot-cua", bus.ledger, bus.live, bus.app.state.services.deps.acceptor)
    async with OneStopSandbox(UNIT, SECRET) as onestop, open_session() as http:
        config = OneStopConfig(
            url=onestop.url, unit_code=UNIT, secret="x", connect_seconds=0.5, answer_seconds=0.5
        )
        poller = OneStop(config, http=http, secrets=lambda _: SECRET)
        onestop.publish(changes)
        await onestop.set_fault("cut", probability=0.05)
        for _ in range(500):
            try:
                await poller.poll(inbox)
            except PartnerTimeout:
                continue
            if not onestop.waiting:
                break
        assert not onestop.waiting
        await onestop.set_fault("ok")
        assert {said for acks in onestop.acks.values() for said in acks} == {"done"}
        await assert_kept(bus, stories)
        step = next(change for change in changes if isinstance(change.item, Step))
        unread = onestop.publish_raw(step, detail(step) | {"process_content": ""})
        foreign = onestop.publish_raw(step, detail(step) | {"from_unit_code": "H38.03"})
        await poller.poll(inbox)
        assert onestop.acks[unread] == onestop.acks[foreign] == ["fail"]


async def test_what_is_pushed_is_in_the_ledger_once_and_in_order(bus: Harness) -> None:
    client = Client(id="mot-cua", agencies=(DISTRICT, BUILD), descendants=True, rate=500, burst=50)
    await bus.declare("client", None, client)
    key = await bus.ledger.identities.add_key(client.id, expires_at=None, clock=bus.ledger.clock)
    stories = told(12)
    async with served(bus.app) as url, open_session() as http:
        for _ in range(2):  # the second time every change is a repeat
            pushed = await Pusher(http, url, client.id, key).push(stories)
            assert pushed.steps == sum(len(story.steps) for story in stories)
        await assert_kept(bus, stories)
        other = told(1, (Desk("H38.03", "Sở Y tế"),))
        with pytest.raises(ExceptionGroup) as caught:
            await Pusher(http, url, client.id, key).push(other)
        assert caught.group_contains(PushRefusedError, match="403")
