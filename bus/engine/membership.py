"""Who is alive: every process raises its beat in the ledger each second, all watch the others.

A process counts as lost when its beat stood still through several readings in a row on the
watcher's own monotonic clock: neither skewed nor jumping wall clocks, nor a ledger that was away
for all, make the living look dead.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from bus.engine.outlive import outliving
from bus.ledger import process_acts
from bus.ledger.ledger import Ledger
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
LOST_SECONDS = 5.0
SILENT_SECONDS = 2.5  # so long without a beat, its share of the work is given to others
SET_BACK_SECONDS = 2.0  # by which a clock goes back before anything is done about it
GAP_SECONDS = 2.5  # readings further apart than this prove nothing about the time between


@dataclass(slots=True)
class _Seen:
    beat: int
    since: float
    read_at: float


@dataclass(slots=True)
class Watch:
    """Judges readings of (process, beat). Pure: time is given to it."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    def read(self, beats: dict[str, int], at: float) -> list[tuple[str, int]]:
        """Processes that are lost, with the beat at which they stopped."""
        lost = []
        for process, beat in beats.items():
            seen = self._seen.get(process)
            if seen is None or seen.beat != beat or at - seen.read_at > GAP_SECONDS:
                self._seen[process] = _Seen(beat, at, at)
                continue
            seen.read_at = at
            if at - seen.since >= LOST_SECONDS:
                lost.append((process, beat))
        for process in self._seen.keys() - beats.keys():
            del self._seen[process]
        return lost

    def silent(self, at: float) -> set[str]:
        """Processes that have not been seen beating lately. Sharing work anew is harmless."""
        return {p for p, seen in self._seen.items() if at - seen.since >= SILENT_SECONDS}


class Membership:
    """This process among the others."""

    def __init__(self, ledger: Ledger, roles: Collection[str]) -> None:
        self._ledger = ledger
        self._roles = " ".join(sorted(roles))
        self._buries = "dispatcher" in roles
        self._watch = Watch()
        self._members: dict[str, tuple[str, ...]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._registered = False
        self._ahead: float | None = None  # wall clock over monotonic clock, seconds

    def start(self) -> None:
        self._task = outliving(self._run, name="membership")

    async def close(self) -> None:
        """Leave; what is still in hand is given back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._ledger.act(
                lambda tx, chain, now: process_acts.leave(tx, chain, now, self._ledger.process)
            )
        except LedgerUnavailable:
            log.warning("membership.left_unnoticed")

    def on_change(self, callback: Callable[[], None]) -> None:
        """Called when processes came or went."""
        self._callbacks.append(callback)

    def having(self, role: str | None) -> list[str]:
        """Ids of the live processes with this role (None: any), sorted; at least this one if it
        has it.
        """
        found = {p for p, roles in self._members.items() if role is None or role in roles}
        if role is None or role in self._roles.split(" "):
            found.add(self._ledger.process)
        return sorted(found)

    def owns(self, key: str, *, role: str | None = "worker") -> bool:
        """Whether `key` falls to this process among the live ones with that role: all come to one
        answer.
        """

        def weight(process: str) -> bytes:  # rendezvous hashing
            return hashlib.blake2b(f"{process}\0{key}".encode(), digest_size=8).digest()

        return max(self.having(role), key=weight) == self._ledger.process

    async def _run(self) -> None:
        while True:
            try:
                self._registered = self._registered and await self._beat()
                if not self._registered:
                    await self._register()
                    self._registered = True
                await self._look()
                await self._mind_clock()
            except LedgerUnavailable as error:
                log.debug("membership.ledger_away", error=str(error))
            await asyncio.sleep(BEAT_SECONDS)

    async def _beat(self) -> bool:
        alive = await self._ledger.act(
            lambda tx, chain, now: process_acts.beat(tx, chain, now, self._ledger.process)
        )
        if not alive:
            log.warning("membership.taken_for_dead")
        return alive

    async def _register(self) -> None:
        await self._ledger.act(
            lambda tx, chain, now: process_acts.register(
                tx,
                chain,
                now,
                self._ledger.process,
                roles=self._roles,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
        )

    async def _look(self) -> None:
        rows = await self._ledger.queries.processes()
        members = {row.id: row.roles for row in rows}
        others = {row.id: row.beat for row in rows if row.id != self._ledger.process}
        if self._buries:
            others |= await self._unregistered(members)
        at = time.monotonic()
        lost = self._watch.read(others, at)
        if self._buries:
            for process, beat in lost:
                await self._bury(process, beat)
        for process in self._watch.silent(at):
            members.pop(process, None)
        if members != self._members:
            self._members = members
            for callback in self._callbacks:
                callback()

    async def _mind_clock(self) -> None:
        """Nothing may wait for a moment that a clock has set which was ahead and was put right: not
        ours now, and not one that wrote into the ledger before we came.
        """
        wall = self._ledger.clock() / SECOND
        ahead = wall - time.monotonic()
        if self._ahead is None:
            back = await self._ledger.queries.newest_entry() / SECOND - wall
        else:
            back = self._ahead - ahead
        if back > SET_BACK_SECONDS:
            freed = await self._ledger.act(
                lambda tx, chain, now: process_acts.clock_set_back(
                    tx, chain, now, seconds=back, actor=self._ledger.process
                )
            )
            log.warning("membership.clock_set_back", seconds=round(back, 1), freed=freed)
        self._ahead = ahead

    async def _unregistered(self, members: Collection[str]) -> dict[str, int]:
        """Processes that hold deliveries and that nobody would ever miss."""
        holders = await self._ledger.queries.holders()
        return dict.fromkeys(
            holders.difference(members, [self._ledger.process]), process_acts.UNREGISTERED
        )

    async def _bury(self, process: str, beat: int) -> None:
        taken = await self._ledger.act(
            lambda tx, chain, now: process_acts.bury(
                tx, chain, now, process, beat_seen=beat, actor=self._ledger.process
            )
        )
        if taken is not None:
            log.warning("membership.process_lost", process=process, taken_back=len(taken))
