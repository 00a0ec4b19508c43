"""Keeps what is counted of ratings (đánh giá), in the transaction that accepts them."""

from __future__ import annotations

from collections.abc import Sequence

from bus.ledger.records import Acceptance
from bus.ledger.tx import Columns, Tx
from schemas.instant import from_datetime
from schemas.message import RatingBody

RATING = """
INSERT INTO rating (message_id, agency, code, score, service, at)
SELECT message_id, agency, code, score, service, at FROM {rows} WHERE true
ON CONFLICT (message_id) DO NOTHING
"""
RATING_COLUMNS: Columns = (
    ("message_id", "text"),
    ("agency", "text"),
    ("code", "text"),
    ("score", "int"),
    ("service", "int"),
    ("at", "bigint"),
)


async def settle(tx: Tx, acceptances: Sequence[Acceptance]) -> None:
    """What newly accepted ratings say."""
    rows = [
        (m.id, body.agency, body.code, body.score, body.service, from_datetime(body.at))
        for m in (each.message for each in acceptances)
        if isinstance(body := m.body, RatingBody)
    ]
    if rows:
        await tx.over(RATING, RATING_COLUMNS, rows)
