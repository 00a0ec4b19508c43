"""Migrations bring a database to exactly the schema the code declares."""

from __future__ import annotations

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bus.ledger import subjects
from bus.ledger.database import Database
from bus.ledger.migrate import configuration, migrate
from bus.ledger.tables import metadata

WORDS = "message_words"  # PostgreSQL's alone, made of an expression: cannot be compared


def _difference(connection: Connection) -> list[object]:
    scripts = ScriptDirectory.from_config(configuration(connection))
    assert len(scripts.get_heads()) == 1
    options = {"include_name": lambda name, _type, _parents: name != WORDS}
    context = MigrationContext.configure(connection, opts=options)
    assert context.get_current_heads() == (scripts.get_current_head(),)
    return list(compare_metadata(context, metadata))


async def test_several_processes_migrate_at_once_to_what_is_declared(ledger_url: str) -> None:
    await asyncio.gather(*(migrate(ledger_url) for _ in range(3)))
    await migrate(ledger_url)
    db = Database(ledger_url)
    async with db.read() as connection:
        assert await connection.run_sync(_difference) == []
    await db.close()


async def test_words_are_looked_up_in_the_index_that_was_made_for_them(ledger_url: str) -> None:
    await migrate(ledger_url)
    db = Database(ledger_url)
    found = f"{subjects.INDEXED} plainto_tsquery('simple', 'x')"
    query = f"EXPLAIN SELECT id FROM message WHERE {found}"  # noqa: S608 - constants
    async with db.read() as connection:
        if not db.is_sqlite:
            await connection.execute(text("DROP INDEX message_kind"))  # as good in an empty table
            await connection.execute(text(subjects.BY_INDEX_OF_WORDS))
            plan = "\n".join((await connection.execute(text(query))).scalars())
            assert f"Bitmap Index Scan on {WORDS}" in plan
    await db.close()
