"""Reads of dossiers: where each stands, its timeline, and what the figures of a period need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, text, tuple_

from bus.ledger.database import Database
from bus.ledger.dossier_waits import Dossier, Waiting
from bus.ledger.queries import DELIVERY_COLUMNS, delivery_row, lowest_id
from bus.ledger.records import DeliveryRow
from bus.ledger.tables import (
    delivery,
    dossier,
    dossier_file,
    dossier_step,
    dossier_wait,
    message,
    rating,
)
from schemas.delivery import DeliveryState
from schemas.dossier.life import ENDED
from schemas.instant import Instant

CHUNK = 500
"""Dossiers read at once where a whole period is read."""


@dataclass(frozen=True, slots=True)
class DossierRow:
    """A dossier as its latest record and steps have it."""

    sender: str
    code: str
    first_message: str
    record_message: str | None
    nation_code: str
    procedure: str
    channel: int | None
    status: int
    received_at: Instant | None
    due_at: Instant | None
    finished_at: Instant | None
    returned_at: Instant | None
    last_step_at: Instant | None
    changed_at: Instant


class Current(NamedTuple):
    """The record of a dossier accepted last."""

    message_id: str
    sender_ref: str
    record: str  # canonical JSON


class StepRow(NamedTuple):
    """One step accepted, in order of acceptance."""

    step_id: str
    message_id: str
    accepted_at: Instant
    record: str  # canonical JSON


class FileRow(NamedTuple):
    """A paper of a dossier, kept for the portals to fetch."""

    id: str
    sender: str
    code: str
    name: str
    media_type: str
    sha256: str
    size: int
    at: Instant


class DossierDelivery(NamedTuple):
    """A record or step on its way to one portal."""

    kind: str  # dossier, step
    delivery: DeliveryRow


class Held(NamedTuple):
    """A record or step that waits for a person, or for the portal to learn of its dossier."""

    delivery_id: int
    message_id: str
    endpoint: str
    sender: str
    code: str  # of the dossier
    kind: str
    why: str  # stable code
    detail: str
    created_at: Instant


@dataclass(frozen=True, slots=True)
class PortalRow:
    """Records and steps on their way to one portal, in one state."""

    endpoint: str
    state: DeliveryState
    count: int


class RatingRow(NamedTuple):
    """One rating, without its words."""

    agency: str
    code: str
    score: int
    service: int | None
    at: Instant


class Unmapped(NamedTuple):
    """A delivery held because a code had no national one."""

    id: int
    attempts: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Whole:
    """A dossier with its record and timeline, as canonical JSON."""

    row: DossierRow
    record: str = field(repr=False)
    steps: tuple[str, ...] = field(repr=False)
    synced: bool = False  # a record of it was delivered to a portal


_OF_DOSSIERS = ("dossier", "step")
_ROW = [dossier.c[each.name] for each in fields(DossierRow)]
_sent = message.alias("sent")
_SYNCED = (
    exists()
    .where(_sent.c.document_id == dossier.c.code, _sent.c.sender == dossier.c.sender)
    .where(_sent.c.kind == "dossier", delivery.c.message_id == _sent.c.id)
    .where(delivery.c.state == DeliveryState.DELIVERED.value)
)
_NEWEST = (dossier.c.first_message.desc(), dossier.c.sender.desc())


class DossierQueries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, code: str, senders: Collection[str] | None = None) -> list[DossierRow]:
        """Dossiers of that code; two agencies may, by mistake, have given it twice."""
        query = select(*_ROW).where(dossier.c.code == code).order_by(*_NEWEST)
        if senders is not None:
            query = query.where(dossier.c.sender.in_(senders))
        return [DossierRow(*row) for row in await self._all(query)]

    async def page(
        self,
        *,
        senders: Collection[str] | None,
        status: int | None = None,
        procedure: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[DossierRow]:
        """Newest first; `since` and `until` bound the moment of reception.

        `after`: (first message, sender) of the last one of the page before.
        """
        where: list[ColumnElement[bool]] = []
        if senders is not None:
            where.append(dossier.c.sender.in_(senders))
        if status is not None:
            where.append(dossier.c.status == status)
        if procedure is not None:
            where.append(dossier.c.procedure == procedure)
        if since is not None:
            where.append(dossier.c.received_at >= since)
        if until is not None:
            where.append(dossier.c.received_at < until)
        if after is not None:
            where.append(tuple_(dossier.c.first_message, dossier.c.sender) < tuple_(*after))
        query = select(*_ROW).where(*where).order_by(*_NEWEST).limit(limit)
        return [DossierRow(*row) for row in await self._all(query)]

    async def current(self, sender: str, code: str) -> Current | None:
        """None while no record of it was accepted."""
        query = (
            select(message.c.id, message.c.sender_ref, message.c.record)
            .select_from(dossier.join(message, dossier.c.record_message == message.c.id))
            .where(dossier.c.sender == sender, dossier.c.code == code)
        )
        rows = await self._all(query)
        return Current(*rows[0]) if rows else None

    async def record_of(self, sender: str, sender_ref: str) -> str | None:
        """Canonical JSON of what was accepted under that id."""
        query = select(message.c.record).where(
            message.c.sender == sender, message.c.sender_ref == sender_ref
        )
        rows = await self._all(query)
        return rows[0][0] if rows else None

    async def steps(self, sender: str, code: str) -> list[StepRow]:
        """In order of time, those of one moment in order of acceptance."""
        step = dossier_step.c
        query = (
            select(step.step_id, step.message_id, step.accepted_at, message.c.record)
            .select_from(dossier_step.join(message, step.message_id == message.c.id))
            .where(step.sender == sender, step.code == code)
            .order_by(step.at, step.message_id)
        )
        return [StepRow(*row) for row in await self._all(query)]

    async def deliveries(self, sender: str, code: str) -> list[DossierDelivery]:
        """Of its records and steps to every portal, in order of acceptance."""
        query = (
            select(message.c.kind, *DELIVERY_COLUMNS)
            .select_from(delivery.join(message, delivery.c.message_id == message.c.id))
            .where(
                message.c.document_id == code,
                message.c.sender == sender,
                message.c.kind.in_(_OF_DOSSIERS),
            )
            .order_by(delivery.c.id)
        )
        return [DossierDelivery(kind, delivery_row(row)) for kind, *row in await self._all(query)]

    async def unmapped(self, code: str, *, after: int = 0, limit: int = CHUNK) -> list[Unmapped]:
        """Deliveries held under this reason's code, by rising id."""
        query = (
            select(delivery.c.id, delivery.c.attempts, delivery.c.message_id)
            .where(text("delivery.state = 'held'"), delivery.c.code == code, delivery.c.id > after)
            .order_by(delivery.c.id)
            .limit(limit)
        )
        return [Unmapped(*row) for row in await self._all(query)]

    async def held(
        self, *, senders: Collection[str] | None, why: str | None = None, limit: int = CHUNK
    ) -> list[Held]:
        """Newest first. `why`: held under that code alone."""
        query = (
            select(
                delivery.c.id,
                delivery.c.message_id,
                delivery.c.endpoint,
                message.c.sender,
                message.c.document_id,
                message.c.kind,
                func.coalesce(delivery.c.code, ""),
                func.coalesce(delivery.c.detail, ""),
                delivery.c.created_at,
            )
            .select_from(delivery.join(message, delivery.c.message_id == message.c.id))
            .where(text("delivery.state = 'held'"), message.c.kind.in_(_OF_DOSSIERS))
            .order_by(delivery.c.id.desc())
            .limit(limit)
        )
        if senders is not None:
            query = query.where(message.c.sender.in_(senders))
        if why is not None:
            query = query.where(delivery.c.code == why)
        return [Held(*row) for row in await self._all(query)]

    async def held_counts(self, *, senders: Collection[str] | None) -> list[tuple[str, str, int]]:
        """(endpoint, code, how many) of what `held` lists."""
        groups = (delivery.c.endpoint, func.coalesce(delivery.c.code, ""))
        query = (
            select(*groups, func.count())
            .select_from(delivery.join(message, delivery.c.message_id == message.c.id))
            .where(text("delivery.state = 'held'"), message.c.kind.in_(_OF_DOSSIERS))
            .group_by(*groups)
            .order_by(*groups)
        )
        if senders is not None:
            query = query.where(message.c.sender.in_(senders))
        return [(row[0], row[1], row[2]) for row in await self._all(query)]

    async def portals(
        self, *, senders: Collection[str] | None, since: Instant, until: Instant
    ) -> list[PortalRow]:
        """Of the records and steps accepted from `since` up to `until`."""
        groups = (delivery.c.endpoint, delivery.c.state)
        query = (
            select(*groups, func.count())
            .select_from(delivery.join(message, delivery.c.message_id == message.c.id))
            .where(
                message.c.id >= lowest_id(since),
                message.c.accepted_at >= since,
                message.c.accepted_at < until,
                message.c.kind.in_(_OF_DOSSIERS),
            )
            .group_by(*groups)
            .order_by(*groups)
        )
        if senders is not None:
            query = query.where(message.c.sender.in_(senders))
        return [PortalRow(row[0], DeliveryState(row[1]), row[2]) for row in await self._all(query)]

    async def statuses_waiting(self) -> list[Waiting]:
        """Codes of statuses that something waits for, each once."""
        columns = [dossier_wait.c[name] for name in Waiting._fields]
        query = select(*columns).where(dossier_wait.c.local != "").distinct()
        return [Waiting(*row) for row in await self._all(query)]

    async def waiting_with(self, wait: Waiting, *, limit: int) -> list[Dossier]:
        """Dossiers of which something waits for that code."""
        query = (
            select(dossier_wait.c.sender, dossier_wait.c.code)
            .where(*(dossier_wait.c[name] == value for name, value in wait._asdict().items()))
            .distinct()
            .limit(limit)
        )
        return [Dossier(*row) for row in await self._all(query)]

    async def kinds_and_records(self, message_ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """Kind and canonical JSON by message, of those that have one."""
        query = select(message.c.id, message.c.kind, message.c.record).where(
            message.c.id.in_(message_ids), message.c.record.is_not(None)
        )
        return {row[0]: (row[1], row[2]) for row in await self._all(query)}

    async def file(self, file_id: str) -> FileRow | None:
        columns = [dossier_file.c[name] for name in FileRow._fields]
        rows = await self._all(select(*columns).where(dossier_file.c.id == file_id))
        return FileRow(*rows[0]) if rows else None

    async def counted(
        self, *, senders: Collection[str] | None, since: Instant, until: Instant
    ) -> AsyncIterator[list[Whole]]:
        """Dossiers received before `until` that may have been open since `since`, with all that
        was told of them, in pieces.
        """
        after: tuple[Instant, str, str] | None = None
        place = tuple_(dossier.c.received_at, dossier.c.sender, dossier.c.code)
        while True:
            query = (
                select(*_ROW, message.c.record, _SYNCED)
                .select_from(dossier.join(message, dossier.c.record_message == message.c.id))
                .where(dossier.c.received_at < until, _maybe_open(since))
                .order_by(dossier.c.received_at, dossier.c.sender, dossier.c.code)
                .limit(CHUNK)
            )
            if senders is not None:
                query = query.where(dossier.c.sender.in_(senders))
            if after is not None:
                query = query.where(place > tuple_(*after))
            rows = await self._all(query)
            if not rows:
                return
            found = [(DossierRow(*row), record, synced) for *row, record, synced in rows]
            timelines = await self._timelines([row for row, *_ in found])
            yield [
                Whole(row, record, tuple(timelines.get((row.sender, row.code), ())), bool(synced))
                for row, record, synced in found
            ]
            last = found[-1][0]
            after = (last.received_at or since, last.sender, last.code)

    async def ratings(
        self, *, senders: Collection[str] | None, since: Instant, until: Instant
    ) -> list[RatingRow]:
        """Given from `since` to before `until`, in order of time."""
        query = (
            select(*(rating.c[name] for name in RatingRow._fields))
            .where(rating.c.at >= since, rating.c.at < until)
            .order_by(rating.c.at, rating.c.message_id)
        )
        if senders is not None:
            query = query.where(rating.c.agency.in_(senders))
        return [RatingRow(*row) for row in await self._all(query)]

    async def _timelines(self, rows: list[DossierRow]) -> dict[tuple[str, str], list[str]]:
        step = dossier_step.c
        query = (
            select(step.sender, step.code, message.c.record)
            .select_from(dossier_step.join(message, step.message_id == message.c.id))
            .where(tuple_(step.sender, step.code).in_([(row.sender, row.code) for row in rows]))
            .order_by(step.sender, step.code, step.at, step.message_id)
        )
        found: dict[tuple[str, str], list[str]] = {}
        for sender, code, record in await self._all(query):
            found.setdefault((sender, code), []).append(record)
        return found

    async def _all(self, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        async with self._db.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]


def _maybe_open(since: Instant) -> ColumnElement[bool]:
    """Whatever was told of it, by record or step, does not say that it had ended by then."""
    ended = dossier.c.status.in_([status.value for status in ENDED])
    return or_(
        dossier.c.received_at >= since,
        dossier.c.last_step_at >= since,
        dossier.c.finished_at >= since,
        ~ended,
    )
