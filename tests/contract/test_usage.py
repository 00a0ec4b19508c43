"""Calls of services by the hour, on both ledgers: processes add up, outages lose nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger import usage
from bus.ledger.accesses import ANSWERED
from bus.ledger.journal import Chain
from bus.ledger.ledger import Ledger
from bus.ledger.tx import Tx
from bus.ledger.usage import HOUR, KEPT, Usage
from bus.ops.usage import UsageCount, grouped
from schemas.errors import PartnerTimeout, RateLimited
from schemas.instant import Instant
from tests.ledgers import prepare

NOON: Instant = 1_790_000_000_000_000 // HOUR * HOUR
HEALTH, BUILD = "H38.02", "H38.14"


class Gateway:
    """One process that counts."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = NOON
        self.count = UsageCount(lambda: self.now)

    def call(self, outcome: str, seconds: float, *, agency: str = HEALTH) -> None:
        client = f"client:{agency}"
        self.count.called("dan-cu@1", "TraCuu", outcome, seconds, client=client, agency=agency)

    async def write(self) -> None:
        rows = self.count.drain()
        await self.ledger.act(lambda tx, chain, now: usage.count(tx, chain, now, rows))


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs")
    yield opened
    await opened.close()


async def _rows(ledger: Ledger, since: int, until: int, agency: str | None = None) -> list[Usage]:
    agencies = None if agency is None else {agency}
    return await ledger.usage.of_period(since=since, until=until, agencies=agencies)


async def test_several_processes_add_up_to_one_figure(ledger: Ledger) -> None:
    one, other = Gateway(ledger), Gateway(ledger)
    for gateway, seconds in ((one, 0.1), (other, 0.3), (one, 0.2)):
        gateway.call(ANSWERED, seconds)
    other.call(PartnerTimeout.code, 20.0)
    other.call(RateLimited.code, 0.0, agency=BUILD)
    await one.write()
    await other.write()
    one.call(ANSWERED, 0.4)
    await one.write()
    await one.write()  # nothing new

    rows = await _rows(ledger, NOON, NOON + HOUR)
    calls = grouped(rows, lambda row: (row.agency,))
    assert list(calls) == [(HEALTH,), (BUILD,)], "the busiest first"
    health = calls[HEALTH,]
    assert (health.count, health.answered, health.failed) == (5, 4, 1)
    assert (health.mean, health.longest) == (4_200.0, 20_000)
    assert (calls[BUILD,].over_quota, calls[BUILD,].failed) == (1, 0)
    assert {row.agency for row in await _rows(ledger, NOON, NOON + HOUR, BUILD)} == {BUILD}


async def test_hours_stand_apart_and_what_is_old_goes(ledger: Ledger) -> None:
    gateway = Gateway(ledger)
    for hours in (0, 1, 1, 25):
        gateway.now = NOON + hours * HOUR + 5
        gateway.call(ANSWERED, 0.1)
    await gateway.write()
    found = [
        sum(row.count for row in await _rows(ledger, NOON + first * HOUR, NOON + last * HOUR))
        for first, last in ((0, 1), (1, 2), (0, 24), (0, 26))
    ]
    assert found == [1, 2, 3, 4]

    async def forget(tx: Tx, chain: Chain, _now: Instant) -> None:
        await usage.forget(tx, chain, NOON + 2 * HOUR + KEPT)

    await ledger.act(forget)
    assert sum(row.count for row in await _rows(ledger, 0, NOON + 99 * HOUR)) == 1


async def test_what_could_not_be_written_counts_with_what_comes_next(ledger: Ledger) -> None:
    gateway = Gateway(ledger)
    gateway.call(ANSWERED, 0.1)
    lost = gateway.count.drain()
    gateway.call(ANSWERED, 0.3)
    gateway.count.put_back(lost)
    await gateway.write()
    (row,) = await _rows(ledger, NOON, NOON + HOUR)
    assert (row.count, row.milliseconds, row.longest) == (2, 400, 300)
