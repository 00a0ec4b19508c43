"""Asks again and again whether the ledger takes anything, also while a process waits to start."""

from __future__ import annotations

import asyncio

import structlog

from bus.engine.outlive import outliving
from bus.ledger import alerts, process_acts
from bus.ledger.ledger import Ledger
from bus.ops.alerts.away import LedgerAway, Outage
from schemas.errors import ConfigurationError, LedgerUnavailable

log = structlog.get_logger(__name__)


ASK_SECONDS = 15.0
"""Whatever it is that keeps the ledger from answering for so long, it does not answer."""


class LedgerWatch:
    """`start`, then `close`. Every process has one, whoever looks for other trouble: the process
    that looks may be on the machine that has just died with the ledger.
    """

    def __init__(self, ledger: Ledger, away: LedgerAway, *, every: float) -> None:
        """`every`: seconds between two questions."""
        self._ledger = ledger
        self._away = away
        self._every = every
        self._unwritten: list[Outage] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = outliving(self._loop, name="ledger-watch")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._away.close()

    async def _loop(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(self._every)

    async def round(self) -> None:
        """One question, and what its answer means."""
        try:
            await self._ask()
            if (outage := await self._away.over()) is not None:
                self._unwritten.append(outage)  # away again, perhaps, before it is written
            while self._unwritten:
                await self._write_down(self._unwritten[0])
                del self._unwritten[0]
        except ConfigurationError:
            pass  # it answers, and holds no ledger yet
        except (LedgerUnavailable, TimeoutError) as error:
            log.debug("alerts.ledger_away", error=str(error) or "no answer")
            await self._away.seen()

    async def _ask(self) -> None:
        """A full disk still lets read: something is written, too."""
        mine = self._ledger.process
        async with asyncio.timeout(ASK_SECONDS):
            await self._ledger.queries.ping()
            await self._ledger.act(lambda tx, chain, now: process_acts.touch(tx, chain, now, mine))

    async def _write_down(self, outage: Outage) -> None:
        """In the list of alerts and in the journal, as if the ledger had been there."""
        raised, ended = outage.raised_at, outage.ended_at
        await self._ledger.act(
            lambda tx, chain, now: alerts.happened(
                tx, chain, now, outage.finding, raised_at=raised, ended_at=ended
            )
        )
