"""Dossiers of which a status is told that no table translates yet.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dossier_wait",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("local", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
    )
    op.create_index("dossier_wait_message", "dossier_wait", ["message_id"], unique=True)
    op.create_index("dossier_wait_dossier", "dossier_wait", ["sender", "code"])
    op.create_index("dossier_wait_local", "dossier_wait", ["sender", "local", "day"])
