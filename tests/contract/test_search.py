"""Finding messages, on every ledger: each way in, and nobody finds what is not theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.search import Asked
from schemas.instant import SECOND
from schemas.province import Agency, Endpoint, Province
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, OFFICE, WARD, Traffic
from tests.ledgers import prepare

PROVINCE = Province(
    agencies=(
        Agency(code=OFFICE, name="Văn phòng"),
        Agency(code=HEALTH, name="Sở Y tế", endpoint="hop-thu"),
        Agency(code=HOME_AFFAIRS, name="Sở Nội vụ", endpoint="hop-thu"),
    ),
    endpoints=(Endpoint(name="hop-thu", kind="mailbox"),),
)


@pytest.fixture
async def traffic(tmp_path: Path, ledger_url: str) -> AsyncIterator[Traffic]:
    await prepare(ledger_url)
    ledger = await Ledger.open(ledger_url, tmp_path / "blobs")
    yield Traffic(ledger, PROVINCE)
    await ledger.close()


async def found(traffic: Traffic, agencies: set[str] | None = None, **asked: object) -> list[str]:
    rows = await traffic.ledger.search.find(Asked(**asked), agencies=agencies)  # type: ignore[arg-type]
    return [row.id for row in rows]


async def test_every_way_in(traffic: Traffic) -> None:
    first = await traffic.send(HEALTH, document="vb-1")
    second = await traffic.send(HEALTH, HOME_AFFAIRS, document="vb-2")
    (delivery,) = await traffic.ledger.queries.deliveries_of(first)
    for text in (first, first.upper(), "vb-1", "VB-1", "1/UBND-VX", "ref-1", str(delivery.id)):
        assert await found(traffic, text=text) == [first], text
    assert await found(traffic, text="vb") == []
    assert await found(traffic) == [second, first]
    assert await found(traffic, agency=HOME_AFFAIRS) == [second]
    assert await found(traffic, agency=OFFICE) == [second, first]
    assert await found(traffic, agency=OFFICE, text="vb-1") == [first]
    assert await found(traffic, kind="status") == []
    assert await found(traffic, kind="document") == [second, first]
    now = traffic.ledger.clock()
    assert await found(traffic, since=now - 60 * SECOND, until=now + SECOND) == [second, first]
    assert await found(traffic, since=now + 60 * SECOND) == []
    assert await found(traffic, until=now - 60 * SECOND, agency=HEALTH) == []


async def words_of(traffic: Traffic, words: str, *agencies: str, limit: int = 50) -> list[str]:
    given = set(agencies) or None
    rows = await traffic.ledger.subjects.find(words, agencies=given, limit=limit)
    return [row.id for row in rows]


async def test_words_of_subjects(traffic: Traffic) -> None:
    """`Kín: ông A` is the subject of all."""
    first = await traffic.send(HEALTH, document="vb-1")
    second = await traffic.send(HEALTH, HOME_AFFAIRS, document="vb-2")
    for words in ("ông", "a Ông", "(KÍN) - A", "A: ông"):
        assert await words_of(traffic, words) == [second, first], words
    assert await words_of(traffic, "ông", limit=1) == [second]
    assert await words_of(traffic, "ông B") == []
    assert await words_of(traffic, "…") == []
    assert await words_of(traffic, "' & | ! :* @687 -- ông") == []
    assert await words_of(traffic, "ông", HOME_AFFAIRS) == [second]
    assert await words_of(traffic, "ông", WARD) == []


@pytest.mark.parametrize("few", [0, 100], ids=["week by week", "all at once"])
async def test_words_are_found_behind_the_newest_documents(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("bus.ledger.subjects.NEWEST", 1)
    monkeypatch.setattr("bus.ledger.subjects.OWN", 1)
    monkeypatch.setattr("bus.ledger.subjects.FEW", few)
    monkeypatch.setattr("bus.ledger.subjects.SIFTED", few)
    sent = [await traffic.send(HEALTH, document=f"vb-{number}") for number in range(4)]
    assert await words_of(traffic, "ông") == sent[::-1]
    assert await words_of(traffic, "ông", limit=2) == sent[:1:-1]
    own = await words_of(traffic, "ông", HEALTH)
    assert own == (sent[::-1] if few or traffic.ledger.db.is_sqlite else sent[-1:])


async def test_pages_follow_each_other(traffic: Traffic) -> None:
    sent = [await traffic.send(HEALTH, document=f"vb-{number}") for number in range(5)]
    for asked in (Asked(), Asked(agency=HEALTH), Asked(agency=OFFICE)):
        seen: list[str] = []
        while page := await traffic.ledger.search.find(
            asked, agencies=None, after=seen[-1] if seen else None, limit=2
        ):
            seen += [row.id for row in page]
        assert seen == sent[::-1]


async def test_nobody_finds_what_is_not_theirs(traffic: Traffic) -> None:
    theirs = await traffic.send(HEALTH, document="vb-1")
    other = await traffic.send(HOME_AFFAIRS, document="vb-2")
    assert await found(traffic, {HEALTH}) == [theirs]
    assert await found(traffic, {HEALTH}, text="vb-2") == []
    assert await found(traffic, {HEALTH}, text=other) == []
    assert await found(traffic, {HEALTH}, agency=HOME_AFFAIRS) == []
    assert await found(traffic, {OFFICE}) == [other, theirs]
    assert await found(traffic, {WARD}) == []
    assert await found(traffic, set()) == []
    search = traffic.ledger.search
    assert await search.message(other, agencies={HEALTH}) is None
    assert await search.message(theirs, agencies={HEALTH}) is not None
    rows = await traffic.ledger.subjects.find("ông", agencies={HEALTH}, limit=50)
    assert [row.id for row in rows] == [theirs]
    deliveries = await traffic.ledger.queries.deliveries(agencies={HEALTH})
    assert [row.message_id for row in deliveries] == [theirs]
    backlog = await traffic.ledger.queries.backlog(agencies={HEALTH})
    assert sum(group.count for group in backlog) == 1
