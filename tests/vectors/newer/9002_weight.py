"""Of a release to come, for tests: a column more that all old rows have, too.

Revision ID: 9002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9002"
down_revision = "9001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("weight", sa.Integer(), server_default="1", nullable=False))
