"""Feeds: what changes in a register is pushed to who subscribed, once, and through a kill -9."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.national.procedures.sandbox import ProceduresDesk
from adapters.national.sandbox import all_desks
from adapters.national.sandbox_gateway import SECRET, NationalSandbox
from schemas.service import Feed
from tests.integration.gateway_harness import OFFICE, opened
from tests.integration.service_harness import grant
from tests.integration.service_process import bus_process
from tests.integration.test_service_national import HIDDEN, National, desk, document, secrets
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
LONG = 120.0
Condition = Callable[[], bool | Awaitable[bool]]
FEED = Feed(name="thu-tuc", agency=OFFICE, service="procedures", operation="changes", every=1)
SEEN = ("changed/code", "changed/name", "removed")


@asynccontextmanager
async def pushing(database_url: str, folder: Path) -> AsyncIterator[National]:
    """A bus whose feeds are at work."""
    async with (
        NationalSandbox(all_desks()) as sandbox,
        opened(database_url, folder, secrets=secrets) as bus,
    ):
        feeds = bus.app.state.services.feeds
        feeds.start()
        yield National(bus, sandbox)
        await feeds.close()


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[National]:
    async with pushing(sqlite_url, tmp_path) as national:
        yield national


async def subscribe(on: National, *fields: str, **given: Any) -> None:
    """The register, the grant and the feed."""
    await on.bus.ledger.contracts.keep(list(document("procedures").values()))
    await on.bus.declare("service", None, on.service("procedures", timeout=3))
    await on.bus.declare("grant", None, grant(OFFICE, "procedures", fields=fields or SEEN))
    await on.bus.declare("feed", None, FEED.model_copy(update=given))


async def mail(on: National) -> list[dict[str, Any]]:
    """What waits for the agency, oldest first, as it reads it."""
    page = await on.bus.call("van-phong", "GET", "/api/v1/mailbox?limit=100")
    found = []
    for item in page.json()["items"]:
        assert (item["kind"], item["receiver"]) == ("change", OFFICE)
        path = f"/api/v1/mailbox/{item['deliveryId']}/content"
        found.append((await on.bus.call("van-phong", "GET", path)).json())
    return found


async def take_all(on: National) -> None:
    page = await on.bus.call("van-phong", "GET", "/api/v1/mailbox?limit=100")
    for item in page.json()["items"]:
        path = f"/api/v1/mailbox/{item['deliveryId']}/ack"
        taken = {"result": "delivered", "receipt": "1"}
        await on.bus.call("van-phong", "POST", path, json=taken)


async def got(on: National, count: int) -> list[dict[str, Any]]:
    arrived: Condition = partial(_as_many, on, count)
    await wait_until(arrived, LONG, f"{count} changes")
    return await mail(on)


async def _as_many(on: National, count: int) -> bool:
    return len(await mail(on)) >= count


async def test_changes_are_pushed_by_the_grant_and_each_once(on: National) -> None:
    await subscribe(on, "changed/code", "removed")
    first = await got(on, 3)
    assert [each["item"]["code"] for each in first] == ["1.000656", "1.001193", "2.000635"]
    assert first[0] == {
        "feed": "thu-tuc",
        "service": "procedures@1",
        "operation": "changes",
        "change": "changed",
        "item": {"code": "1.000656", "name": HIDDEN},
    }
    asked = on.sandbox.asked["procedures"]
    await wait_until(lambda: on.sandbox.asked["procedures"] > asked + 2, LONG, "it is asked on")
    register = desk(on, ProceduresDesk).procedures
    register["9.000001"] = "Thủ tục mới"
    del register["1.001193"]
    new = (await got(on, 4))[3]
    assert (new["change"], new["item"]["code"]) == ("changed", "9.000001")
    assert len(await mail(on)) == 4, "what is about one item comes when the one before is taken"
    await take_all(on)
    (gone,) = await got(on, 1)
    assert (gone["change"], gone["item"]) == ("removed", "1.001193")
    await take_all(on)
    assert await mail(on) == []
    (state,) = await on.bus.ledger.feeds.states()
    assert (state.failures, state.error) == (0, None)
    others = await on.bus.call("so-xay-dung", "GET", "/api/v1/mailbox")
    assert others.json()["items"] == []


async def test_a_register_that_is_away_and_a_grant_that_ends_stop_it_until_they_are_back(
    on: National,
) -> None:
    await on.sandbox.set_fault("503", retry_after=0)
    await subscribe(on)
    await told(on, "partner-unavailable")
    assert await mail(on) == []
    await on.sandbox.set_fault("ok")
    assert len(await got(on, 3)) == 3


async def told(on: National, code: str) -> None:
    """Operators are told why nothing comes."""
    failing: Condition = partial(_failing, on, code)
    await wait_until(failing, LONG, f"it is told: {code}")


async def _failing(on: National, code: str) -> bool:
    states = await on.bus.ledger.feeds.states()
    return any((each.error or "").startswith(code) for each in states)


async def test_without_a_grant_nothing_is_asked(on: National) -> None:
    await on.bus.ledger.contracts.keep(list(document("procedures").values()))
    await on.bus.declare("service", None, on.service("procedures"))
    await on.bus.declare("feed", None, FEED)
    await told(on, "forbidden")
    assert on.sandbox.asked["procedures"] == 0


async def test_an_operation_without_changes_is_told(on: National) -> None:
    await subscribe(on, operation="procedures")
    await told(on, "mode-not-offered")


@pytest.mark.crash
@pytest.mark.postgres
@pytest.mark.timeout(600)
async def test_kill_9_loses_no_change_and_doubles_none(postgres_url: str, tmp_path: Path) -> None:
    """Killed while the register is being asked; what it told meanwhile comes once."""
    async with (
        NationalSandbox(all_desks()) as sandbox,
        opened(postgres_url, tmp_path, secrets=secrets) as bus,
    ):
        on = National(bus, sandbox)
        await subscribe(on)
        register = desk(on, ProceduresDesk).procedures
        for life in range(2):
            with bus_process(postgres_url, tmp_path, lgsp=SECRET):
                before = sandbox.asked["procedures"]
                await wait_until(
                    lambda n=before: sandbox.asked["procedures"] > n,  # type: ignore[misc]
                    LONG,
                    "the register is asked",
                )
                for number in range(5):
                    register[f"9.{life}{number:05}"] = f"Thủ tục {life}.{number}"
        with bus_process(postgres_url, tmp_path, lgsp=SECRET):
            found = await got(on, 13)
            asked = sandbox.asked["procedures"]
            await wait_until(lambda: sandbox.asked["procedures"] > asked + 2, LONG, "asked on")
        told = Counter(each["item"]["code"] for each in await mail(on))
        assert told == Counter(register.keys())
        assert len(found) == 13
        assert (await bus.ledger.verify_journal()).problems == ()
