"""What fetching came to, written into the ledger, so that health can tell who has fallen silent.

Metrics of the worker that fetches say the same at once; this is for whoever asks `lgsp health`.
"""

from __future__ import annotations

import structlog

from bus.ledger.ledger import Ledger
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND, Instant

log = structlog.get_logger(__name__)

SILENT_SECONDS = 600.0
"""How long after its next round was due an endpoint counts as silent: a round may be long."""

NOTE_SECONDS = 60.0
"""Good rounds in a row are written down this often: a poll may come every second."""


class Rounds:
    """Of one endpoint, by the worker that fetches from it."""

    def __init__(self, ledger: Ledger, endpoint: str, interval: float) -> None:
        """`interval`: seconds between two rounds."""
        self._ledger = ledger
        self._endpoint = endpoint
        self._interval = interval
        self._noted: Instant | None = None  # when the last good round was written down

    async def good(self) -> None:
        now = self._ledger.clock()
        if self._noted is not None and now - self._noted < NOTE_SECONDS * SECOND:
            return
        await self._note(now + self._patience(), None)
        self._noted = now

    async def bad(self, error: str) -> None:
        self._noted = None
        await self._note(self._ledger.clock() + self._patience(), error)

    def _patience(self) -> Instant:
        return int((1.5 * self._interval + NOTE_SECONDS + SILENT_SECONDS) * SECOND)

    async def _note(self, due_at: Instant, error: str | None) -> None:
        """Nothing of fetching depends on it."""
        try:
            await self._ledger.note_poll(self._endpoint, due_at=due_at, error=error)
        except LedgerUnavailable as away:
            log.debug("rounds.ledger_away", endpoint=self._endpoint, error=str(away))
