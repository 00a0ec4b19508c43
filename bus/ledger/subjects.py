"""Words of a subject (trích yếu), looked for in all documents, newest first.

PostgreSQL has an index of words, which tells in no order which messages have them: fine for words
of few documents.  Of a word that many have the newest are wanted: the newest documents are read
first, and behind them week by week, which the index knows as well.  SQLite has no such index and
reads the newest `SCANNED` documents.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.database import Database
from bus.ledger.queries import MESSAGE_COLUMNS, message_row, their_messages
from bus.ledger.records import MessageRow
from bus.ledger.tables import WEEK, exchange, message, subject_words, words

SCANNED = 20_000
NEWEST = 1_000  # documents that PostgreSQL reads before it asks its index
FEW = 1_000  # found by the index, they are put in order by reading them
OWN = 2_000  # newest documents read of an agency: so many that it sent, so many that it got
SIFTED = 5_000  # found by the index, an agency's are picked out of them
MOST_WORDS = 8

_ASKED = "plainto_tsquery('simple', :words)"
_SUBJECT = words("subject")
INDEXED = f"kind = 'document' AND {subject_words()} @@"
_NEWEST_OF_ALL = f"""
SELECT message_id FROM (
  SELECT message_id, subject FROM exchange ORDER BY message_id DESC LIMIT :newest) newest
WHERE {_SUBJECT} @@ {_ASKED} GROUP BY message_id ORDER BY message_id DESC LIMIT :limit
"""  # noqa: S608 - constants of this package
_NEWEST_OF_ONE = f"""
SELECT message_id FROM (
  (SELECT message_id, subject FROM exchange WHERE sender = :agency
   ORDER BY sent_at DESC LIMIT :newest)
  UNION ALL
  (SELECT message_id, subject FROM exchange WHERE receiver = :agency
   ORDER BY sent_at DESC LIMIT :newest)) newest
WHERE {_SUBJECT} @@ {_ASKED}
"""  # noqa: S608 - constants of this package
_EVERY = f"SELECT id FROM message WHERE {INDEXED} {_ASKED} LIMIT :limit"  # noqa: S608
_BY_WEEK = f"""
SELECT found.id FROM generate_series(cast(:newest AS bigint), :oldest, -1) AS week(n), LATERAL (
  SELECT id FROM message
  WHERE {INDEXED} ({_ASKED} && cast('''@' || n || '''' AS tsquery))
  ORDER BY id DESC LIMIT :limit) found
LIMIT :limit
"""  # noqa: S608 - constants of this package
_ENDS = "SELECT min(id), max(id) FROM message"
BY_INDEX_OF_WORDS = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),
  set_config('jit', 'off', true), set_config('work_mem', '32MB', true)
"""
"""A plan that walks the newest messages until enough fit is quick for a common word and takes
minutes for one that is common no more."""


class Subjects:
    """Every method raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(
        self, asked: str, *, agencies: Collection[str] | None, limit: int
    ) -> list[MessageRow]:
        """Documents whose subject has all these words, newest first. `agencies`: whose; None:
        everybody's.

        Where more than `SIFTED` documents have the words, an agency's are its newest alone.
        """
        wanted = [word for word in re.split(r"[\W_]+", asked) if word][:MOST_WORDS]
        if not wanted:
            return []
        async with self._db.read() as connection:
            if self._db.is_sqlite:
                found = list((await connection.execute(_scan(wanted, agencies))).scalars())
            elif agencies is None:
                found = await _everybodys(connection, " ".join(wanted), limit)
            else:
                found = await _own(connection, " ".join(wanted), agencies)
        query = select(*MESSAGE_COLUMNS).where(message.c.id.in_(found), *their_messages(agencies))
        async with self._db.read() as connection:
            rows = await connection.execute(query.order_by(message.c.id.desc()).limit(limit))
            return [message_row(row) for row in rows]


async def _everybodys(connection: AsyncConnection, wanted: str, limit: int) -> list[str]:
    given = {"words": wanted, "newest": NEWEST, "limit": limit}
    found = await _ids(connection, _NEWEST_OF_ALL, given)
    if len(found) == limit:
        return found
    await _by_index_of_words(connection)
    every = await _ids(connection, _EVERY, {"words": wanted, "limit": FEW + 1})
    if len(every) <= FEW:
        return sorted(every, reverse=True)[:limit]
    oldest, newest = (await connection.execute(text(_ENDS))).one()
    given = {"words": wanted, "oldest": _week(oldest), "newest": _week(newest), "limit": limit}
    return await _ids(connection, _BY_WEEK, given)


async def _own(connection: AsyncConnection, wanted: str, agencies: Collection[str]) -> list[str]:
    """Of these agencies among others': who asks picks theirs out."""
    found: list[str] = []
    for agency in sorted(agencies):
        given = {"words": wanted, "newest": OWN, "agency": agency}
        found += await _ids(connection, _NEWEST_OF_ONE, given)
    await _by_index_of_words(connection)
    every = await _ids(connection, _EVERY, {"words": wanted, "limit": SIFTED + 1})
    return list({*found, *(every if len(every) <= SIFTED else ())})


async def _by_index_of_words(connection: AsyncConnection) -> None:
    await connection.execute(text(BY_INDEX_OF_WORDS))  # till the end of this reading


async def _ids(connection: AsyncConnection, query: str, given: Mapping[str, object]) -> list[str]:
    return list((await connection.execute(text(query), given)).scalars())


def _week(message_id: str) -> int:
    """In which week the message was accepted, as its id has it: UUIDv7 (RFC 9562, section 5.7)."""
    return int(message_id[:8] + message_id[9:13], 16) * 1000 // WEEK


def _scan(wanted: Sequence[str], agencies: Collection[str] | None) -> Select[Any]:
    newest = select(exchange.c.message_id, exchange.c.subject)
    if agencies is not None:
        own = or_(exchange.c.sender.in_(agencies), exchange.c.receiver.in_(agencies))
        newest = newest.where(own)
    scanned = newest.order_by(exchange.c.message_id.desc()).limit(SCANNED).subquery()
    lower = func.lower(scanned.c.subject)
    fits = [lower.contains(word.lower(), autoescape=True) for word in wanted]
    return select(scanned.c.message_id).where(*fits).distinct()
