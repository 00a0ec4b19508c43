"""The portal is away for six hours, by a clock that runs fast, and steps keep coming.

Endpoint, retries and breaker are those an administrator gets without saying anything.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters import registry
from adapters.dvcqg.sandbox import DSTCODE, Account, Portal
from adapters.http import open_session
from bus.ledger.config_store import Item, Kind
from deploy.services import RabbitMQ
from schemas import instant
from schemas.adapter import Adapter
from schemas.instant import SECOND, Instant
from schemas.province import Agency, Endpoint, Subscription
from tests.integration.dossier_harness import (
    BUILD,
    KNOWN,
    NATIONAL,
    PATIENT,
    PLAIN,
    PROVINCIAL,
    SOON,
    Engine,
    engine,
    record,
    step,
)
from tests.waiting import wait_until

USER, PASSWORD = "000.00.00.H99", b"mat-khau-cua-tinh"
HOURS = 6
SPEED = 3_600  # an hour a second
DOSSIERS = 20
Condition = Callable[[], bool | Awaitable[bool]]


class FastClock:
    """Microseconds since 1970, from now on."""

    def __init__(self, speed: int) -> None:
        self._began, self._started, self._speed = instant.now(), time.monotonic_ns(), speed

    def __call__(self) -> Instant:
        return self._began + (time.monotonic_ns() - self._started) * self._speed // 1000


@dataclass(frozen=True)
class Tried:
    """Of all deliveries to the portal."""

    count: int
    attempts: int
    most: int  # attempts of one
    strikes: int  # attempts used up, of one
    delivered: int


async def tried(bus: Engine) -> Tried:
    sql = (
        "SELECT count(*), sum(attempts), max(attempts), max(strikes),"
        " sum(CASE WHEN state = 'delivered' THEN 1 ELSE 0 END) FROM delivery"
        " WHERE endpoint = 'quoc-gia'"
    )
    async with bus.ledger.db.read() as connection:
        return Tried(*map(int, (await connection.execute(text(sql))).one()))


@asynccontextmanager
async def running(
    url: str, folder: Path, broker_url: str | None, portal: Portal, clock: FastClock
) -> AsyncIterator[Engine]:
    config = {
        "url": portal.service_url,
        "login_url": portal.login_url,
        "username": USER,
        "password": "cong",
        "madonvi": USER,
        "dstcode": DSTCODE,
        "lookup_shows_steps": True,
    }
    items: tuple[tuple[Kind, Item], ...] = (
        ("endpoint", Endpoint(name="quoc-gia", kind="dvcqg", config=config)),
        ("endpoint", Endpoint(name="cap-tinh", kind=PLAIN, retry=SOON, breaker=PATIENT)),
        ("agency", Agency(code=NATIONAL, name="Cổng quốc gia", endpoint="quoc-gia")),
        ("agency", Agency(code=PROVINCIAL, name="Cổng tỉnh", endpoint="cap-tinh")),
        ("agency", Agency(code=BUILD, name="Sở Xây dựng")),
        ("subscription", Subscription(name="hai-cong", receivers=(NATIONAL, PROVINCIAL))),
        ("mapping", KNOWN),
    )
    async with open_session() as http:

        def real(endpoint: Endpoint) -> Adapter:
            kind, config = endpoint.kind, endpoint.config
            return registry.create(kind, config, http=http, secrets=lambda _: PASSWORD)

        async with engine(
            url, folder, broker_url=broker_url, clock=clock, items=items, real=real
        ) as bus:
            yield bus


def backends(request: pytest.FixtureRequest, size: str) -> tuple[str, str | None]:
    """Addresses of ledger and broker."""
    if size == "small":
        url: str = request.getfixturevalue("sqlite_url")
        return url, None
    rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
    rabbitmq.start()  # a test may have left it stopped or paused
    return request.getfixturevalue("postgres_url"), rabbitmq.url


LARGE = (pytest.mark.rabbitmq, pytest.mark.postgres)


@pytest.mark.parametrize(
    ("size", "away"),
    [
        ("small", "refuse"),
        ("small", "503"),
        pytest.param("large", "refuse", marks=LARGE),
        pytest.param("large", "500", marks=LARGE),
    ],
)
async def test_six_hours_without_the_portal(
    request: pytest.FixtureRequest, tmp_path: Path, size: str, away: str
) -> None:
    url, broker_url = backends(request, size)
    account = Account(USER, PASSWORD, USER)
    clock = FastClock(SPEED)
    codes = [f"H99.02-261102-{number:04d}" for number in range(DOSSIERS)]
    async with (
        Portal([account], lookup_shows_steps=True) as portal,
        running(url, tmp_path, broker_url, portal, clock) as bus,
    ):
        for code in codes[: DOSSIERS // 2]:  # some are there already, some begin while it is away
            await bus.record(record(code))
        await _there(bus, DOSSIERS // 2)
        await portal.set_fault(away, retry_after=0)
        told = await _six_hours(bus, codes, clock)
        before = await tried(bus)
        assert before.delivered == DOSSIERS // 2
        assert len(bus.got["cap-tinh"]) == before.count, "the other portal had everything at once"

        await portal.set_fault("ok")
        await _there(bus, before.count)
        after = await tried(bus)
        endpoint = bus.live.snapshot.endpoints["quoc-gia"]
        probes, in_hand = HOURS * 3_600 // endpoint.breaker.probe_every, endpoint.concurrency
        wasted = after.attempts - after.count
        assert wasted <= probes + in_hand, "nothing but probes, once the breaker was open"
        assert wasted < after.count, "most were never tried in vain"
        opens_after = endpoint.breaker.failures if away == "500" else 0
        assert after.strikes <= opens_after, "probes use nothing up, nor what never got there"
        assert not await bus.ledger.queries.backlog()
        for code in codes:
            shown = [line["NoiDungXuLy"] for line in portal.store.timeline(code)]
            assert shown == told[code]
    assert len(bus.told("cap-tinh")) == after.count


async def _six_hours(bus: Engine, codes: list[str], clock: FastClock) -> dict[str, list[str]]:
    """Steps come all the time; what was told of each dossier."""
    begins = clock()
    told: dict[str, list[str]] = {code: [] for code in codes}
    for code in codes[DOSSIERS // 2 :]:
        await bus.record(record(code))
    for number in range(HOURS * 4):
        quarter = begins + number * 900 * SECOND
        await wait_until(partial(_past, clock, quarter), what="the next quarter of an hour")
        for code in codes:
            await bus.step(step(code, number))
            told[code].append(f"Bước {number}")
    steps = sum(map(len, told.values()))
    await wait_until(lambda: len(bus.got["cap-tinh"]) >= steps + DOSSIERS, 60, "the other portal")
    return told


def _past(clock: FastClock, at: Instant) -> bool:
    return clock() >= at


async def _there(bus: Engine, count: int) -> None:
    async def all_there() -> bool:
        return (await tried(bus)).delivered >= count

    condition: Condition = all_there
    await wait_until(condition, deadline=60, what=f"{count} at the portal")
