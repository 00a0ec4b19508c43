"""What migrations do to tables that are large and in use."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import TextClause, text

from bus.ledger.migrate import LOCK_TIMEOUT


def create_index(name: str, table: str, columns: list[str | TextClause], **options: Any) -> None:
    """As `op.create_index`, without stopping those who write to the table.

    PostgreSQL builds it aside, in no transaction: the migration that calls this does nothing else,
    for it may have to be done again.  What an earlier try left unfinished is made anew.
    """
    if op.get_context().dialect.name != "postgresql":
        op.create_index(name, table, columns, **options)
        return
    with op.get_context().autocommit_block():
        op.execute(text("SET lock_timeout = 0"))  # it waits for all who are at work, nobody for it
        op.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)
        op.execute(text(LOCK_TIMEOUT))
