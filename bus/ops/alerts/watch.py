"""Looks again and again whether something is wrong, and has it told.

Every process counts; one of those that live, whichever roles it has, looks and tells. What it knows
is in the ledger, so that another goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain as joined
from pathlib import Path
from typing import Any

import structlog

from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.ledger import alerts, usage
from bus.ledger.alerts import AlertRow, Finding, Tally
from bus.ledger.journal import Chain
from bus.ledger.ledger import Ledger
from bus.ledger.tx import Tx
from bus.ledger.walk import Place, walk_on
from bus.ops.alerts import expiring, flow, own, processes, senders
from bus.ops.alerts.channels import Channel
from bus.ops.alerts.look import Look, Waiting
from bus.ops.alerts.outbox import Outbox
from bus.ops.alerts.policy import AlertPolicy
from bus.ops.alerts.settle import settle
from bus.ops.gauges import LedgerGauges
from bus.ops.metrics import Metrics
from bus.ops.tallies import SPAN
from schemas.errors import LedgerUnavailable
from schemas.instant import SECOND, Instant

log = structlog.get_logger(__name__)

TELL_SECONDS = 1.0
CERTIFICATES_SECONDS = 6 * 3_600.0
JOURNAL_ENTRIES = 20_000
"""Verified in a round at most: a tenth of a second or so, spread over it."""

WALK = "journal"
RULES = (
    flow.breakers,
    flow.backlog,
    flow.errors,
    flow.dead,
    flow.dossiers,
    senders.fetching,
    senders.repeats,
    senders.clocks,
    own.roles,
    own.broker,
    own.disks,
    own.journal,
    own.expiries,
    own.channels,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules look at besides the ledger."""

    live: LiveConfig
    membership: Membership
    gauges: LedgerGauges
    metrics: Metrics
    broker_up: Callable[[], bool]
    pull_kinds: Collection[str]
    disks: Sequence[Path]
    secrets_dir: Path | None


class Alerts:
    """`start`, then `close`."""

    def __init__(
        self,
        ledger: Ledger,
        around: Surroundings,
        policy: AlertPolicy,
        channels: Sequence[Channel],
    ) -> None:
        self._ledger = ledger
        self._around = around
        self._policy = policy
        self._span = min(SPAN, int(policy.every * SECOND))
        self._outbox = Outbox(
            ledger,
            channels,
            group_seconds=policy.group_seconds,
            observe=around.metrics.alert_told,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            outliving(self._count_loop, name="alerts-count"),
            outliving(self._look_loop, name="alerts-look"),
            outliving(self._tell_loop, name="alerts-tell"),
            outliving(self._certificates_loop, name="alerts-certificates"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.count()  # the last calls are in the figures, too

    def _is_mine(self) -> bool:
        return self._around.membership.owns("alerts", role=None)

    # --- counting: every process ----------------------------------------------------------------

    async def _count_loop(self) -> None:
        while True:
            await self.count()
            await asyncio.sleep(self._span / SECOND)

    async def count(self) -> None:
        """Writes what this process has counted."""
        tallies, calls = self._around.metrics.tallies, self._around.metrics.usage
        await asyncio.to_thread(self._measure_disks)
        tallies.add(own.BROKER, self._here(), measured=int(self._around.broker_up()))
        self._around.metrics.processes(self._roles())
        counted = tallies.drain(self._ledger.clock(), span=self._span)
        called = calls.drain()

        async def write(tx: Tx, chain: Chain, now: Instant) -> None:
            await alerts.count(tx, chain, now, counted)
            await usage.count(tx, chain, now, called)

        try:
            await self._ledger.act(write)
        except LedgerUnavailable:
            tallies.put_back(counted)
            calls.put_back(called)

    def _measure_disks(self) -> None:
        for path in self._around.disks:
            try:
                usage = shutil.disk_usage(path)
            except OSError:  # the folder is made with the first original
                continue
            if usage.total:  # not of a file system that has no size
                self._measured(path, usage.free / usage.total)

    def _measured(self, path: Path, free: float) -> None:
        metrics = self._around.metrics
        place = f"{socket.gethostname()}:{path}"
        metrics.tallies.add(own.DISK, place, measured=int(free * own.PER_MILLE))
        metrics.disk(str(path), free)

    def _roles(self) -> dict[str, int]:
        return {role: len(self._around.membership.having(role)) for role in own.ROLES}

    def _here(self) -> str:
        return own.place(socket.gethostname(), self._around.membership.roles)

    # --- looking: one process -------------------------------------------------------------------

    async def _look_loop(self) -> None:
        while True:
            await asyncio.sleep(self._policy.every)
            if not self._is_mine():
                continue
            try:
                await self.round()
            except LedgerUnavailable as error:
                log.debug("alerts.ledger_away", error=str(error))

    async def round(self) -> None:
        """One look, written down. Raises LedgerUnavailable."""
        now = self._ledger.clock()
        known = await self._ledger.alerts.memory()
        place = await self._walk_journal(known.get(WALK, {}), now)
        look = await self._look(now, known, place)
        silent, rhythm = senders.silent(look)
        drifting, habits = senders.drift(look)
        dead, alive = processes.dead(look)
        memory = {senders.RHYTHM: rhythm, senders.DRIFT: habits, WALK: place.value()}
        memory[processes.PROCESSES] = alive
        ruled = joined.from_iterable(rule(look) for rule in RULES)
        found = [*silent, *drifting, *dead, *ruled]
        rows = await self._write(found, memory, now)
        waiting = {name: each.count for name, each in look.channels.items()}
        self._around.metrics.alerts(rows, waiting)

    async def _write(
        self, found: Sequence[Finding], memory: dict[str, Any], now: Instant
    ) -> list[AlertRow]:
        queries, policy = self._ledger.alerts, self._policy
        settled = settle(
            await queries.unresolved(), found, await queries.silences(now), policy, now
        )

        async def write(tx: Tx, chain: Chain, at: Instant) -> None:
            await alerts.settle(
                tx,
                chain,
                at,
                settled,
                channels=policy.channels,
                memory=memory,
                forget_before=now - int(2 * policy.thresholds.window * SECOND),
            )
            await usage.forget(tx, chain, at)

        await self._ledger.act(write)
        return await queries.unresolved()

    async def _walk_journal(self, value: dict[str, Any], now: Instant) -> Place:
        place = Place.of(value)
        pause = self._policy.thresholds.journal_pause * SECOND
        return await walk_on(self._ledger.db, place, entries=JOURNAL_ENTRIES, pause=pause, now=now)

    async def _look(self, now: Instant, memory: dict[str, Any], place: Place) -> Look:
        around, queries = self._around, self._ledger.queries
        snapshot, members = around.live.snapshot, around.membership
        # before the tallies are read: whoever is not among them any more and was lost is in those
        registered, beating, lost = members.registered, members.beating, members.lost
        return Look(
            now=now,
            limits=self._policy.thresholds,
            snapshot=snapshot,
            states=await queries.endpoint_states(),
            polls=await queries.polls(),
            backlog=around.gauges.last_backlog,
            tallies=await self._tallies(now),
            dossiers=await self._ledger.alerts.dossiers(now),
            memory=memory,
            pull_kinds=frozenset(around.pull_kinds),
            roles=self._roles(),
            processes=registered,
            beating=beating,
            lost=lost,
            here=self._here(),
            broker_up=around.broker_up(),
            expiries=await expiring.all_of(self._ledger, snapshot),
            journal_problems=place.problems,
            channels={
                name: Waiting(*each) for name, each in (await self._ledger.alerts.waiting()).items()
            },
        )

    async def _tallies(self, now: Instant) -> list[Tally]:
        return await self._ledger.alerts.tallies(now - int(self._policy.thresholds.window * SECOND))

    async def _certificates_loop(self) -> None:
        """Partners are asked for their certificates after a change, and a few times a day: apart
        from the rounds, which must not wait for them.
        """
        known, due = None, 0.0
        while True:
            await asyncio.sleep(self._policy.every)
            snapshot = self._around.live.snapshot
            if self._is_mine() and (known is not snapshot or time.monotonic() >= due):
                try:
                    await expiring.look_again(self._ledger, snapshot, self._around.secrets_dir)
                except LedgerUnavailable as error:
                    log.debug("alerts.ledger_away", error=str(error))
                else:
                    known, due = snapshot, time.monotonic() + CERTIFICATES_SECONDS

    # --- telling: the same process --------------------------------------------------------------

    async def _tell_loop(self) -> None:
        while True:
            await asyncio.sleep(min(TELL_SECONDS, self._policy.every))
            if not self._is_mine():
                continue
            try:
                await self._outbox.round()
            except LedgerUnavailable as error:
                log.debug("alerts.ledger_away", error=str(error))
