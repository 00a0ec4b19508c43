"""Alembic revisions of the ledger: expand first, contract in a later release."""
