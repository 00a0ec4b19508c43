"""The line of dossier events that subscribers follow.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNNUMBERED = sa.text("position IS NULL")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "dossier_event",
        sa.Column("id", number, primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
    )
    op.create_index("dossier_event_position", "dossier_event", ["position"], unique=True)
    op.create_index(
        "dossier_event_unnumbered",
        "dossier_event",
        ["id"],
        postgresql_where=_UNNUMBERED,
        sqlite_where=_UNNUMBERED,
    )
    op.execute(
        "INSERT INTO dossier_event (message_id, sender, code, kind)"
        " SELECT id, sender, document_id, kind FROM message"
        " WHERE kind IN ('dossier', 'step') ORDER BY id"
    )
