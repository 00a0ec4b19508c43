"""Statuses told in codes that no table knew (trạng thái chờ ánh xạ), once one does.

What told them was accepted and waits: its deliveries are held, its dossier shows no status, and
whoever follows events hears nothing of the dossier, so that everything comes in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date

from bus.engine.live import LiveConfig, Snapshot
from bus.ledger.dossier_waits import Waiting
from bus.ledger.ledger import Ledger
from routing.mapping import Unmapped
from schemas.dossier import DossierStatus

DOSSIERS = 100
"""Dossiers settled in one transaction: accepting waits so long at the most."""


class StatusMapper:
    """Run by every janitor; two at once do the same, once."""

    def __init__(self, ledger: Ledger, live: LiveConfig) -> None:
        self._ledger = ledger
        self._live = live

    async def round(self) -> int:
        """How many records and steps are understood now. Raises LedgerUnavailable."""
        waiting = await self._ledger.dossiers.statuses_waiting()
        meanings = await asyncio.to_thread(_meanings, waiting, self._live.snapshot)
        done = 0
        for wait, status in meanings.items():
            while some := await self._ledger.dossiers.waiting_with(wait, limit=DOSSIERS):
                done += await self._ledger.understand(some, wait, status)
        return done


def _meanings(waiting: list[Waiting], snapshot: Snapshot) -> Mapping[Waiting, DossierStatus]:
    found = {}
    for wait in waiting:
        on = date.fromisoformat(wait.day)
        line = snapshot.directory.line(wait.sender, on)
        status = snapshot.mappings.status(line, wait.local, on)
        if not isinstance(status, Unmapped):
            found[wait] = status
    return found
