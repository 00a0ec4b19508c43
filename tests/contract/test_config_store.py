"""The configuration store on every database."""

from __future__ import annotations

import asyncio
from datetime import date

import orjson
import pytest
from sqlalchemy import insert, select, update

from bus.ledger.config_store import Change, ConfigStore, Item, Kind, name_of
from bus.ledger.database import Database
from bus.ledger.tables import config_item, config_revision
from schemas.errors import ConfigurationError, Conflict, LedgerUnavailable
from schemas.province import Agency, Alias, Client, Endpoint, Province, Route

KINDS: dict[type[Item], Kind] = {
    Agency: "agency",
    Endpoint: "endpoint",
    Route: "route",
    Client: "client",
}
OFFICE = Agency(
    code="H99.01",
    name="Văn phòng",
    parent="H99",
    aliases=(Alias(code="000.00.01.H99", valid_to=date(2030, 1, 1)),),
)
PUSH = Endpoint(name="van-phong", kind="rest-push", config={"url": "https://a.vn/x", "n": 1.5})
HOLD = Route(name="giu-lai", sender="*.H99", action="hold", reason="đang sáp nhập")
SYSTEM = Client(id="van-phong", agencies=("H99.01",), descendants=True)


def added(*items: Item) -> list[Change]:
    return [Change(KINDS[type(item)], name_of(item), None, item) for item in items]


def removed(item: Item) -> Change:
    return Change(KINDS[type(item)], name_of(item), item, None)


@pytest.fixture
def store(db: Database) -> ConfigStore:
    return ConfigStore(db)


async def apply(store: ConfigStore, *changes: Change, expected: int) -> int:
    return await store.apply(changes, expected=expected, actor="cli:test", reason="thử")


async def test_a_new_store_is_empty(store: ConfigStore) -> None:
    assert await store.revision() == 0
    assert await store.items() == []
    assert await store.revisions() == []
    assert await store.province() == Province()


async def test_what_is_applied_comes_back_whole(store: ConfigStore) -> None:
    assert await apply(store, *added(OFFICE, PUSH, HOLD, SYSTEM), expected=0) == 1
    assert await store.revision() == 1
    assert await store.province() == Province(
        agencies=(OFFICE,), endpoints=(PUSH,), routes=(HOLD,), clients=(SYSTEM,)
    )


async def test_items_since_a_revision_are_those_touched_after_it(store: ConfigStore) -> None:
    await apply(store, *added(OFFICE, PUSH), expected=0)
    renamed = OFFICE.model_copy(update={"name": "Văn phòng UBND"})
    await apply(store, Change("agency", "H99.01", OFFICE, renamed), expected=1)
    await apply(store, removed(PUSH), expected=2)
    since = {item.name: item for item in await store.items(since=1)}
    assert {name: item.revision for name, item in since.items()} == {"H99.01": 2, "van-phong": 3}
    assert since["H99.01"].parse() == renamed
    assert since["van-phong"].parse() is None
    assert [item.name for item in await store.items(since=2)] == ["van-phong"]
    assert await store.items(since=3) == []


async def test_a_removed_item_can_return(store: ConfigStore) -> None:
    await apply(store, *added(PUSH), expected=0)
    await apply(store, removed(PUSH), expected=1)
    assert await store.province() == Province()
    await apply(store, *added(PUSH), expected=2)
    assert (await store.province()).endpoints == (PUSH,)


async def test_an_outdated_expectation_is_a_conflict_and_changes_nothing(
    store: ConfigStore,
) -> None:
    await apply(store, *added(OFFICE), expected=0)
    for expected in (0, 2):
        with pytest.raises(Conflict, match=f"no longer at revision {expected}"):
            await apply(store, *added(PUSH), expected=expected)
    assert await store.revision() == 1
    assert (await store.province()).endpoints == ()


async def test_nothing_to_change_makes_no_revision(store: ConfigStore) -> None:
    await apply(store, *added(OFFICE), expected=0)
    assert await apply(store, expected=1) == 1
    with pytest.raises(Conflict):
        await apply(store, expected=0)
    assert len(await store.revisions()) == 1


async def test_of_many_at_once_one_wins_each_revision(store: ConfigStore) -> None:
    """Every loser is told and tries again; the counter has no gaps and no change is lost."""
    endpoints = [Endpoint(name=f"e-{number}", kind="mailbox") for number in range(8)]
    conflicts = 0

    async def insist(endpoint: Endpoint) -> None:
        nonlocal conflicts
        while True:
            try:
                await apply(store, *added(endpoint), expected=await store.revision())
            except Conflict:
                conflicts += 1
            else:
                return

    await asyncio.gather(*(insist(endpoint) for endpoint in endpoints))
    assert conflicts > 0
    assert [row.revision for row in await store.revisions()] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [row.revision for row in await store.revisions(2, before=6)] == [5, 4]
    assert [row.revision for row in await store.revisions(since=6)] == [8, 7]
    assert (await store.province()).endpoints == tuple(endpoints)
    assert sorted(item.revision for item in await store.items()) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_each_revision_tells_who_when_why_and_what(store: ConfigStore) -> None:
    renamed = OFFICE.model_copy(update={"name": "Văn phòng UBND", "aliases": ()})
    await apply(store, *added(OFFICE, PUSH), expected=0)
    changes = [Change("agency", "H99.01", OFFICE, renamed), removed(PUSH)]
    await store.apply(changes, expected=1, actor="cli:an", reason="đổi tên", clock=lambda: 77)
    latest, first = await store.revisions()
    assert (latest.revision, latest.at, latest.actor, latest.reason) == (2, 77, "cli:an", "đổi tên")
    assert [change["action"] for change in first.changes] == ["added", "added"]
    office, push = latest.changes
    assert office["fields"]["name"] == ["Văn phòng", "Văn phòng UBND"]
    assert office["fields"].keys() == {"name", "aliases"}
    assert push == {
        "action": "removed",
        "kind": "endpoint",
        "name": "van-phong",
        "old": orjson.loads(PUSH.model_dump_json(exclude_defaults=True)),
    }
    assert [row.revision for row in await store.revisions(limit=1)] == [2]


async def test_a_failure_in_the_middle_leaves_no_trace(store: ConfigStore, db: Database) -> None:
    broken = Change("agency", None, None, OFFICE)  # type: ignore[arg-type] # refused by the database
    with pytest.raises(Exception, match=r"(?i)null"):
        await apply(store, *added(PUSH), broken, expected=0)
    assert await store.revision() == 0
    async with db.read() as connection:
        assert (await connection.execute(select(config_item))).all() == []
        assert (await connection.execute(select(config_revision))).all() == []


async def test_an_item_of_another_version_is_named(store: ConfigStore, db: Database) -> None:
    await apply(store, *added(OFFICE, PUSH), expected=0)
    async with db.write() as connection:
        body = '{"name":"van-phong","kind":"rest-push","warp":"s3cret-value"}'
        query = update(config_item).where(config_item.c.name == "van-phong").values(body=body)
        await connection.execute(query)
        row = {"kind": "holiday", "name": "tet", "body": "{}", "revision": 1}
        await connection.execute(insert(config_item), [row])
    items = {item.name: item for item in await store.items()}
    with pytest.raises(ConfigurationError, match=r"van-phong.*warp") as refused:
        items["van-phong"].parse()
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="holiday tet"):
        items["tet"].parse()
    with pytest.raises(ConfigurationError):
        await store.province()


async def test_a_large_directory_is_applied_and_read(store: ConfigStore) -> None:
    agencies = [Agency(code=f"H99.{number:05d}", name=f"Xã {number}") for number in range(5000)]
    assert await apply(store, *added(*agencies), expected=0) == 1
    assert (await store.province()).agencies == tuple(agencies)


async def test_a_database_that_is_away_is_said_so() -> None:
    db = Database("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(LedgerUnavailable):
        await ConfigStore(db).revision()
    await db.close()
