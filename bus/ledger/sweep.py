"""Removes blobs that no message names: a crash between writing and committing leaves them.

A blob that a commit is about to name is never removed.  Writing makes a blob young again, even one
that lay there already; a commit follows within seconds, and only what has been old for a day, is
named by no message, and is still old while nobody may write (`BlobStore.remove`) goes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, NamedTuple

from bus.ledger.blobs import BlobStore
from bus.ledger.queries import Queries

SAFE_SECONDS: Final = 86_400.0
PER_ROUND: Final = 1_000


class Swept(NamedTuple):
    blobs: int  # removed: no message named them
    incoming: int  # removed: packets that stopped arriving
    more: bool  # the store has not been seen to its end yet


class BlobSweep:
    """Walks the store in order of names, a bounded number each round, then begins anew."""

    def __init__(self, queries: Queries, blobs: BlobStore, *, per_round: int = PER_ROUND) -> None:
        self._queries = queries
        self._blobs = blobs
        self._per_round = per_round
        self._after = ""

    async def round(self) -> Swept:
        """Raises LedgerUnavailable, also when the store cannot be read; the next goes on there."""
        old = time.time() - SAFE_SECONDS
        incoming = 0 if self._after else await asyncio.to_thread(self._blobs.clear_incoming, old)
        names = await asyncio.to_thread(self._blobs.names, self._after, self._per_round)
        aged = await asyncio.to_thread(self._blobs.older, names, old)
        named = await self._queries.named_blobs(aged) if aged else set()
        removed = 0
        for name in aged:
            if name not in named:
                removed += await asyncio.to_thread(self._blobs.remove, name, old)
        more = len(names) == self._per_round
        self._after = names[-1] if more else ""
        return Swept(removed, incoming, more)
