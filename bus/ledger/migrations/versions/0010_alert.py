"""Alerts: what is wrong, who was told, and what the rules know of earlier.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _alerts()
    _notices()
    op.create_table(
        "alert_silence",
        sa.Column("pattern", sa.Text(), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "alert_memory",
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "tally",
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("at", sa.BigInteger(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=True),
        sa.Column("high", sa.BigInteger(), nullable=True),
    )
    op.create_index("tally_at", "tally", ["at"])
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "dossier_unfinished",
        "dossier",
        ["sender", "due_at"],
        postgresql_where=unfinished,
        sqlite_where=unfinished,
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("culprit", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
    )
    unresolved = sa.text("resolved_at IS NULL")
    op.create_index(
        "alert_unresolved",
        "alert",
        ["key"],
        unique=True,
        postgresql_where=unresolved,
        sqlite_where=unresolved,
    )
    op.create_index("alert_raised", "alert", ["raised_at"])


def _notices() -> None:
    op.create_table(
        "alert_notice",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("culprit", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
    )
    unsent = sa.text("sent_at IS NULL")
    op.create_index(
        "alert_notice_due",
        "alert_notice",
        ["channel", "id"],
        postgresql_where=unsent,
        sqlite_where=unsent,
    )
    op.create_index("alert_notice_sent", "alert_notice", ["channel", "culprit", "sent_at"])
