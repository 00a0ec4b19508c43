"""Migrations bring a database to exactly the schema the code declares, under the feet of processes
that work with it; and what they may do is bounded.
"""

from __future__ import annotations

import asyncio
import io
import re
import runpy
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger import subjects
from bus.ledger.database import Database
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import _SCRIPTS, configuration, migrate
from bus.ledger.tables import metadata
from tests.contract.test_ledger import acceptance
from tests.newer import MORE, newer_program
from tests.waiting import wait_until

BASELINE = "0011"
"""The newest migration of the first release; those after it are bound by `broken_rules`."""

SMALL = frozenset(
    {
        *("access_token", "alert", "alert_memory", "alert_notice", "alert_silence", "client_key"),
        *("config_item", "config_revision", "console_account", "console_session", "data_feed"),
        *("endpoint_state", "journal_chain", "poll", "process", "service_job"),
    }
)
"""Tables that stay small: an index on them is built in the blink of an eye."""

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


async def test_the_program_of_the_release_before_works_on_the_schema_of_the_next(
    ledger_url: str, tmp_path: Path
) -> None:
    """One that ran before, and one that is started afterwards (or again)."""
    await migrate(ledger_url)
    before = await Ledger.open(ledger_url, tmp_path / "blobs")
    await before.accept(acceptance("m1"))
    with newer_program(tmp_path):
        await asyncio.gather(*(migrate(ledger_url) for _ in range(2)))
    await before.accept(acceptance("m2"))
    await migrate(ledger_url)
    after = await Ledger.open(ledger_url, tmp_path / "blobs")
    await after.accept(acceptance("m3"))
    repeats = [await after.accept(acceptance(f"m{n}")) for n in (1, 2, 3)]
    assert all(each.duplicate for each in repeats)
    await before.close()
    await after.close()


@pytest.mark.postgres
async def test_accepting_goes_on_while_a_migration_waits_for_a_table(
    postgres_url: str, tmp_path: Path
) -> None:
    """Somebody reads for long, a report or a backup: the migration has to wait for that, and
    nobody has to wait for the migration.
    """
    await migrate(postgres_url)
    ledger = await Ledger.open(postgres_url, tmp_path / "blobs")
    reader = Database(postgres_url)
    with newer_program(tmp_path):
        async with reader.read() as connection:
            await connection.execute(text("SELECT count(*) FROM message"))
            upgrade = asyncio.create_task(migrate(postgres_url))
            async with reader.read() as other:
                waiting: bool = await wait_until(
                    partial(_waits, other), 60, "the migration to wait"
                )
            for number in range(5):
                await ledger.accept(acceptance(f"m{number}"))
            assert waiting
            assert not upgrade.done()
        await upgrade
    await reader.close()
    await ledger.close()


async def _waits(connection: AsyncConnection) -> bool:
    found = await connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted"))
    await connection.commit()
    return found.first() is not None


# --- what a migration may do ----------------------------------------------------------------------


def _after_baseline() -> list[Script]:
    scripts = ScriptDirectory(str(_SCRIPTS))
    return list(scripts.iterate_revisions("heads", BASELINE))


@pytest.mark.parametrize("script", _after_baseline(), ids=lambda each: each.revision)
def test_each_migration_only_adds_unless_it_says_contract(script: Script) -> None:
    """What a contract removes was not used by the release before, see bus/ledger/migrate.py."""
    if getattr(script.module, "contract", ""):
        return
    assert broken_rules(_sql(script.module.upgrade)) == []


def _sql(upgrade: object) -> str:
    """As PostgreSQL would get it."""
    assert callable(upgrade)
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    with Operations.context(context):
        upgrade()
    return written.getvalue()


_FORBIDDEN = {
    "drops": r"\bDROP (TABLE|COLUMN|CONSTRAINT|TRIGGER|FUNCTION|INDEX(?! CONCURRENTLY))",
    "renames": r"\bRENAME\b",
    "demands": r"\bSET NOT NULL\b|\bADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b",
    "changes a type": r"\bALTER COLUMN \S+ (SET DATA )?TYPE\b",
    "checks old rows": r"\bADD CONSTRAINT\b(?!.*\bNOT VALID\b)",
    "writes rows": r"^(UPDATE|DELETE|INSERT)\b",
}
_NOTHING = re.compile(r"$|BEGIN$|COMMIT$|SET ")
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*? ON (\w+)")


def broken_rules(sql: str) -> list[str]:
    """By a migration that PostgreSQL runs as this SQL."""
    made = set(re.findall(r"CREATE TABLE (\w+)", sql))
    broken = []
    lines = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    statements = [re.sub(r"\s+", " ", each).strip() for each in lines.split(";")]
    aside = [each for each in statements if " CONCURRENTLY " in each]
    others = [each for each in statements if each not in aside and not _NOTHING.match(each)]
    changed = set(re.findall(r"^ALTER TABLE (\w+)", lines, re.MULTILINE)) - made
    if len(changed) > 1:  # it would keep one while it waits for the other
        broken.append(f"several tables: {', '.join(sorted(changed))}")
    if aside and others:  # it may be done again from its beginning
        broken.append(f"not alone: {others[0]}")
    for statement in statements:
        index = _INDEX.match(statement)
        if index and not index[1] and index[2] not in made | SMALL:
            broken.append(f"stops writers: {statement}")
        broken += [
            f"{rule}: {statement}"
            for rule, pattern in _FORBIDDEN.items()
            if re.search(pattern, statement)
        ]
    return broken


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE message DROP COLUMN trace", "drops"),
        ("DROP TABLE rating", "drops"),
        ("ALTER TABLE message RENAME TO post", "renames"),
        ("ALTER TABLE message ALTER COLUMN trace SET NOT NULL", "demands"),
        ("ALTER TABLE message ADD COLUMN more TEXT NOT NULL", "demands"),
        ("ALTER TABLE message ALTER COLUMN size TYPE INTEGER", "changes a type"),
        ("ALTER TABLE message ADD CONSTRAINT one UNIQUE (trace)", "checks old rows"),
        ("UPDATE message SET trace = ''", "writes rows"),
        ("CREATE INDEX more ON message (trace)", "stops writers"),
        (
            "CREATE INDEX CONCURRENTLY more ON message (trace); CREATE TABLE one (id TEXT)",
            "not alone",
        ),
        (
            "ALTER TABLE message ADD COLUMN more TEXT;\nALTER TABLE delivery ADD COLUMN more TEXT",
            "several tables",
        ),
    ],
)
def test_a_migration_that_would_harm_is_seen(sql: str, rule: str) -> None:
    assert [each.partition(":")[0] for each in broken_rules(f"{sql};")] == [rule]


@pytest.mark.parametrize("path", sorted(MORE.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_migration_may_do(path: Path) -> None:
    """Columns that may be empty or have a default, tables, an index that is built aside."""
    assert broken_rules(_sql(runpy.run_path(str(path))["upgrade"])) == []
