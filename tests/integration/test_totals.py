"""Totals of the month, day by day, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.registry import adapters
from bus.engine.accept import Acceptor
from bus.engine.accept_dossier import Source
from bus.engine.accept_item import accept_item
from bus.engine.live import LiveConfig
from bus.ledger.config_store import Change, Item, Kind, name_of
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ops.totals import TotalsReporter
from schemas.flows import Evaluation, Rating, Statistics
from schemas.instant import Instant, from_datetime
from schemas.province import Agency, Endpoint, Subscription
from schemas.vietnam import VIETNAM

UNIT = "H99.02"
ITEMS: tuple[tuple[Kind, Item], ...] = (
    ("endpoint", Endpoint(name="hop-thu", kind="mailbox")),
    ("agency", Agency(code="H99.90", name="Cổng", endpoint="hop-thu")),
    ("agency", Agency(code=UNIT, name="Sở Xây dựng")),
    ("agency", Agency(code="H99.03", name="Sở Y tế")),
    (
        "subscription",
        Subscription(name="cong", kinds=("evaluation",), sender=UNIT, receivers=("H99.90",)),
    ),
)


class Days:
    """The bus on some day."""

    def __init__(self, ledger: Ledger, acceptor: Acceptor, at: list[datetime]) -> None:
        self.ledger, self.acceptor, self._at = ledger, acceptor, at

    def go(self, day: datetime) -> None:
        self._at[0] = day

    async def rate(self, number: int, score: int, at: datetime, agency: str = UNIT) -> None:
        facts = {"id": str(number), "code": "H99.02-261124-0001", "agency": agency}
        item = Rating.model_validate(facts | {"score": score, "at": at})
        source = Source("test", item.model_dump_json().encode(), "application/json", "")
        await accept_item(self.acceptor, item, agency, source)

    async def told(self) -> list[Evaluation]:
        """Every evaluation accepted, in order."""
        rows = await self.ledger.queries.messages(agencies=None, kind="evaluation", limit=200)
        found = await self.ledger.dossiers.kinds_and_records({row.id for row in rows})
        return [Evaluation.model_validate_json(found[row.id][1]) for row in reversed(rows)]


@pytest.fixture
async def days(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Days]:
    await migrate(sqlite_url)
    at = [datetime(2026, 11, 30, 9, tzinfo=VIETNAM)]

    def clock() -> Instant:
        return from_datetime(at[0])

    ledger = await Ledger.open(sqlite_url, tmp_path / "blobs", clock=clock)
    changes = [Change(kind, name_of(item), None, item) for kind, item in ITEMS]
    await ledger.config.apply(changes, expected=0, actor="test", reason="test")
    live = LiveConfig(ledger.config, poll=0.05)
    await live.start()
    manifests = {kind: each.manifest for kind, each in adapters().items()}
    acceptor = Acceptor(ledger, live, manifests, max_bytes=10**6, max_files=5, inline_bytes=4000)
    yield Days(ledger, acceptor, at)
    await live.close()
    await ledger.close()


async def test_a_day_is_told_once_by_however_many_dispatchers(days: Days) -> None:
    await days.rate(1, 1, datetime(2026, 11, 29, 10, tzinfo=VIETNAM))
    await days.rate(2, 3, datetime(2026, 11, 30, 8, tzinfo=VIETNAM))  # today: not yet
    one, other = TotalsReporter(days.acceptor), TotalsReporter(days.acceptor)
    assert [await one.round(), await other.round(), await one.round()] == [1, 0, 0]
    await days.rate(3, 2, datetime(2026, 11, 28, 8, tzinfo=VIETNAM))  # late: tomorrow
    assert await TotalsReporter(days.acceptor).round() == 0
    (evaluation,) = await days.told()
    assert (evaluation.month, evaluation.total) == ("2026-11", 1)
    assert evaluation.overall.very_satisfied == 100


async def test_what_comes_late_still_counts_in_its_month(days: Days) -> None:
    reporter = TotalsReporter(days.acceptor)
    end = datetime(2026, 11, 30, 23, 59, tzinfo=VIETNAM)
    await days.rate(1, 1, end)
    days.go(end + timedelta(hours=1))
    assert await reporter.round() == 1
    await days.rate(2, 3, end)
    await days.rate(3, 3, end + timedelta(hours=2))
    days.go(end + timedelta(days=1, hours=1))
    assert await reporter.round() == 2, "the month before once more, and the new one"
    told = [(each.month, each.until.day, each.told.day, each.total) for each in await days.told()]
    assert told == [("2026-11", 30, 1, 1), ("2026-11", 30, 2, 2), ("2026-12", 1, 2, 1)]
    days.go(end + timedelta(days=6, hours=1))
    assert await reporter.round() == 1, "the month before is closed"


async def test_nobody_hears_of_an_agency_that_nobody_subscribes_to(days: Days) -> None:
    await days.rate(1, 1, datetime(2026, 11, 29, 10, tzinfo=VIETNAM), agency="H99.03")
    assert await TotalsReporter(days.acceptor).round() == 0


def test_a_total_told_later_is_another_message() -> None:
    facts = {"agency": UNIT, "agencyName": "Sở", "month": "2026-11", "until": "2026-11-30"}
    first, second = (
        Statistics.model_validate(facts | {"told": f"2026-12-0{day}", "figures": {"received": 1}})
        for day in (1, 2)
    )
    assert first.identity != second.identity
