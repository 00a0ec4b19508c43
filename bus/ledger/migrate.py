"""Brings a database to the newest schema, while others work with it.

A migration only adds (a table, a column that may be empty, an index built aside), so the program of
the release before goes on unharmed; what became useless is removed a release later, in a migration
that says `contract`.  On PostgreSQL each is a transaction of its own, which gives its place in the
queue for a table up after `LOCK_SECONDS` and tries again: nobody behind it waits longer than that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy.exc
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.database import Database
from schemas.errors import LedgerUnavailable

log = structlog.get_logger(__name__)

LOCK_SECONDS = 0.5
"""Less than the second after which PostgreSQL looks for a deadlock: a migration is to yield."""
LOCK_TIMEOUT = f"SET lock_timeout = '{LOCK_SECONDS * 1000:.0f}ms'"
PAUSE_SECONDS = 2.0
"""Between two tries: whoever waited behind the first goes on meanwhile."""
EMBEDDED_SECONDS = 120.0
"""That another process may take on SQLite."""

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 4_774_950_010  # any number, the same in every process
_LOCKED = "55P03"  # lock_not_available


async def migrate(database_url: str) -> None:
    """Upgrade to head; several processes may ask at once and one does it.

    A newer schema than this program knows is left as it is: it only has more.
    """
    db = Database(database_url)
    try:
        if db.is_sqlite:
            await _embedded(db)
            return
        async with db.session() as connection:
            if await _ask(connection, _behind):
                await _alone(connection)
                await _online(connection)
    finally:
        await db.close()


async def _embedded(db: Database) -> None:
    """All in one transaction; another process that does it may take longer than SQLite waits."""
    deadline = time.monotonic() + EMBEDDED_SECONDS
    while True:
        try:
            async with db.write() as connection:
                if await connection.run_sync(_behind):
                    await connection.run_sync(_upgrade)
        except LedgerUnavailable as error:
            if "locked" not in str(error.__cause__) or time.monotonic() > deadline:
                raise
        else:
            return


async def _alone(connection: AsyncConnection) -> None:
    """Until the session ends. It is not waited for inside a statement: that would be a transaction
    for whose end an index that is being built aside waits in turn.
    """
    lock = text("SELECT pg_try_advisory_lock(:n)")
    while not (await connection.execute(lock, {"n": _LOCK})).scalar():
        await connection.commit()
        await asyncio.sleep(0.2)
    await connection.execute(text(LOCK_TIMEOUT))
    await connection.commit()


async def _online(connection: AsyncConnection) -> None:
    told = False
    while await _ask(connection, _behind):
        try:
            await connection.run_sync(_upgrade)
        except sqlalchemy.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCKED:
                raise
            if not told:
                log.warning("ledger.migration_waits_for_a_table")
                told = True
            await connection.rollback()
            await asyncio.sleep(PAUSE_SECONDS)


async def _ask(connection: AsyncConnection, question: Callable[[Connection], bool]) -> bool:
    """And no transaction left open."""
    answer = await connection.run_sync(question)
    await connection.commit()
    return answer


def _behind(connection: Connection) -> bool:
    """Whether it lacks a migration that this program knows."""
    scripts = ScriptDirectory.from_config(configuration(connection))
    known = {each.revision for each in scripts.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if newer := set(found) - known:
        log.warning("ledger.newer_than_this_program", revisions=sorted(newer))
        return False
    return found != tuple(scripts.get_heads())


def _upgrade(connection: Connection) -> None:
    command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
