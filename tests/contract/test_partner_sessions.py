"""Partners' sessions shared by processes, on every database: one renews, the others use it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from adapters.sessions import Session
from bus.ledger.database import Database
from bus.ledger.partner_sessions import PartnerSessions
from bus.ledger.tables import partner_session
from schemas import instant
from schemas.instant import SECOND
from tests.waiting import wait_until

KEY = b"k" * 32
ACCOUNT = ("token", "https://api.example/token", "truc", "mat-khau-cua-doi-tac")


@pytest.fixture
async def db(ledger_url: str) -> AsyncIterator[Database]:
    """The one table that is needed: making all takes seconds."""
    database = Database(ledger_url)
    async with database.write() as connection:
        await connection.run_sync(partner_session.create)
    yield database
    # renewals that nobody waits for any more: they end before their loop does
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=10)
    await database.close()


class Partner:
    """Gives sessions, and says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.same = False  # as WSO2 does: the same token until it ends
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def log_in(self) -> str:
        self.asked += 1
        number = 1 if self.same else self.asked
        await self.open.wait()
        if self.fails:
            raise ConnectionError
        return f"session-{number}"

    def process(self, db: Database, *, key: bytes = KEY, seconds: float = 15) -> Session:
        """As each process of the bus has it."""
        shared = PartnerSessions(db, key, instant.now)(*ACCOUNT)
        return Session(
            self.log_in, seconds=600, shared=shared, login_seconds=seconds, chance=lambda: 0
        )


async def used(*sessions: Session) -> set[str]:
    return set(await asyncio.gather(*(each.current() for each in sessions for _ in range(20))))


async def aged(db: Database, *, renew_in: int, ends_in: int) -> None:
    """The row as if time had passed, in seconds."""
    now = instant.now()
    ages = {"renew_at": now + renew_in * SECOND, "ends_at": now + ends_in * SECOND}
    async with db.write() as connection:
        await connection.execute(update(partner_session).values(ages))


async def test_many_processes_ask_the_partner_once(db: Database) -> None:
    partner = Partner()
    assert await used(*(partner.process(db) for _ in range(5))) == {"session-1"}
    assert partner.asked == 1


async def test_what_is_over_is_renewed_once_for_all(db: Database) -> None:
    partner = Partner()
    await partner.process(db).current()
    await aged(db, renew_in=-10, ends_in=-1)
    assert await used(*(partner.process(db) for _ in range(5))) == {"session-2"}
    assert partner.asked == 2


async def test_while_one_process_renews_the_others_go_on_with_the_old_one(db: Database) -> None:
    partner = Partner()
    await partner.process(db).current()
    await aged(db, renew_in=-10, ends_in=300)
    partner.open.clear()
    renewing = partner.process(db)
    new = asyncio.create_task(renewing.current())
    await wait_until(lambda: partner.asked == 2, what="the renewal")
    assert await used(*(partner.process(db) for _ in range(3))) == {"session-1"}
    assert partner.asked == 2
    partner.open.set()
    assert await new == "session-2"
    assert await used(*(partner.process(db) for _ in range(3))) == {"session-2"}


@pytest.mark.parametrize("same", [False, True])
async def test_a_refused_session_is_renewed_once_for_all_processes(
    db: Database, *, same: bool
) -> None:
    partner = Partner()
    partner.same = same
    processes = [partner.process(db) for _ in range(4)]
    await used(*processes)

    async def again(process: Session) -> None:
        process.refused("session-1")
        await process.current()

    await asyncio.gather(*(again(each) for each in processes))
    assert partner.asked == 2
    assert await used(*processes) == {"session-1" if same else "session-2"}


async def test_a_refusal_of_what_another_process_has_renewed_asks_nobody(db: Database) -> None:
    partner = Partner()
    one, other = partner.process(db), partner.process(db)
    await used(one, other)
    one.refused("session-1")
    assert await one.current() == "session-2"
    assert await other.current() == "session-1", "it has not been told no yet"
    other.refused("session-1")
    assert await other.current() == "session-2"
    assert partner.asked == 2


async def test_a_process_that_dies_while_it_renews_keeps_nobody_waiting_for_long(
    db: Database,
) -> None:
    partner = Partner()
    dead = PartnerSessions(db, KEY, instant.now)(*ACCOUNT)
    assert await dead.take(0, seconds=0.5)
    assert await partner.process(db).current() == "session-1"
    assert partner.asked == 1


async def test_a_login_that_failed_lets_the_next_one_try_at_once(db: Database) -> None:
    partner = Partner()
    partner.fails = True
    with pytest.raises(ConnectionError):
        await partner.process(db, seconds=600).current()
    partner.fails = False
    assert await partner.process(db, seconds=600).current() == "session-2"


async def test_a_login_that_was_cancelled_lets_the_next_one_try_at_once(db: Database) -> None:
    partner = Partner()
    partner.open.clear()
    call = asyncio.create_task(partner.process(db, seconds=600).current())
    await wait_until(lambda: partner.asked, what="a login")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    partner.open.set()
    assert await partner.process(db, seconds=600).current() == "session-2"


async def test_a_right_that_is_over_writes_nothing(db: Database) -> None:
    place = PartnerSessions(db, KEY, instant.now)(*ACCOUNT)
    late = await place.take(0, seconds=0)
    good = await place.take(0, seconds=60)
    assert late
    assert good
    assert await place.take(0, seconds=60) == "", "another one has it"
    assert not await place.keep(late, "old", renew_in=60, ends_in=60)
    assert await place.keep(good, "new", renew_in=60, ends_in=60)
    assert await place.take(0, seconds=60) == "", "it was renewed meanwhile"
    found = await place.find()
    assert found is not None
    assert (found.session, found.serial) == ("new", 1)


async def test_the_database_alone_tells_neither_session_nor_account(db: Database) -> None:
    partner = Partner()
    await partner.process(db).current()
    async with db.read() as connection:
        rows = (await connection.execute(select(partner_session))).mappings().all()
    stored = b"".join(bytes(value) for value in rows[0].values() if isinstance(value, bytes))
    assert b"session-1" not in stored + repr(rows).encode()
    assert all(text.encode() not in stored for text in ACCOUNT)
    other = PartnerSessions(db, b"another secret", instant.now)(*ACCOUNT)
    assert await other.find() is None, "under another secret it is another place"


async def test_what_somebody_wrote_into_the_row_is_renewed_not_used(db: Database) -> None:
    partner = Partner()
    await partner.process(db).current()
    async with db.write() as connection:
        await connection.execute(update(partner_session).values(sealed=b"x" * 40))
    assert await partner.process(db).current() == "session-2"


async def test_accounts_that_are_used_no_more_leave_nothing_behind(db: Database) -> None:
    partner = Partner()
    await partner.process(db).current()
    await aged(db, renew_in=-90_001, ends_in=-90_000)
    place = PartnerSessions(db, KEY, instant.now)("another account")
    assert await place.keep(await place.take(0, seconds=60), "s", renew_in=60, ends_in=60)
    async with db.read() as connection:
        assert len((await connection.execute(select(partner_session))).all()) == 1


async def test_without_the_ledger_a_process_helps_itself(tmp_path: Path) -> None:
    partner = Partner()
    away = Database(f"sqlite+aiosqlite:///{tmp_path}/nowhere/ledger.db")
    try:
        process = partner.process(away)
        assert await used(process) == {"session-1"}
        process.refused("session-1")
        assert await process.current() == "session-2"
    finally:
        await away.close()
        # aiosqlite says goodbye to a file it could not open from its own threads
        await wait_until(lambda: not _threads(), what="the threads of the driver to end")


def _threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if "_connection_worker_thread" in name]
