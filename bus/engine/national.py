"""Dossiers on their way to national systems: local codes give way to national ones (ánh xạ mã).

It is done at the moment of sending, by the tables in force on that day; in what comes back from
portals, national codes give way to the receiver's local ones.  What has a code that no table knows
is held, with the reason, and let go by itself once a table knows it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import orjson
import structlog

from bus.engine.live import LiveConfig
from bus.ledger import dossier_queries
from bus.ledger.ledger import Ledger
from bus.ledger.records import Claimed
from routing.mapping import MappingTables, Unmapped, map_order, map_record, unmap_record
from schemas.adapter import Manifest, Outcome, Result
from schemas.dossier import DossierRecord, DossierStatus
from schemas.flows import PostalOrder, Submission
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
    """The canonical record, step or item as this adapter wants it."""
    text = claimed.record or ""
    mapped = translate(claimed.kind, text, tables, on, maps=manifest.maps)
    if isinstance(mapped, Unmapped):
        detail = f"{mapped.reason.vi} / {mapped.reason.en}"
        return Prepared(b"", Outcome(Result.TRANSIENT, code=UNMAPPED, detail=detail[:500]))
    return Prepared(mapped.encode())


def translate(
    kind: str, text: str, tables: MappingTables, on: date, *, maps: bool
) -> str | Unmapped:
    """Canonical JSON with the codes of whoever gets it. Other kinds hold none to translate."""
    if kind in {"dossier", "step"} and (waiting := _status_awaited(text)):
        return waiting
    match kind:
        case "dossier" if maps:
            record = map_record(DossierRecord.model_validate_json(text), tables, on)
            return record if isinstance(record, Unmapped) else record.model_dump_json(by_alias=True)
        case "postal-order" if maps:
            order = map_order(PostalOrder.model_validate_json(text), tables, on)
            return order if isinstance(order, Unmapped) else order.model_dump_json(by_alias=True)
        case "submission":
            given = Submission.model_validate_json(text)
            own = unmap_record(given.record, tables, on)
            if isinstance(own, Unmapped):
                return own
            return given.model_copy(update={"record": own}).model_dump_json(by_alias=True)
        case _:
            return text


def _status_awaited(text: str) -> Unmapped | None:
    """Whatever the receiver is: a status that nobody understands tells it nothing."""
    told = orjson.loads(text)
    if told["status"] != DossierStatus.UNMAPPED:
        return None
    return Unmapped("status", told["localStatus"])


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
            ready = await self._ready(new, tables, on) if new else []
            self._looked_at.update((each.id, each.attempts) for each in new)
            if ready:
                reason = "the mapping tables know its codes now"
                done = await self._ledger.release(
                    ready, code=UNMAPPED, actor="mapping", reason=reason
                )
                released += len(done)
        return released

    async def _ready(
        self, held: Sequence[dossier_queries.Unmapped], tables: MappingTables, on: date
    ) -> list[int]:
        records = await self._ledger.dossiers.kinds_and_records({each.message_id for each in held})
        known = await asyncio.to_thread(_known, records, tables, on)
        return [each.id for each in held if each.message_id in known]


def _known(records: Mapping[str, tuple[str, str]], tables: MappingTables, on: date) -> set[str]:
    """Messages all of whose codes the tables translate."""
    return {
        message_id
        for message_id, (kind, text) in records.items()
        if not isinstance(translate(kind, text, tables, on, maps=True), Unmapped)
    }
