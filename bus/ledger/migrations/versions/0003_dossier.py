"""Dossiers and the steps of their timelines; the canonical form of what came in another.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("record", sa.Text(), nullable=True))
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE message ALTER COLUMN record SET COMPRESSION lz4")
    op.create_table(
        "dossier",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("first_message", sa.Text(), nullable=False),
        sa.Column("record_message", sa.Text(), nullable=True),
        sa.Column("nation_code", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("channel", sa.Integer(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("last_step_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "code"),
    )
    op.create_index("dossier_code", "dossier", ["code"])
    op.create_index("dossier_newest", "dossier", ["first_message"])
    op.create_index("dossier_sender", "dossier", ["sender", "first_message"])
    op.create_index("dossier_received", "dossier", ["received_at", "sender"])
    op.create_table(
        "dossier_step",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "code", "step_id"),
    )
    op.create_index(
        "delivery_held",
        "delivery",
        ["code", "id"],
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )
