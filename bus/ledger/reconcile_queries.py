"""Reads for reconciliation: dossiers with all that was told of them, and how far it has come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, tuple_

from bus.ledger.database import Database
from bus.ledger.dossier_queries import DossierRow
from bus.ledger.tables import delivery, dossier, dossier_step, message
from bus.ledger.tx import PARKED
from schemas.delivery import OPEN, DeliveryState
from schemas.instant import Instant

CHUNK = 200
"""Dossiers read at once."""


class Told(NamedTuple):
    """A record or step that was accepted."""

    message_id: str
    client: str
    text: str  # canonical JSON


class Way(NamedTuple):
    """A delivery."""

    message_id: str
    id: int
    state: DeliveryState
    code: str | None  # why it is where it is


@dataclass(frozen=True, slots=True)
class Known:
    """A dossier, and what became of it at one endpoint."""

    row: DossierRow
    record: Told | None = field(repr=False)  # the current one; None: only steps have come
    steps: tuple[Told, ...] = field(repr=False)  # in the order in which the endpoint gets them
    ways: Mapping[str, Way]  # the latest delivery of each message, by its id
    moving: bool  # deliveries of it are not finished


class Counted(NamedTuple):
    """A dossier, and how many steps of it were accepted."""

    row: DossierRow
    steps: int


_ROW = [dossier.c[each.name] for each in fields(DossierRow)]
_PLACE = tuple_(dossier.c.sender, dossier.c.code)


def _moves(way: Way) -> bool:
    """On its way, or held up; not: a step that waits for its dossier."""
    parked = way.state is DeliveryState.HELD and way.code == PARKED
    return way.state in OPEN and not parked


class ReconcileQueries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def changed(
        self, endpoint: str, *, since: Instant, senders: Collection[str] | None
    ) -> AsyncIterator[list[Known]]:
        """Dossiers that changed since, in pieces, with their deliveries to the endpoint."""
        after: tuple[str, str] | None = None
        while True:
            where: list[ColumnElement[bool]] = [dossier.c.changed_at >= since]
            if senders is not None:
                where.append(dossier.c.sender.in_(senders))
            if after is not None:
                where.append(tuple_(*after) < _PLACE)
            found = await self._with_record(where)
            if not found:
                return
            yield await self._known(endpoint, found)
            after = (found[-1][0].sender, found[-1][0].code)

    async def of_codes(self, endpoint: str, codes: Collection[str]) -> list[Known]:
        return await self._known(endpoint, await self._with_record([dossier.c.code.in_(codes)]))

    async def count(self, *, since: Instant, senders: Collection[str] | None) -> int:
        """How many `changed` gives."""
        query = select(func.count()).select_from(dossier).where(dossier.c.changed_at >= since)
        if senders is not None:
            query = query.where(dossier.c.sender.in_(senders))
        return int((await self._all(query))[0][0])

    async def received(self, since: Instant, until: Instant) -> AsyncIterator[list[Counted]]:
        """Dossiers received in [since, until), in pieces."""
        place = tuple_(dossier.c.received_at, *_PLACE.clauses)
        after: tuple[Instant, str, str] | None = None
        while True:
            where = [dossier.c.received_at >= since, dossier.c.received_at < until]
            if after is not None:
                where.append(place > tuple_(*after))
            order = (dossier.c.received_at, dossier.c.sender, dossier.c.code)
            query = select(*_ROW).where(*where).order_by(*order).limit(CHUNK)
            rows = [DossierRow(*row) for row in await self._all(query)]
            if not rows:
                return
            yield await self._counted(rows)
            after = (rows[-1].received_at or since, rows[-1].sender, rows[-1].code)

    async def counted(self, codes: Collection[str]) -> list[Counted]:
        query = select(*_ROW).where(dossier.c.code.in_(codes))
        return await self._counted([DossierRow(*row) for row in await self._all(query)])

    # --- parts ----------------------------------------------------------------------------------

    async def _with_record(
        self, where: Sequence[ColumnElement[bool]]
    ) -> list[tuple[DossierRow, Told | None]]:
        query = (
            select(*_ROW, message.c.id, message.c.client, message.c.record)
            .select_from(dossier.outerjoin(message, dossier.c.record_message == message.c.id))
            .where(*where)
            .order_by(dossier.c.sender, dossier.c.code)
            .limit(CHUNK)
        )
        found = []
        for *row, message_id, client, record in await self._all(query):
            told = Told(message_id, client, record) if message_id is not None else None
            found.append((DossierRow(*row), told))
        return found

    async def _known(
        self, endpoint: str, found: Sequence[tuple[DossierRow, Told | None]]
    ) -> list[Known]:
        if not found:
            return []
        keys = [(row.sender, row.code) for row, _ in found]
        ways = await self._ways(endpoint, keys)
        steps = await self._steps(keys)
        moving = {code for (_, code), way in ways.items() if any(_moves(each) for each in way)}
        known = []
        for row, record in found:
            key = (row.sender, row.code)
            mine = ways.get(key, ())
            first: dict[str, int] = {}
            for each in mine:
                first.setdefault(each.message_id, each.id)
            told = sorted(steps.get(key, ()), key=lambda t: (first.get(t.message_id, 0), t))
            latest = {each.message_id: each for each in mine}
            known.append(Known(row, record, tuple(told), latest, row.code in moving))
        return known

    async def _ways(
        self, endpoint: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[Way]]:
        """Deliveries by dossier, oldest first."""
        query = (
            select(
                message.c.sender,
                message.c.document_id,
                delivery.c.message_id,
                delivery.c.id,
                delivery.c.state,
                delivery.c.code,
            )
            .select_from(message.join(delivery, delivery.c.message_id == message.c.id))
            .where(
                message.c.document_id.in_([code for _, code in keys]),
                message.c.kind.in_(("dossier", "step")),
                delivery.c.endpoint == endpoint,
            )
            .order_by(delivery.c.id)
        )
        found: dict[tuple[str, str], list[Way]] = {}
        for sender, code, message_id, number, state, reason in await self._all(query):
            way = Way(message_id, number, DeliveryState(state), reason)
            found.setdefault((sender, code), []).append(way)
        return found

    async def _steps(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Told]]:
        step = dossier_step.c
        query = (
            select(step.sender, step.code, message.c.id, message.c.client, message.c.record)
            .select_from(dossier_step.join(message, step.message_id == message.c.id))
            .where(tuple_(step.sender, step.code).in_(keys))
        )
        found: dict[tuple[str, str], list[Told]] = {}
        for sender, code, *told in await self._all(query):
            found.setdefault((sender, code), []).append(Told(*told))
        return found

    async def _counted(self, rows: Sequence[DossierRow]) -> list[Counted]:
        if not rows:
            return []
        step = dossier_step.c
        query = (
            select(step.sender, step.code, func.count())
            .where(tuple_(step.sender, step.code).in_([(r.sender, r.code) for r in rows]))
            .group_by(step.sender, step.code)
        )
        counts = {(sender, code): count for sender, code, count in await self._all(query)}
        return [Counted(row, counts.get((row.sender, row.code), 0)) for row in rows]

    async def _all(self, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        async with self._db.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]
