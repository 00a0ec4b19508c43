"""Of a release to come, for tests: a column, a table and an index more.

Revision ID: 9001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bus.ledger.migrations import online

revision = "9001"
down_revision = None  # set by who uses it: whatever is the newest
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("classification", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("weight", sa.Integer(), server_default="1", nullable=False))
    op.create_table(
        "remark",
        sa.Column("message_id", sa.Text(), primary_key=True),
        sa.Column("said", sa.Text(), nullable=False),
    )
    online.create_index("message_classification", "message", ["classification"])
