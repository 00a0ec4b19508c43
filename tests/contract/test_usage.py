"""Calls of services by the hour, on both ledgers: processes add up, outages lose nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

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


async def test_percentiles_are_of_all_processes_and_hours_together(ledger: Ledger) -> None:
    one, other = Gateway(ledger), Gateway(ledger)
    for milliseconds in range(1, 91):
        (one if milliseconds % 2 else other).call(ANSWERED, milliseconds / 1_000)
    other.now += HOUR
    for _ in range(9):
        other.call(PartnerTimeout.code, 20.0)
    other.call(ANSWERED, 3.0, agency=BUILD)
    for _ in range(500):
        other.call(RateLimited.code, 0.0)
    await one.write()
    await other.write()

    rows = await _rows(ledger, NOON, NOON + 2 * HOUR)
    every = grouped(rows, lambda row: (row.service,))["dan-cu@1",]
    found = [every.percentile(share) or 0 for share in (0.5, 0.9, 0.95, 0.99)]
    for value, (low, high) in zip(
        found, [(45, 64), (64, 91), (16_384, 20_000), (16_384, 20_000)], strict=True
    ):
        assert low <= value <= high, "those over quota were never let in"
    build = grouped(rows, lambda row: (row.agency,))[BUILD,]
    assert 2_896 < (build.percentile(0.5) or 0) <= 3_000
    (mine,) = await _rows(ledger, NOON, NOON + 2 * HOUR, BUILD)
    assert mine.spread == {4_096: 1}


async def test_calls_counted_before_there_were_buckets_are_shown_without_percentiles(
    ledger: Ledger,
) -> None:
    """A gateway of the release before writes such rows, too, while the others are upgraded."""
    before, after = Gateway(ledger), Gateway(ledger)
    before.call(ANSWERED, 0.2)
    rows = [replace(each, spread={}) for each in before.count.drain()]
    await ledger.act(lambda tx, chain, now: usage.count(tx, chain, now, rows))
    (old,) = grouped(await _rows(ledger, 0, NOON + HOUR), lambda row: (row.service,)).values()
    assert (old.count, old.mean, old.percentile(0.5)) == (1, 200.0, None)
    after.call(ANSWERED, 0.004)
    await after.write()
    (both,) = grouped(await _rows(ledger, 0, NOON + HOUR), lambda row: (row.service,)).values()
    assert both.count == 2
    assert both.percentile(0.99) == 4.0


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
    left = await _rows(ledger, 0, NOON + 99 * HOUR)
    assert sum(row.count for row in left) == sum(sum(row.spread.values()) for row in left) == 1
    async with ledger.db.read() as connection:
        kept = (await connection.execute(text("SELECT at FROM service_latency"))).all()
    assert len(kept) == 1


async def test_what_could_not_be_written_counts_with_what_comes_next(ledger: Ledger) -> None:
    gateway = Gateway(ledger)
    gateway.call(ANSWERED, 0.1)
    lost = gateway.count.drain()
    gateway.call(ANSWERED, 0.3)
    gateway.count.put_back(lost)
    await gateway.write()
    (row,) = await _rows(ledger, NOON, NOON + HOUR)
    assert (row.count, row.milliseconds, row.longest) == (2, 400, 300)
    assert row.spread == {128: 1, 362: 1}
