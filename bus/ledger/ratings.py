"""Keeps what is counted of ratings (đánh giá), in the transaction that accepts them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.records import Acceptance
from bus.ledger.tables import rating
from bus.ledger.tx import Columns, Tx
from schemas.instant import Instant, from_datetime
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


class RatingRow(NamedTuple):
    """One rating, without its words."""

    agency: str
    code: str
    score: int
    service: int | None
    at: Instant


async def settle(tx: Tx, acceptances: Sequence[Acceptance]) -> None:
    """What newly accepted ratings say."""
    rows = [
        (m.id, body.agency, body.code, body.score, body.service, from_datetime(body.at))
        for m in (each.message for each in acceptances)
        if isinstance(body := m.body, RatingBody)
    ]
    if rows:
        await tx.over(RATING, RATING_COLUMNS, rows)


class Ratings:
    """Reads of them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def between(
        self, since: Instant, until: Instant, agencies: Collection[str] | None = None
    ) -> list[RatingRow]:
        """Given from `since` to before `until`, in order of time."""
        query = (
            select(*(rating.c[name] for name in RatingRow._fields))
            .where(rating.c.at >= since, rating.c.at < until)
            .order_by(rating.c.at, rating.c.message_id)
        )
        if agencies is not None:
            query = query.where(rating.c.agency.in_(agencies))
        async with self._db.read() as connection:
            return [RatingRow(*row) for row in await connection.execute(query)]
