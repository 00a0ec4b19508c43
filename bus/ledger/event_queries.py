"""Reads of the numbered line of dossier events: see bus.ledger.dossier_events."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select

from bus.ledger.database import Database
from bus.ledger.tables import dossier_event, message
from schemas.dossier.progress import Kind
from schemas.instant import Instant


class Place(NamedTuple):
    """One event, without what it says."""

    position: int
    message_id: str
    sender: str
    code: str
    kind: Kind


class Said(NamedTuple):
    """What an event says."""

    accepted_at: Instant
    record: str  # canonical JSON


class EventQueries:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def unnumbered(self) -> bool:
        """Whether something was accepted that has no position yet."""
        query = select(dossier_event.c.id).where(dossier_event.c.position.is_(None)).limit(1)
        return bool(await self._all(query))

    async def newest(self) -> int:
        """The last position given; 0 before the first."""
        rows = await self._all(select(func.coalesce(func.max(dossier_event.c.position), 0)))
        return int(rows[0][0])

    async def after(self, position: int, limit: int) -> list[Place]:
        """The events behind a position, without a gap."""
        columns = [dossier_event.c[name] for name in Place._fields]
        query = (
            select(*columns)
            .where(dossier_event.c.position > position)
            .order_by(dossier_event.c.position)
            .limit(limit)
        )
        return [Place(*row) for row in await self._all(query)]

    async def said(self, message_ids: Collection[str]) -> dict[str, Said]:
        """By message."""
        query = select(message.c.id, message.c.accepted_at, message.c.record).where(
            message.c.id.in_(message_ids)
        )
        return {row[0]: Said(*row[1:]) for row in await self._all(query)}

    async def _all(self, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        async with self._db.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]
