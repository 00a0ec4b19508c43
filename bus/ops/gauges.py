"""Gauges of what the ledger has, read at a pace it can bear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from bus.ledger.queries import Queries
from bus.ledger.records import Backlog
from bus.ops.metrics import Metrics
from schemas.errors import LedgerUnavailable

log = structlog.get_logger(__name__)

READ_SECONDS: Final = 5.0
BACKLOG_SHARE: Final = 0.04
"""Most of a process's time that counting the backlog may take.

Counting reads every open delivery: 10^6 of them take seconds, so they are counted less often.
An index that made it cheap would cost every change of state instead.
"""


class LedgerGauges:
    """Feeds `Metrics` from one process's ledger."""

    def __init__(
        self, queries: Queries, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queries = queries
        self._metrics = metrics
        self._clock = clock
        self._backlog_due = clock()
        self.last_backlog: list[Backlog] = []
        """As it was counted last."""

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.read()
            except LedgerUnavailable:
                log.debug("metrics.ledger_away")
            await asyncio.sleep(READ_SECONDS)

    async def read(self) -> None:
        """Breakers and pauses each time; the backlog when its turn has come.

        Raises LedgerUnavailable.
        """
        self._metrics.endpoints(await self._queries.endpoint_states())
        began = self._clock()
        if began < self._backlog_due:
            return
        self.last_backlog = await self._queries.backlog()
        self._metrics.backlog(self.last_backlog)
        ended = self._clock()
        self._backlog_due = ended + (ended - began) * (1 - BACKLOG_SHARE) / BACKLOG_SHARE
