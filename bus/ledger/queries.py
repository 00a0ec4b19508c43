"""Cold reads of the ledger: what operators, senders and receivers look at.

Pages are cut by key, never by offset, so that the last page costs what the first does.  Conditions
that a partial index needs are written as literals: a database cannot prove them from parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    exists,
    false,
    func,
    inspect,
    literal,
    or_,
    select,
    text,
    tuple_,
)

from bus.ledger.database import Database
from bus.ledger.records import (
    Backlog,
    DeliveryRow,
    EndpointState,
    JournalRow,
    MailRow,
    MessageRow,
    Poll,
)
from bus.ledger.tables import (
    PERSONS,
    delivery,
    dossier_file,
    endpoint_state,
    journal,
    journal_chain,
    message,
    poll,
    process,
    refused_packet,
)
from bus.ledger.tx import OPEN_SQL, REPLAYED_SQL
from schemas.delivery import OPEN, DeliveryState
from schemas.errors import ConfigurationError
from schemas.instant import Instant
from schemas.message import Lane


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process of the bus that has reported itself."""

    id: str
    roles: tuple[str, ...]
    host: str
    pid: int
    started_at: Instant
    beat: int  # rises while it lives


@dataclass(frozen=True, slots=True)
class RefusedPacket:
    """A packet that was fetched from a partner and can never be accepted."""

    endpoint: str
    ref: str  # the partner's id of it
    at: Instant
    sha256: str  # of its bytes, in the blob store
    size: int  # bytes kept
    code: str  # of the error
    reason: str


MESSAGE_COLUMNS = [message.c[field.name] for field in fields(MessageRow)]
DELIVERY_COLUMNS = [delivery.c[field.name] for field in fields(DeliveryRow)]
_PROCESS = [process.c[field.name] for field in fields(ProcessRow)]
_REFUSED = [refused_packet.c[field.name] for field in fields(RefusedPacket)]
_POLL = [poll.c[field.name] for field in fields(Poll)]
_STATE = [endpoint_state.c[field.name] for field in fields(EndpointState)]
_MAIL = delivery.join(message, delivery.c.message_id == message.c.id)
_MAIL_COLUMNS = [*DELIVERY_COLUMNS, *MESSAGE_COLUMNS, message.c.canonical]
_JOURNAL = [journal.c[field.name] for field in fields(JournalRow)]

_IS_OPEN = text(f"delivery.state IN {OPEN_SQL}")
_IS_REPLAYED = text(REPLAYED_SQL)
_IN_BLOB_STORE = text("message.content IS NULL")
_WAITS_FOR_RECEIVER = text("delivery.pull AND delivery.state = 'queued'")
_earlier = delivery.alias("earlier")
_FIRST_OF_ITS_KEY = ~(
    exists()
    .where(_earlier.c.endpoint == delivery.c.endpoint)
    .where(_earlier.c.order_key == delivery.c.order_key)
    .where(_earlier.c.receivers == delivery.c.receivers)
    .where(_earlier.c.id < delivery.c.id, text(f"earlier.state IN {OPEN_SQL}"))
)

_ID_SLACK_MS = 3_600_000
"""Ids carry the clock of the process that gave them: `since` looks this much further back by id,
then compares the stored time exactly."""

Condition = ColumnElement[bool] | TextClause


class Queries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def message(self, message_id: str) -> MessageRow | None:
        row = await self._one(select(*MESSAGE_COLUMNS).where(message.c.id == message_id))
        return None if row is None else message_row(row)

    async def canonical(self, message_id: str) -> str | None:
        """JSON of schemas.message.Message."""
        row = await self._one(select(message.c.canonical).where(message.c.id == message_id))
        return None if row is None else str(row[0])

    async def decision(self, message_id: str) -> str | None:
        """JSON of routing.Decision: why the message went where it went."""
        row = await self._one(select(message.c.decision).where(message.c.id == message_id))
        return None if row is None else str(row[0])

    async def content(self, message_id: str) -> tuple[str, bytes | None] | None:
        """(SHA-256, original bytes); the bytes are None when they lie in the blob store."""
        query = select(message.c.sha256, message.c.content).where(message.c.id == message_id)
        row = await self._one(query)
        return None if row is None else (row[0], row[1])

    async def named_blobs(self, names: Collection[str]) -> set[str]:
        """Those of these blobs that are an original, a refused packet or a dossier's paper."""
        originals = select(message.c.sha256).where(message.c.sha256.in_(names), _IN_BLOB_STORE)
        refused = select(refused_packet.c.sha256).where(refused_packet.c.sha256.in_(names))
        papers = select(dossier_file.c.sha256).where(dossier_file.c.sha256.in_(names))
        return {row[0] for query in (originals, refused, papers) for row in await self._all(query)}

    async def refused_packets(
        self, *, endpoint: str | None = None, limit: int = 50
    ) -> list[RefusedPacket]:
        """Newest first."""
        query = select(*_REFUSED).order_by(refused_packet.c.at.desc()).limit(limit)
        if endpoint is not None:
            query = query.where(refused_packet.c.endpoint == endpoint)
        return [RefusedPacket(*row) for row in await self._all(query)]

    async def refused_packet(self, endpoint: str, ref: str) -> RefusedPacket | None:
        query = select(*_REFUSED).where(
            refused_packet.c.endpoint == endpoint, refused_packet.c.ref == ref
        )
        row = await self._one(query)
        return None if row is None else RefusedPacket(*row)

    async def messages(
        self,
        *,
        agencies: Collection[str] | None,
        sender: str | None = None,
        document_id: str | None = None,
        kind: str | None = None,
        since: Instant | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[MessageRow]:
        """Newest first. `after`: id of the last message of the page before.

        `agencies`: only messages these have sent; None: everybody's.
        """
        where: list[Condition] = []
        if agencies is not None:
            where.append(message.c.sender.in_(agencies))
        if sender is not None:
            where.append(message.c.sender == sender)
        if document_id is not None:
            where.append(message.c.document_id == document_id)
        if kind is not None:
            where.append(message.c.kind == kind)
        if since is not None:
            where += [message.c.id >= lowest_id(since), message.c.accepted_at >= since]
        if after is not None:
            where.append(message.c.id < after)
        query = select(*MESSAGE_COLUMNS).where(*where).order_by(message.c.id.desc()).limit(limit)
        return [message_row(row) for row in await self._all(query)]

    async def deliveries_of(self, message_id: str) -> list[DeliveryRow]:
        query = select(*DELIVERY_COLUMNS).where(delivery.c.message_id == message_id)
        return [delivery_row(row) for row in await self._all(query.order_by(delivery.c.id))]

    async def delivery(self, delivery_id: int) -> DeliveryRow | None:
        row = await self._one(select(*DELIVERY_COLUMNS).where(delivery.c.id == delivery_id))
        return None if row is None else delivery_row(row)

    async def deliveries(
        self,
        *,
        states: Collection[DeliveryState] = (),
        endpoint: str | None = None,
        code: str | None = None,
        message_id: str | None = None,
        since: Instant | None = None,
        after: int | None = None,
        limit: int = 50,
        ids: Collection[int] | None = None,
        agencies: Collection[str] | None = None,
        senders: Collection[str] | None = None,
    ) -> list[DeliveryRow]:
        """Newest first; no `states` means every state. `after`: id of the last one before.

        `agencies`: only those sent or received by any of them, `senders`: only those sent by them;
        None: everybody's.
        """
        where = [*_chosen(states, endpoint, code, message_id, since, senders)]
        where += concerning(agencies)
        if ids is not None:
            where.append(delivery.c.id.in_(ids))
        if after is not None:
            where.append(delivery.c.id < after)
        query = select(*DELIVERY_COLUMNS).where(*where).order_by(delivery.c.id.desc()).limit(limit)
        return [delivery_row(row) for row in await self._all(query)]

    async def delivery_ids(
        self,
        *,
        states: Collection[DeliveryState],
        endpoint: str | None = None,
        code: str | None = None,
        message_id: str | None = None,
        since: Instant | None = None,
        ids: Collection[int] | None = None,
        senders: Collection[str] | None = None,
        replayed: bool = False,
    ) -> list[int]:
        """Of all deliveries that fit, as in `deliveries`, oldest first and in one reading: page by
        page, each would read all that fit again.

        `replayed`: only what was dead, goes again and has not been tried since.
        """
        where = [*_chosen(states, endpoint, code, message_id, since, senders)]
        if replayed:
            where.append(_IS_REPLAYED)
        if ids is not None:
            where.append(delivery.c.id.in_(ids))
        query = select(delivery.c.id).where(*where).order_by(delivery.c.id)
        return [row[0] for row in await self._all(query)]

    async def mailbox(
        self,
        agencies: Collection[str],
        *,
        kind: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[MailRow]:
        """What waits to be fetched by these receivers: urgent first, then in acceptance order.

        Of each order key only the first open delivery is shown; acknowledging it shows the next, so
        that a receiver cannot take an update before what it updates.  `after` is the id of the last
        delivery of the page before; a receiver that acknowledges what it takes needs none.
        """
        lane, number = await self._place(after)
        found: list[MailRow] = []
        if lane is Lane.URGENT:
            found = await self._waiting(agencies, kind, Lane.URGENT, number, limit)
            number = 0
        if len(found) < limit:
            found += await self._waiting(agencies, kind, Lane.NORMAL, number, limit - len(found))
        return found

    async def count_mailbox(self, agencies: Collection[str], *, kind: str | None = None) -> int:
        """How many deliveries `mailbox` shows over all its pages."""
        query = (
            select(func.count())
            .select_from(_MAIL)
            .where(delivery.c.receivers.in_(agencies), _WAITS_FOR_RECEIVER, _FIRST_OF_ITS_KEY)
        )
        if kind is not None:
            query = query.where(message.c.kind == kind)
        row = await self._one(query)
        return int(row[0]) if row is not None else 0

    async def mail(self, delivery_id: int) -> MailRow | None:
        """One delivery with its message."""
        query = select(*_MAIL_COLUMNS).select_from(_MAIL).where(delivery.c.id == delivery_id)
        row = await self._one(query)
        return None if row is None else _mail(row)

    async def sent(
        self,
        agencies: Collection[str],
        *,
        kind: str | None = None,
        document_id: str | None = None,
        message_id: str | None = None,
        since: Instant | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> list[MailRow]:
        """Deliveries of messages these agencies sent, newest first.

        `after`: id of the last delivery of the page before.
        """
        where: list[Condition] = [message.c.sender.in_(agencies)]
        if kind is not None:
            where.append(message.c.kind == kind)
        if document_id is not None:
            where.append(message.c.document_id == document_id)
        if message_id is not None:
            where.append(message.c.id == message_id)
        if since is not None:
            where += [message.c.id >= lowest_id(since), message.c.accepted_at >= since]
        if after is not None:
            where.append(delivery.c.id < after)
        query = select(*_MAIL_COLUMNS).select_from(_MAIL).where(*where)
        query = query.order_by(delivery.c.id.desc()).limit(limit)
        return [_mail(row) for row in await self._all(query)]

    async def _place(self, after: int | None) -> tuple[Lane, int]:
        """Where a mailbox page begins: the lane, and the id before it."""
        if after is None:
            return Lane.URGENT, 0
        row = await self._one(select(delivery.c.lane).where(delivery.c.id == after))
        return (Lane.NORMAL if row is None else Lane(row[0])), after

    async def _waiting(
        self, agencies: Collection[str], kind: str | None, lane: Lane, after: int, limit: int
    ) -> list[MailRow]:
        query = (
            select(*_MAIL_COLUMNS)
            .select_from(_MAIL)
            .where(delivery.c.receivers.in_(agencies), _WAITS_FOR_RECEIVER, _FIRST_OF_ITS_KEY)
            .where(delivery.c.lane == lane.value, delivery.c.id > after)
            .order_by(delivery.c.id)
            .limit(limit)
        )
        if kind is not None:
            query = query.where(message.c.kind == kind)
        return [_mail(row) for row in await self._all(query)]

    async def journal(
        self,
        *,
        message_id: str | None = None,
        after: tuple[str, int] | None = None,
        limit: int = 500,
    ) -> list[JournalRow]:
        """By (chain, seq), which is also the cursor; chains follow each other, not the clock."""
        query = select(*_JOURNAL)
        if message_id is not None:
            query = query.where(journal.c.message_id == message_id)
        if after is not None:
            query = query.where(tuple_(journal.c.chain, journal.c.seq) > tuple_(*after))
        query = query.order_by(journal.c.chain, journal.c.seq).limit(limit)
        return [_journal(row) for row in await self._all(query)]

    async def journal_of_persons(
        self, *, before: Instant | None = None, limit: int = 100
    ) -> list[JournalRow]:
        """What people did, newest first; `before`: when the last one of the page before was."""
        query = select(*_JOURNAL).where(PERSONS)
        if before is not None:
            query = query.where(journal.c.at < before)
        rows = await self._all(query.order_by(journal.c.at.desc()).limit(limit))
        return [_journal(row) for row in rows]

    async def journal_latest(self, *, limit: int = 100, chains: int = 50) -> list[JournalRow]:
        """The newest entries of the chains that were last written to, newest first."""
        c = journal_chain.c
        live = await self._all(select(c.chain, c.seq).order_by(c.at.desc()).limit(chains))
        found: list[JournalRow] = []
        for chain, head in live:
            found += await self.journal_after(chain, head - limit, limit=limit)
        return sorted(found, key=lambda row: row.at, reverse=True)[:limit]

    async def journal_heads(self, *, since: Instant) -> dict[str, int]:
        """Where each chain ends that was written to since then."""
        c = journal_chain.c
        return {
            row[0]: row[1] for row in await self._all(select(c.chain, c.seq).where(c.at >= since))
        }

    async def journal_after(self, chain: str, seq: int, *, limit: int) -> list[JournalRow]:
        """Of one chain, in order."""
        query = select(*_JOURNAL).where(journal.c.chain == chain, journal.c.seq > seq)
        rows = await self._all(query.order_by(journal.c.seq).limit(limit))
        return [_journal(row) for row in rows]

    async def backlog(self, *, agencies: Collection[str] | None = None) -> list[Backlog]:
        """Open deliveries by endpoint, lane and state. Reads every open delivery once.

        `agencies`: only those sent or received by any of them.
        """
        groups = (delivery.c.endpoint, delivery.c.lane, delivery.c.state)
        query = (
            select(*groups, func.count(), func.min(delivery.c.created_at))
            .where(_IS_OPEN, *concerning(agencies))
            .group_by(*groups)
            .order_by(*groups)
        )
        return [
            Backlog(endpoint, Lane(lane), DeliveryState(state), count, oldest)
            for endpoint, lane, state, count, oldest in await self._all(query)
        ]

    async def endpoint_states(self) -> dict[str, EndpointState]:
        """Only endpoints of which something was said; the others are running and closed."""
        rows = await self._all(select(*_STATE))
        return {row[0]: EndpointState(*row) for row in rows}

    async def polls(self) -> dict[str, Poll]:
        """By endpoint; only those from which somebody has tried to fetch."""
        rows = await self._all(select(*_POLL))
        return {row[0]: Poll(*row) for row in rows}

    async def processes(self) -> list[ProcessRow]:
        rows = await self._all(select(*_PROCESS).order_by(process.c.started_at, process.c.id))
        return [ProcessRow(number, tuple(roles.split()), *rest) for number, roles, *rest in rows]

    async def newest_entry(self) -> Instant:
        """By the clock of whoever wrote it; 0 in an empty journal."""
        async with self._db.read() as connection:
            return int(await connection.scalar(select(func.max(journal_chain.c.at))) or 0)

    async def holders(self) -> set[str]:
        """Ids of all processes that have deliveries in hand."""
        query = select(delivery.c.worker).distinct().where(delivery.c.worker.is_not(None))
        return {str(row[0]) for row in await self._all(query)}

    async def traces(self, delivery_ids: Collection[int]) -> dict[int, str]:
        """Traceparents of the messages that these deliveries carry."""
        query = (
            select(delivery.c.id, message.c.trace)
            .select_from(delivery.join(message, delivery.c.message_id == message.c.id))
            .where(delivery.c.id.in_(delivery_ids))
        )
        return {row[0]: row[1] for row in await self._all(query)}

    async def ping(self) -> None:
        """Raises LedgerUnavailable when the database does not answer.

        Raises ConfigurationError when it holds no ledger yet.
        """
        async with self._db.read() as connection:
            ready = await connection.run_sync(lambda c: inspect(c).has_table(delivery.name))
        if not ready:
            raise ConfigurationError(
                "The database holds no ledger yet. The administrator runs: lgsp migrate",
                vi="Cơ sở dữ liệu chưa có sổ cái. Quản trị trục chạy: lgsp migrate",
            )

    async def _one(self, query: Select[*tuple[Any, ...]]) -> Sequence[Any] | None:
        async with self._db.read() as connection:
            return (await connection.execute(query)).one_or_none()

    async def _all(self, query: Select[*tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        async with self._db.read() as connection:
            return (await connection.execute(query)).all()


def _chosen(
    states: Collection[DeliveryState],
    endpoint: str | None,
    code: str | None,
    message_id: str | None,
    since: Instant | None,
    senders: Collection[str] | None,
) -> Iterator[Condition]:
    if states:
        yield delivery.c.state.in_([state.value for state in states])
        if OPEN.issuperset(states):
            yield _IS_OPEN
    for column, value in (("endpoint", endpoint), ("code", code), ("message_id", message_id)):
        if value is not None:
            yield delivery.c[column] == value
    if since is not None:
        yield delivery.c.message_id >= lowest_id(since)
        yield delivery.c.created_at >= since
    if senders is not None:
        yield _sent_by(senders)


def concerning(agencies: Collection[str] | None) -> Sequence[ColumnElement[bool]]:
    """Deliveries of messages that these agencies sent, or that are to reach one of them."""
    if agencies is None:
        return ()
    return (or_(_sent_by(agencies), *received_by(agencies)),)


def their_messages(agencies: Collection[str] | None) -> Sequence[ColumnElement[bool]]:
    """Messages that these agencies sent, or of which a delivery is to reach one of them."""
    if agencies is None:
        return ()
    got = exists().where(
        delivery.c.message_id == message.c.id, or_(false(), *received_by(agencies))
    )
    return (or_(message.c.sender.in_(agencies), got),)


def _sent_by(agencies: Collection[str]) -> ColumnElement[bool]:
    return exists().where(message.c.id == delivery.c.message_id, message.c.sender.in_(agencies))


def received_by(agencies: Collection[str]) -> list[ColumnElement[bool]]:
    """Conditions of which one holds for a delivery that is to reach one of them."""
    padded = literal(" ").concat(delivery.c.receivers).concat(" ")
    return [padded.contains(f" {code} ", autoescape=True) for code in agencies]


def message_row(row: Sequence[Any]) -> MessageRow:
    values = {column.name: value for column, value in zip(MESSAGE_COLUMNS, row, strict=True)}
    values["receivers"] = tuple(values["receivers"].split())
    values["lane"] = Lane(values["lane"])
    return MessageRow(**values)


def delivery_row(row: Sequence[Any]) -> DeliveryRow:
    values = {column.name: value for column, value in zip(DELIVERY_COLUMNS, row, strict=True)}
    values["receivers"] = tuple(values["receivers"].split())
    values["lane"] = Lane(values["lane"])
    values["state"] = DeliveryState(values["state"])
    return DeliveryRow(**values)


def _mail(row: Sequence[Any]) -> MailRow:
    *columns, canonical = row
    width = len(DELIVERY_COLUMNS)
    subject = str(orjson.loads(canonical).get("body", {}).get("subject", ""))
    return MailRow(delivery_row(columns[:width]), message_row(columns[width:]), subject)


def _journal(row: Sequence[Any]) -> JournalRow:
    values = {column.name: value for column, value in zip(_JOURNAL, row, strict=True)}
    values["data"] = orjson.loads(values["data"])
    return JournalRow(**values)


def lowest_id(since: Instant) -> str:
    """Below every UUIDv7 given from an hour before `since` on (RFC 9562, section 5.7)."""
    digits = f"{max(0, since // 1000 - _ID_SLACK_MS):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
