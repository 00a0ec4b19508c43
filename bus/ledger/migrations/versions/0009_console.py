"""Accounts of the console and their sessions; what its search finds messages by.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PERSONS = sa.text("substr(actor, 1, 4) = 'cli:' OR substr(actor, 1, 8) = 'console:'")


def upgrade() -> None:
    op.create_table(
        "console_account",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agencies", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("login_at", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("subject", name="console_account_subject"),
    )
    op.create_table(
        "console_session",
        sa.Column("hash", sa.LargeBinary(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("console_session_account", "console_session", ["account"])
    op.create_index("message_sender", "message", ["sender", "id"])
    op.create_index(
        "journal_persons", "journal", ["at"], postgresql_where=_PERSONS, sqlite_where=_PERSONS
    )
    op.create_index("dossier_nation_code", "dossier", ["nation_code"])
