"""Runs inside Alembic; `bus.ledger.migrate` gives it a connection."""

from __future__ import annotations

from alembic import context

from bus.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters tables only by copying them
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
