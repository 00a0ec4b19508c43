"""Migrations bring a database to exactly the schema the code declares."""

from __future__ import annotations

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bus.ledger.database import Database
from bus.ledger.migrate import configuration, migrate
from bus.ledger.tables import metadata


def _difference(connection: Connection) -> list[object]:
    scripts = ScriptDirectory.from_config(configuration(connection))
    assert len(scripts.get_heads()) == 1
    context = MigrationContext.configure(connection)
    assert context.get_current_heads() == (scripts.get_current_head(),)
    return list(compare_metadata(context, metadata))


async def test_several_processes_migrate_at_once_to_what_is_declared(ledger_url: str) -> None:
    await asyncio.gather(*(migrate(ledger_url) for _ in range(3)))
    await migrate(ledger_url)
    db = Database(ledger_url)
    async with db.read() as connection:
        assert await connection.run_sync(_difference) == []
    await db.close()
