"""Of a release to come, for tests: a column and a table more.

Revision ID: 9001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "HEAD"  # whatever is the newest: tests/newer.py
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("classification", sa.Text(), nullable=True))
    op.create_table(
        "remark",
        sa.Column("message_id", sa.Text(), primary_key=True),
        sa.Column("said", sa.Text(), nullable=False),
    )
