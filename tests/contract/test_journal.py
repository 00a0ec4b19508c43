"""The journal refuses to be changed, and tells when somebody with the key to the house did it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bus.ledger.ledger import Ledger
from tests.ledgers import prepare

ENTRIES: Final = 6  # of each writer: the start of its chain and five notes
ALTERED: Final[dict[str, Any]] = {
    "at": 1,
    "event": "forged",
    "message_id": "m-forged",
    "delivery_id": 99,
    "actor": "somebody else",
    "data": '{"n":42}',
    "hash": bytes(32),
}


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Two writers wrote one after the other; the second has seen the chain of the first."""
    await prepare(ledger_url)
    first = await Ledger.open(ledger_url, tmp_path / "blobs", actor="first")
    second = await Ledger.open(ledger_url, tmp_path / "blobs", actor="second")
    for writer in (first, second):
        for n in range(ENTRIES - 1):
            await writer.note("noted", actor=writer.process, data={"n": n}, message_id="m")
    yield second
    await asyncio.gather(first.close(), second.close())


async def execute(ledger: Ledger, *statements: str, **values: Any) -> None:
    async with ledger.db.write() as connection:
        for statement in statements:
            await connection.execute(text(statement), values)


async def chains(ledger: Ledger) -> list[str]:
    """The chain of the first writer, then that of the second: their ids are UUIDv7."""
    async with ledger.db.read() as connection:
        return list(await connection.scalars(text("SELECT chain FROM journal_chain ORDER BY 1")))


async def unlock(ledger: Ledger) -> None:
    """What an intruder with the rights of the owner would do first."""
    if ledger.db.is_sqlite:
        await execute(ledger, *(f"DROP TRIGGER journal_no_{e}" for e in ("UPDATE", "DELETE")))
    else:
        await execute(ledger, "DROP TRIGGER journal_append_only ON journal")


async def problems(ledger: Ledger) -> tuple[str, ...]:
    return (await ledger.verify_journal()).problems


async def test_what_was_written_verifies(ledger: Ledger) -> None:
    report = await ledger.verify_journal()
    assert (report.chains, report.entries, report.problems) == (2, 2 * ENTRIES, ())


async def test_an_empty_journal_verifies(ledger_url: str, tmp_path: Path) -> None:
    await prepare(ledger_url)
    ledger = await Ledger.open(ledger_url, tmp_path / "blobs")
    report = await ledger.verify_journal()
    await ledger.close()
    assert (report.chains, report.entries, report.problems) == (0, 0, ())


async def test_concurrent_writers_leave_whole_chains(ledger_url: str, tmp_path: Path) -> None:
    await prepare(ledger_url)
    writers = [await Ledger.open(ledger_url, tmp_path / "b", actor=f"w{n}") for n in range(4)]
    await asyncio.gather(
        *(writers[n % 4].note("noted", actor="t", data={"n": n}) for n in range(100))
    )
    report = await writers[0].verify_journal()
    await asyncio.gather(*(writer.close() for writer in writers))
    assert (report.chains, report.entries, report.problems) == (4, 104, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET actor = 'nobody'",
        "UPDATE journal SET seq = seq + 100 WHERE seq = 6",
        "DELETE FROM journal WHERE seq = 6",
        "DELETE FROM journal",
    ],
)
async def test_the_database_refuses(ledger: Ledger, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await execute(ledger, statement)
    report = await ledger.verify_journal()
    assert (report.entries, report.problems) == (2 * ENTRIES, ())


async def test_the_database_refuses_what_its_dialect_adds(ledger: Ledger) -> None:
    """SQLite's REPLACE deletes without asking DELETE triggers, unless they are recursive."""
    statement = (
        "INSERT OR REPLACE INTO journal SELECT chain, seq, at, 'forged', message_id, delivery_id,"
        " actor, data, hash FROM journal WHERE seq = 3"
    )
    with pytest.raises(DBAPIError, match="append-only"):
        await execute(ledger, statement if ledger.db.is_sqlite else "TRUNCATE journal")
    report = await ledger.verify_journal()
    assert (report.entries, report.problems) == (2 * ENTRIES, ())


@pytest.mark.parametrize("column", ALTERED)
async def test_an_altered_entry_is_reported(ledger: Ledger, column: str) -> None:
    chain, _ = await chains(ledger)
    await unlock(ledger)
    await execute(
        ledger,
        f"UPDATE journal SET {column} = :value WHERE chain = :chain AND seq = 3",  # noqa: S608 - a constant of this file
        value=ALTERED[column],
        chain=chain,
    )
    assert f"chain {chain}: entry 3 was altered" in await problems(ledger)


async def test_an_altered_start_of_a_chain_is_reported(ledger: Ledger) -> None:
    """Wiping the anchors out is what hides the removal of another chain."""
    _, chain = await chains(ledger)
    await unlock(ledger)
    await execute(
        ledger,
        "UPDATE journal SET data = :data WHERE chain = :chain AND seq = 1",
        data='{"anchors":{}}',
        chain=chain,
    )
    assert f"chain {chain}: entry 1 was altered" in await problems(ledger)


@pytest.mark.parametrize(
    "data", ["", "{}", "[]", '{"anchors":{"c":"x"}}', '{"anchors":{"c":[1,"zz"]}}']
)
async def test_a_garbled_start_of_a_chain_is_reported(ledger: Ledger, data: str) -> None:
    _, chain = await chains(ledger)
    await unlock(ledger)
    await execute(
        ledger,
        "UPDATE journal SET data = :data WHERE chain = :chain AND seq = 1",
        data=data,
        chain=chain,
    )
    assert f"chain {chain}: entry 1 was altered" in await problems(ledger)


async def test_a_missing_entry_is_reported(ledger: Ledger) -> None:
    chain, _ = await chains(ledger)
    await unlock(ledger)
    await execute(ledger, "DELETE FROM journal WHERE chain = :chain AND seq = 3", chain=chain)
    assert f"chain {chain}: entry 3 is missing" in await problems(ledger)


@pytest.mark.parametrize("which", [0, 1])
async def test_a_deleted_tail_is_reported(ledger: Ledger, which: int) -> None:
    chain = (await chains(ledger))[which]
    await unlock(ledger)
    await execute(ledger, "DELETE FROM journal WHERE chain = :chain AND seq > 4", chain=chain)
    assert f"chain {chain}: does not end where the ledger says" in await problems(ledger)


async def test_a_deleted_tail_with_a_forged_end_is_reported(ledger: Ledger) -> None:
    chain, witness = await chains(ledger)
    await unlock(ledger)
    await execute(
        ledger,
        "DELETE FROM journal WHERE chain = :chain AND seq > 4",
        "UPDATE journal_chain SET seq = 4, hash ="
        " (SELECT hash FROM journal WHERE chain = :chain AND seq = 4) WHERE chain = :chain",
        chain=chain,
    )
    assert await problems(ledger) == (f"chain {chain}: entry 6 is not what chain {witness} saw",)


async def test_a_deleted_chain_is_reported(ledger: Ledger) -> None:
    chain, witness = await chains(ledger)
    await unlock(ledger)
    await execute(ledger, "DELETE FROM journal WHERE chain = :chain", chain=chain)
    assert f"chain {chain}: removed, the ledger knows its end at entry 6" in await problems(ledger)
    await execute(ledger, "DELETE FROM journal_chain WHERE chain = :chain", chain=chain)
    assert await problems(ledger) == (f"chain {chain}: entry 6 is not what chain {witness} saw",)


async def test_an_inserted_entry_is_reported(ledger: Ledger) -> None:
    chain, _ = await chains(ledger)
    await execute(
        ledger,
        "INSERT INTO journal (chain, seq, at, event, actor, data, hash)"
        " SELECT chain, 7, at, event, actor, data, hash FROM journal"
        " WHERE chain = :chain AND seq = 6",
        chain=chain,
    )
    found = await problems(ledger)
    assert f"chain {chain}: entry 7 was altered" in found
    assert f"chain {chain}: does not end where the ledger says" in found
