"""Live totals of dossiers (số liệu tức thời), for screens that ask again and again.

They are counted from the ledger at most once at a time for each span, whoever asks, and kept for
so long that counting takes a twentieth of the time at the most.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Literal

from bus.engine.live import LiveConfig
from bus.ledger.ledger import Ledger
from bus.ops import dossier_figures
from schemas.dossier.figures import Figures
from schemas.instant import Instant
from schemas.vietnam import day_of

Span = Literal["day", "month", "year"]

KEPT_SECONDS = 5.0
SHARE = 20


@dataclass(frozen=True, slots=True)
class Counted:
    """Figures of all agencies, and when they were counted."""

    first: date
    last: date
    at: Instant
    rows: list[Figures]


class LiveTotals:
    """One per gateway process."""

    def __init__(self, ledger: Ledger, live: LiveConfig) -> None:
        self._ledger = ledger
        self._live = live
        self._counting: dict[Span, asyncio.Lock] = {}
        self._counted: dict[Span, tuple[float, Counted]] = {}  # good until, by the loop's clock

    async def of(self, span: Span) -> Counted:
        """From the beginning of this day, month or year until now. Raises LedgerUnavailable."""
        async with self._counting.setdefault(span, asyncio.Lock()):
            loop = asyncio.get_running_loop()
            began = loop.time()
            known = self._counted.get(span)
            if known is not None and known[0] > began:
                return known[1]
            counted = await self._count(span)
            taken = loop.time() - began
            self._counted[span] = (loop.time() + max(KEPT_SECONDS, SHARE * taken), counted)
            return counted

    async def _count(self, span: Span) -> Counted:
        now, snapshot = self._ledger.clock(), self._live.snapshot
        today = day_of(now)
        first = _first_of(span, today)
        rows = await dossier_figures.of_period(
            self._ledger.dossiers,
            first=first,
            last=today,
            senders=None,
            calendar=snapshot.calendar,
            procedures=snapshot.procedures,
            now=now,
        )
        return Counted(first, today, now, rows)


def _first_of(span: Span, day: date) -> date:
    match span:
        case "day":
            return day
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
