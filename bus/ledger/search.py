"""Finding a message by whatever a person has of it: an id, a number, a code, an agency, a time.

Every way in has an index, so that it takes as long among millions as among hundreds.  Words of a
subject (trích yếu) have none: they are looked for in the newest documents only, `SCANNED` of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    exists,
    false,
    func,
    or_,
    select,
    union,
)

from bus.ledger.database import Database
from bus.ledger.queries import MESSAGE_COLUMNS, lowest_id, message_row, received_by
from bus.ledger.records import MessageRow
from bus.ledger.tables import delivery, dossier, exchange, message
from schemas.instant import SECOND, Instant

SCANNED = 20_000
MOST_NAMED = 500  # messages: a dossier has some dozens
MOST_SENDERS = 5_000  # that the walk over their ids visits
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
            select(*MESSAGE_COLUMNS).where(message.c.id == message_id, *_theirs(agencies))
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
        where = [*_theirs(agencies), *_period(asked), *_kind(asked)]
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

    async def in_subjects(
        self, words: str, *, agencies: Collection[str] | None, limit: int = 50
    ) -> list[MessageRow]:
        """Documents among the newest whose subject has these words, newest first."""
        newest = select(exchange.c.message_id, exchange.c.subject)
        if agencies is not None:
            own = or_(exchange.c.sender.in_(agencies), exchange.c.receiver.in_(agencies))
            newest = newest.where(own)
        newest = newest.order_by(exchange.c.message_id.desc()).limit(SCANNED)
        scanned = newest.subquery()
        fits = [
            func.lower(scanned.c.subject).contains(word.lower(), autoescape=True)
            for word in words.split()[:8]
        ]
        hits = select(scanned.c.message_id).where(*fits).distinct().limit(limit)
        query = select(*MESSAGE_COLUMNS).where(message.c.id.in_(hits), *_theirs(agencies))
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
            select(message.c.id).where(
                message.c.sender.in_(await self._senders()), message.c.sender_ref.in_(given)
            ),
        ]
        if _UUID.fullmatch(text.lower()):
            ways.append(select(message.c.id).where(message.c.id == text.lower()))
        if text.isdecimal() and len(text) < 19:
            ways.append(select(delivery.c.message_id).where(delivery.c.id == int(text)))
        return await self._ids(ways, MOST_NAMED)

    async def _senders(self) -> list[str]:
        """All who have ever sent, each found by one step along the index of (sender, id)."""
        walk = select(func.min(message.c.sender).label("sender")).cte("walk", recursive=True)
        following = select(func.min(message.c.sender)).where(message.c.sender > walk.c.sender)
        step = select(following.scalar_subquery()).where(walk.c.sender.is_not(None))
        walk = walk.union_all(step)
        query = select(walk.c.sender).where(walk.c.sender.is_not(None)).limit(MOST_SENDERS)
        async with self._db.read() as connection:
            return list((await connection.execute(query)).scalars())

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


def _theirs(agencies: Collection[str] | None) -> Sequence[ColumnElement[bool]]:
    """Messages that these agencies sent, or of which a delivery is to reach one of them."""
    if agencies is None:
        return ()
    got = exists().where(
        delivery.c.message_id == message.c.id, or_(false(), *received_by(agencies))
    )
    return (or_(message.c.sender.in_(agencies), got),)
