"""The clock's work, done by the dispatchers: expiry, mending, and blobs nobody names."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from bus.engine.live import LiveConfig
from bus.engine.national import Releaser
from bus.engine.outlive import outliving
from bus.engine.statuses import StatusMapper
from bus.ledger.ledger import Ledger
from bus.ledger.sweep import BlobSweep
from schemas.errors import LedgerUnavailable

log = structlog.get_logger(__name__)

EXPIRE_SECONDS = 1.0
RELEASE_SECONDS = 1.0
MEND_SECONDS = 300.0
PURGE_SECONDS = 600.0
SWEEP_SECONDS = 10.0  # between rounds: some eight million blobs a day
SWEPT_SECONDS = 3_600.0  # after the last of them, before it begins anew


class Janitor:
    def __init__(self, ledger: Ledger, live: LiveConfig, *, pull_kinds: Collection[str]) -> None:
        self._ledger = ledger
        self._live = live
        self._pull_kinds = frozenset(pull_kinds)
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._live.on_change(lambda _snapshot: self._changed.set())
        self._changed.set()
        self._tasks = [
            outliving(self._expire_loop, name="janitor-expire"),
            outliving(self._mend_loop, name="janitor-mend"),
            outliving(self._release_loop, name="janitor-release"),
            outliving(self._purge_loop, name="janitor-purge"),
            outliving(self._sweep_loop, name="janitor-sweep"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _expire_loop(self) -> None:
        while True:
            try:
                expired = await self._ledger.expire()
            except LedgerUnavailable:
                expired = 0
            if expired:
                log.info("janitor.expired", count=expired)
            else:
                await asyncio.sleep(EXPIRE_SECONDS)

    async def _mend_loop(self) -> None:
        while True:
            try:
                for endpoint in list(self._live.snapshot.endpoints.values()):
                    pull = endpoint.kind in self._pull_kinds
                    while mended := await self._ledger.mend_endpoint(endpoint.name, pull=pull):
                        log.warning("janitor.mended", endpoint=endpoint.name, count=mended)
                self._changed.clear()
            except LedgerUnavailable as error:
                log.debug("janitor.ledger_away", error=str(error))
            try:
                async with asyncio.timeout(MEND_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _release_loop(self) -> None:
        statuses = StatusMapper(self._ledger, self._live)
        releaser = Releaser(self._ledger, self._live)
        while True:
            try:
                if understood := await statuses.round():
                    log.info("janitor.statuses_mapped", count=understood)
                released = await releaser.round()
            except LedgerUnavailable:
                released = 0
            if released:
                log.info("janitor.released", count=released)
            await asyncio.sleep(RELEASE_SECONDS)

    async def _purge_loop(self) -> None:
        while True:
            try:
                await self._ledger.identities.purge(now=self._ledger.clock())
                while removed := await self._ledger.remove_expired_jobs():
                    log.info("janitor.jobs_removed", count=removed)
            except LedgerUnavailable as error:
                log.debug("janitor.ledger_away", error=str(error))
            await asyncio.sleep(PURGE_SECONDS)

    async def _sweep_loop(self) -> None:
        sweep = BlobSweep(self._ledger.queries, self._ledger.blobs)
        while True:
            pause = SWEEP_SECONDS
            try:
                swept = await sweep.round()
            except LedgerUnavailable as error:
                log.debug("janitor.sweep_refused", error=str(error))
            else:
                if swept.blobs or swept.incoming:
                    log.info("janitor.swept", blobs=swept.blobs, incoming=swept.incoming)
                pause = SWEEP_SECONDS if swept.more else SWEPT_SECONDS
            await asyncio.sleep(pause)
