"""Walks the whole journal and says whether it is what was written."""

from __future__ import annotations

from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.journal import JournalReport, Verifier
from bus.ledger.tables import journal, journal_chain

ROWS = 5_000


async def verify_journal(db: Database) -> JournalReport:
    """Reads in one snapshot, a few thousand rows at a time."""
    async with db.read() as connection:
        if not db.is_sqlite:
            await connection.execution_options(isolation_level="REPEATABLE READ")
        heads = {
            row.chain: (row.seq, row.hash)
            for row in (await connection.execute(select(journal_chain))).all()
        }
        verifier = Verifier(heads)
        entries = await connection.stream(
            select(journal).order_by(journal.c.chain, journal.c.seq),
            execution_options={"yield_per": ROWS},
        )
        async for partition in entries.partitions():
            for row in partition:
                verifier.feed(tuple(row))
    return verifier.report()
