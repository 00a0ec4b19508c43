"""What the ledger has is shown often, and counted only as often as the ledger can bear."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

import pytest

from bus.ledger.database import Database
from bus.ledger.queries import Queries
from bus.ledger.records import Backlog, EndpointState
from bus.ops.gauges import BACKLOG_SHARE, READ_SECONDS, LedgerGauges
from bus.ops.metrics import Metrics
from tests.ledgers import prepare

MANY_OPEN_SECONDS = 1.7  # what counting 10^6 open deliveries takes on SQLite
HOUR = 3_600.0


class SlowToCount(Queries):
    """A real ledger in which counting takes as long as it is told, by a clock of its own."""

    def __init__(self, db: Database, seconds: float) -> None:
        super().__init__(db)
        self.now = 0.0
        self.seconds = seconds
        self.counted = self.states_read = 0

    async def backlog(self, *, agencies: Collection[str] | None = None) -> list[Backlog]:
        self.counted += 1
        self.now += self.seconds
        return await super().backlog(agencies=agencies)

    async def endpoint_states(self) -> dict[str, EndpointState]:
        self.states_read += 1
        return await super().endpoint_states()


@pytest.fixture
async def db(sqlite_url: str) -> AsyncIterator[Database]:
    await prepare(sqlite_url)
    database = Database(sqlite_url)
    yield database
    await database.close()


async def follow_for(queries: SlowToCount, seconds: float) -> int:
    """How often it was read."""
    gauges = LedgerGauges(queries, Metrics(), clock=lambda: queries.now)
    reads = 0
    while queries.now < seconds:
        await gauges.read()
        reads += 1
        queries.now += READ_SECONDS
    return reads


async def test_a_long_count_is_made_seldom_and_breakers_are_shown_all_the_same(
    db: Database,
) -> None:
    queries = SlowToCount(db, MANY_OPEN_SECONDS)
    reads = await follow_for(queries, HOUR)
    assert queries.states_read == reads
    assert queries.counted * MANY_OPEN_SECONDS <= HOUR * BACKLOG_SHARE + MANY_OPEN_SECONDS
    assert queries.counted >= HOUR / 60, "a backlog older than a minute counts as stale"


async def test_a_short_count_is_made_each_time(db: Database) -> None:
    queries = SlowToCount(db, 0.01)
    assert await follow_for(queries, 600) == queries.counted
