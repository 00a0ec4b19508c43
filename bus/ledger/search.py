"""Finding a message by whatever a person has of it: an id, a number, a code, an agency, a time.

Every way in has an index, so that it takes as long among millions as among hundreds.  Words of a
subject are looked for in `bus.ledger.subjects`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union

from bus.ledger.database import Database
from bus.ledger.queries import MESSAGE_COLUMNS, lowest_id, message_row, their_messages
from bus.ledger.records import MessageRow
from bus.ledger.tables import delivery, dossier, exchange, message
from schemas.instant import SECOND, Instant

MOST_NAMED = 500  # messages: a dossier has some dozens
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AFTER = SECOND * 3600  # by ids, which carry the clock of the process that gave them


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; all that is given must fit."""

    text: str = ""
    agency: str = ""  # own code: sent it, or is to get it
    kind: str = ""
    since: Instant | None = None
    until: Instant | None = None


class Search:
    """Every method raises LedgerUnavailable. `agencies`: whose traffic; None: everybody's."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def message(
        self, message_id: str, *, agencies: Collection[str] | None
    ) -> MessageRow | None:
        """None, too, for one that is not theirs."""
        found = await self._rows(
            select(*MESSAGE_COLUMNS).where(message.c.id == message_id, *their_messages(agencies))
        )
        return found[0] if found else None

    async def find(
        self,
        asked: Asked,
        *,
        agencies: Collection[str] | None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[MessageRow]:
        """Newest first. `after`: id of the last message of the page before."""
        where = [*their_messages(agencies), *_period(asked), *_kind(asked)]
        if after is not None:
            where.append(message.c.id < after)
        if asked.text:
            where.append(message.c.id.in_(await self._named(asked.text)))
        if asked.agency:
            where.append(message.c.id.in_(await self._of(asked, {asked.agency}, after, limit)))
        elif agencies and not asked.text:
            where.append(message.c.id.in_(await self._of(asked, agencies, after, limit)))
        query = select(*MESSAGE_COLUMNS).where(*where)
        return await self._rows(query.order_by(message.c.id.desc()).limit(limit))

    async def _named(self, text: str) -> list[str]:
        """Ids of the messages that this is an id, a number or a code of, `MOST_NAMED` at most.

        They are asked for first, each way by its own index: in one statement with the page the
        database may walk through all messages instead.
        """
        given = {text, text.upper(), text.lower()}
        dossiers = select(dossier.c.code).where(dossier.c.nation_code.in_(given))
        ways: list[Select[*tuple[Any, ...]]] = [
            select(message.c.id).where(message.c.document_id.in_(given)),
            select(exchange.c.message_id).where(exchange.c.document_code.in_(given)),
            select(message.c.id).where(message.c.document_id.in_(dossiers)),
            select(message.c.id).where(message.c.sender_ref.in_(given)),
        ]
        if _UUID.fullmatch(text.lower()):
            ways.append(select(message.c.id).where(message.c.id == text.lower()))
        if text.isdecimal() and len(text) < 19:
            ways.append(select(delivery.c.message_id).where(delivery.c.id == int(text)))
        return await self._ids(ways, MOST_NAMED)

    async def _of(
        self, asked: Asked, agencies: Collection[str], after: str | None, limit: int
    ) -> list[str]:
        """Of these agencies: what they sent, and the documents they are to get.

        Each side is cut to a page by its own index; more of one cannot be on the page.
        """
        sides: list[Select[*tuple[Any, ...]]] = []
        for agency in sorted(agencies):
            sent = select(message.c.id).where(message.c.sender == agency)
            sent = sent.where(*_period(asked), *_kind(asked))
            got = select(exchange.c.message_id.label("id")).where(exchange.c.receiver == agency)
            if asked.since is not None:
                got = got.where(exchange.c.sent_at >= asked.since)
            if asked.until is not None:
                got = got.where(exchange.c.sent_at < asked.until)
            if after is not None:
                sent = sent.where(message.c.id < after)
                got = got.where(exchange.c.message_id < after)
            sent = sent.order_by(message.c.id.desc()).limit(limit)
            got = got.order_by(exchange.c.sent_at.desc()).limit(limit)
            sides += [select(sent.subquery().c.id), select(got.subquery().c.id)]
        return await self._ids(sides, len(sides) * limit)

    async def _ids(self, ways: Sequence[Select[*tuple[Any, ...]]], limit: int) -> list[str]:
        """Newest first."""
        found = union(*ways).subquery()
        column = found.c[0]
        async with self._db.read() as connection:
            rows = await connection.execute(select(column).order_by(column.desc()).limit(limit))
            return list(rows.scalars())

    async def _rows(self, query: Select[*tuple[Any, ...]]) -> list[MessageRow]:
        async with self._db.read() as connection:
            return [message_row(row) for row in await connection.execute(query)]


def _period(asked: Asked) -> Sequence[ColumnElement[bool]]:
    found = []
    if asked.since is not None:
        found += [message.c.id >= lowest_id(asked.since), message.c.accepted_at >= asked.since]
    if asked.until is not None:
        found += [
            message.c.id < lowest_id(asked.until + 2 * _AFTER),
            message.c.accepted_at < asked.until,
        ]
    return found


def _kind(asked: Asked) -> Sequence[ColumnElement[bool]]:
    return (message.c.kind == asked.kind,) if asked.kind else ()
