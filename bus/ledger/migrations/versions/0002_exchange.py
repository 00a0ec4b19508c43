"""Documents are followed at their receivers; what a partner's packet was refused for is kept.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("document_code", sa.Text(), nullable=False),
        sa.Column("promulgated", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("business", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("steering", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recall", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.Boolean(), nullable=False),
        sa.Column("arrival_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "receiver"),
    )
    op.create_index("exchange_document", "exchange", ["document_id", "receiver"])
    op.create_index("exchange_code", "exchange", ["document_code", "receiver"])
    op.create_index("exchange_receiver", "exchange", ["receiver", "sent_at"])
    op.create_index("exchange_sender", "exchange", ["sender", "sent_at"])
    op.create_index(
        "exchange_reports",
        "exchange",
        ["arrived_at"],
        postgresql_where=sa.text("reports AND arrived_at IS NOT NULL AND NOT arrival_told"),
        sqlite_where=sa.text("reports AND arrived_at IS NOT NULL AND NOT arrival_told"),
    )
    op.create_table(
        "exchange_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told_by", sa.Text(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("exchange_event_document", "exchange_event", ["message_id", "receiver"])
    op.create_table(
        "refused_packet",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "ref"),
    )
    op.create_index("refused_packet_blob", "refused_packet", ["sha256"])
