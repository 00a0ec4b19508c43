"""What flows through the bus just now, counted from the journal as it grows.

Each entry is read once, whatever number of people look on; only what is new since the last reading
is asked for.  A process that has fallen far behind leaves out what is older than what it keeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from bus.ledger.queries import Queries
from bus.ledger.records import JournalRow
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND, Clock, Instant

log = structlog.get_logger(__name__)

READ_SECONDS = 1.0
SLOT_SECONDS = 10
KEPT_SECONDS = 900
BEHIND = 20_000  # entries of one chain that are read up at most; older ones are left out
PAGE = 2_000

SENT_ON = frozenset({"delivered", "rejected"})
FAILED = frozenset({"waiting", "dead"})
Flow = tuple[str, str, tuple[str, ...]]
"""Sender, endpoint, receivers."""


@dataclass(slots=True)
class Slot:
    """What happened in ten seconds."""

    start: Instant
    accepted: int = 0
    flows: Counter[Flow] = field(default_factory=Counter)
    sent_on: Counter[str] = field(default_factory=Counter)  # by endpoint
    failed: Counter[str] = field(default_factory=Counter)  # attempts, by endpoint
    milliseconds: Counter[str] = field(default_factory=Counter)  # of attempts, by endpoint
    attempts: Counter[str] = field(default_factory=Counter)


class Pulse:
    """One per console process."""

    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._places: dict[str, int] = {}
        self._slots: deque[Slot] = deque()

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.read()
            except LedgerUnavailable:
                log.debug("pulse.ledger_away")
            await asyncio.sleep(READ_SECONDS)

    async def read(self) -> None:
        """Takes in what is new. Raises LedgerUnavailable."""
        since = self._clock() - KEPT_SECONDS * SECOND
        heads = await self._queries.journal_heads(since=since)
        for chain, head in heads.items():
            place = max(self._places.get(chain, 0), head - BEHIND)
            while place < head:
                rows = await self._queries.journal_after(chain, place, limit=PAGE)
                if not rows:
                    break
                for row in rows:
                    if row.at >= since:
                        self._count(row)
                place = rows[-1].seq
            self._places[chain] = place
        self._places = {chain: self._places[chain] for chain in heads}
        while self._slots and self._slots[0].start < since:
            self._slots.popleft()

    def slots(self, seconds: int = KEPT_SECONDS) -> list[Slot]:
        """The latest ones, oldest first."""
        since = self._clock() - seconds * SECOND
        return [slot for slot in self._slots if slot.start + SLOT_SECONDS * SECOND > since]

    def flows(self, seconds: int = KEPT_SECONDS) -> Counter[Flow]:
        total: Counter[Flow] = Counter()
        for slot in self.slots(seconds):
            total.update(slot.flows)
        return total

    def latency(self, endpoint: str, seconds: int = KEPT_SECONDS) -> float | None:
        """Milliseconds an attempt took on average."""
        slots = self.slots(seconds)
        attempts = sum(slot.attempts[endpoint] for slot in slots)
        return sum(slot.milliseconds[endpoint] for slot in slots) / attempts if attempts else None

    def _count(self, row: JournalRow) -> None:
        slot = self._slot(row.at)
        if row.event == "accepted":
            slot.accepted += 1
            sender = str(row.data.get("sender", ""))
            slot.flows.update((sender, *flow) for flow in _planned(row))
        elif row.delivery_id is not None and row.event in SENT_ON | FAILED:
            endpoint = str(row.data.get("endpoint", ""))
            (slot.sent_on if row.event in SENT_ON else slot.failed)[endpoint] += 1
            if "ms" in row.data:
                slot.attempts[endpoint] += 1
                slot.milliseconds[endpoint] += round(float(row.data["ms"]))

    def _slot(self, at: Instant) -> Slot:
        """Entries come nearly in order of time."""
        start = at - at % (SLOT_SECONDS * SECOND)
        for slot in reversed(self._slots):
            if slot.start == start:
                return slot
            if slot.start < start:
                break
        made = Slot(start)
        self._slots.append(made)
        if len(self._slots) > 1 and self._slots[-2].start > start:
            self._slots = deque(sorted(self._slots, key=lambda slot: slot.start))
        return made


def _planned(row: JournalRow) -> Iterator[tuple[str, tuple[str, ...]]]:
    for endpoint, *receivers in row.data.get("deliveries", ()):
        yield str(endpoint), tuple(map(str, receivers))
