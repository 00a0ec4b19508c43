"""Dossiers on their way to national systems: local codes give way to national ones (ánh xạ mã).

It is done at the moment of sending, by the tables in force on that day.  A record with a code that
no table knows is held, with the reason, and let go by itself once a table knows it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from bus.engine.live import LiveConfig
from bus.ledger import dossier_queries
from bus.ledger.ledger import Ledger
from bus.ledger.records import Claimed
from routing.mapping import MappingTables, Unmapped, map_record
from schemas.adapter import Manifest, Outcome, Result
from schemas.dossier import DossierRecord
from schemas.vietnam import day_of

log = structlog.get_logger(__name__)

UNMAPPED = "unmapped"
"""Code of a held delivery whose record has a code no table translates."""

MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is handed to the adapter, or why nothing is."""

    body: bytes
    held: Outcome | None = None
    media_type: str = MEDIA_TYPE

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def prepare(claimed: Claimed, manifest: Manifest, tables: MappingTables, on: date) -> Prepared:
    """The canonical record or step as this adapter wants it. Steps hold no codes to translate."""
    text = claimed.record or ""
    if claimed.kind != "dossier" or not manifest.maps:
        return Prepared(text.encode())
    record = DossierRecord.model_validate_json(text)
    mapped = map_record(record, tables, on)
    if isinstance(mapped, Unmapped):
        detail = f"{mapped.reason.vi} / {mapped.reason.en}"
        return Prepared(b"", Outcome(Result.TRANSIENT, code=UNMAPPED, detail=detail[:500]))
    return Prepared(mapped.model_dump_json(by_alias=True).encode())


class Releaser:
    """Lets go what is held for a mapping, once the tables know all its codes."""

    def __init__(self, ledger: Ledger, live: LiveConfig) -> None:
        self._ledger = ledger
        self._live = live
        self._looked_with: tuple[MappingTables, date] | None = None
        self._looked_at: set[tuple[int, int]] = set()  # delivery and attempt, with those tables

    async def round(self) -> int:
        """Looks once at each held delivery for each state of the tables. Returns how many left.

        Raises LedgerUnavailable.
        """
        tables, on = self._live.snapshot.mappings, day_of(self._ledger.clock())
        if self._looked_with is None or self._looked_with != (tables, on):
            self._looked_with = (tables, on)
            self._looked_at.clear()
        released, after = 0, 0
        while held := await self._ledger.dossiers.unmapped(UNMAPPED, after=after):
            after = held[-1].id
            new = [each for each in held if (each.id, each.attempts) not in self._looked_at]
            ready = await asyncio.to_thread(_ready, new, tables, on)
            self._looked_at.update((each.id, each.attempts) for each in new)
            if ready:
                reason = "the mapping tables know its codes now"
                done = await self._ledger.release(
                    ready, code=UNMAPPED, actor="mapping", reason=reason
                )
                released += len(done)
        return released


def _ready(held: Sequence[dossier_queries.Unmapped], tables: MappingTables, on: date) -> list[int]:
    return [
        each.id
        for each in held
        if not isinstance(
            map_record(DossierRecord.model_validate_json(each.record), tables, on), Unmapped
        )
    ]
