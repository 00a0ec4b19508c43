"""Of a release to come, for tests: an index on a large table.

Revision ID: 9003
"""

from __future__ import annotations

from bus.ledger.migrations import online

revision = "9003"
down_revision = "9002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    online.create_index("message_classification", "message", ["classification"])
