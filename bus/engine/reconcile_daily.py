"""Daily reconciliation, each endpoint by the one worker it falls to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from bus.engine.deliver import CreateAdapter
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.engine.reconcile import DAY, Desk, Report, Scope, with_portal, with_source
from bus.engine.reconcile_report import Kept
from bus.ledger.ledger import Ledger
from schemas.adapter import DossierLookup, DossierSource, Manifest
from schemas.errors import ConfigurationError
from schemas.instant import SECOND
from schemas.province import Endpoint

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often it is asked which endpoint is due."""

FIRST_LOOK_SECONDS = 4.0
"""After the start: by then processes that were started together know of each other."""

FIRST_PAUSE, LONGEST_PAUSE = 300.0, 3_600.0
"""Seconds after one that could not be done, doubling."""


class Reconciler:
    """Reconciles the endpoints that fall to this worker. `start`, then `close`."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveConfig,
        states: EndpointStates,
        membership: Membership,
        *,
        create: CreateAdapter,
        manifests: Mapping[str, Manifest],
        folder: Path,
    ) -> None:
        """The last report of each endpoint is kept in `folder`."""
        self._ledger = ledger
        self._live = live
        self._states = states
        self._membership = membership
        self._create = create
        self._manifests = manifests
        self._kept = Kept(folder)
        self._due: dict[str, tuple[Endpoint, float]] = {}  # monotonic, in seconds
        self._failures: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = outliving(self._keep_looking, name="reconcile")

    async def close(self) -> None:
        """What is under way is dropped, and begun anew after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_looking(self) -> None:
        await asyncio.sleep(FIRST_LOOK_SECONDS)
        while True:
            for endpoint in list(self._live.snapshot.endpoints.values()):
                if self._is_due(endpoint):
                    pause = await self._turn(endpoint)
                    self._due[endpoint.name] = (endpoint, time.monotonic() + pause)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_due(self, endpoint: Endpoint) -> bool:
        if not self._membership.owns(endpoint.name):
            self._due.pop(endpoint.name, None)
            return False
        known, at = self._due.get(endpoint.name, (None, 0.0))
        late = known != endpoint or time.monotonic() >= at
        return late and not self._states.blocked(endpoint.name)

    async def _turn(self, endpoint: Endpoint) -> float:
        """Seconds until it is to be looked at again. Raises nothing: others must have theirs."""
        try:
            adapter = self._create(endpoint)
        except ConfigurationError:  # the worker has said so; mended, it is another endpoint
            return float("inf")
        try:
            if not isinstance(adapter, DossierLookup | DossierSource):
                return float("inf")
            policy = adapter.reconciling
            if policy is None or policy.interval == float("inf"):
                return float("inf")
            left = self._left(endpoint.name, policy.interval)
            if left <= 0:
                report = await self._reconcile(endpoint, adapter, policy.days)
                await asyncio.to_thread(self._kept.keep, report)
                left = LONGEST_PAUSE if report.unanswered else policy.interval
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one may succeed
            failures = self._failures[endpoint.name] = self._failures.get(endpoint.name, 0) + 1
            text = f"{type(error).__name__}: {error}"[:300]
            log.warning("reconcile.failing", endpoint=endpoint.name, times=failures, error=text)
            return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
        finally:
            await adapter.close()
        self._failures.pop(endpoint.name, None)
        return left

    def _left(self, endpoint: str, interval: float) -> float:
        """Seconds until the last one is `interval` old."""
        last = self._kept.finished_at(endpoint)
        return interval - max(0, self._ledger.clock() - last) / SECOND

    async def _reconcile(
        self, endpoint: Endpoint, adapter: DossierLookup | DossierSource, days: int
    ) -> Report:
        actor = f"endpoint:{endpoint.name}"
        desk = Desk(self._ledger, self._live.snapshot, self._manifests, actor)
        scope = Scope(self._ledger.clock() - days * DAY)
        if isinstance(adapter, DossierLookup):
            return await with_portal(desk, endpoint, adapter, scope)
        return await with_source(desk, endpoint, adapter, scope)
