"""Search among millions: a sender's id, a kind, words of a subject; and outages for reports.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bus.ledger.migrations import online

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WEEK = 604_800_000_000  # microseconds
_WORDS = (
    "(to_tsvector('simple', translate((canonical::json -> 'body' ->> 'subject'),"
    " '/-.:@_+&?=%#~', '             '))"
    f" || array_to_tsvector(ARRAY['@' || (accepted_at / {_WEEK})::text]))"
)


def upgrade() -> None:
    online.create_index("message_ref", "message", ["sender_ref"])
    online.create_index("message_kind", "message", ["kind", "id"])
    outages = sa.text("event IN ('breaker-opened','breaker-closed')")
    online.create_index(
        "journal_outages", "journal", ["at"], postgresql_where=outages, sqlite_where=outages
    )
    # What is new waits in a list of 256 kB: sorted in one by one it costs the writer four times the
    # CPU, and a longer list is read by every search, and cleared away by one unlucky writer.
    if op.get_context().dialect.name == "postgresql":
        online.create_index(
            "message_words",
            "message",
            [sa.text(_WORDS)],
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 256},
            postgresql_where=sa.text("kind = 'document'"),
        )
