"""The worker: one runner for each endpoint that is pushed to, following the configuration."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection

import structlog

from bus.broker.port import Broker
from bus.engine.deliver import Context, CreateAdapter, EndpointRunner
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig, Snapshot
from bus.engine.membership import Membership
from bus.engine.observer import Observer
from bus.ledger.handover import Place
from bus.ledger.ledger import Ledger
from schemas.errors import ConfigurationError
from schemas.province import Endpoint

log = structlog.get_logger(__name__)


class Worker:
    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        live: LiveConfig,
        states: EndpointStates,
        membership: Membership,
        *,
        create: CreateAdapter,
        pull_kinds: Collection[str],
        observer: Observer,
        drain_seconds: float,
    ) -> None:
        self._context = Context(ledger, broker, states, create, observer, live)
        self._live = live
        self._membership = membership
        self._pull_kinds = frozenset(pull_kinds)
        self._drain_seconds = drain_seconds
        self._runners: dict[str, EndpointRunner] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._live.on_change(lambda _snapshot: self._changed.set())
        self._membership.on_change(self._share_places)
        self._context.states.on_read(self._learn)
        await self._follow(self._live.snapshot)
        self._task = asyncio.create_task(self._keep_following(), name="worker-config")
        self._context.ledger.hand_over(self._reserve)

    async def close(self) -> None:
        self._context.ledger.hand_over(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(r.stop(self._drain_seconds) for r in self._runners.values()))
        self._runners.clear()

    async def _keep_following(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._follow(self._live.snapshot)

    async def _follow(self, snapshot: Snapshot) -> None:
        wanted = {n: e for n, e in snapshot.endpoints.items() if e.kind not in self._pull_kinds}
        stopping = [n for n, runner in self._runners.items() if wanted.get(n) != runner.endpoint]
        runners = [self._runners.pop(name) for name in stopping]
        await asyncio.gather(*(runner.stop(self._drain_seconds) for runner in runners))
        for name in wanted.keys() - self._runners.keys():
            await self._begin(wanted[name])

    async def _begin(self, endpoint: Endpoint) -> None:
        try:
            runner = EndpointRunner(self._context, endpoint, places=self._places(endpoint))
        except ConfigurationError as error:  # its deliveries wait in the ledger until it is mended
            log.warning("worker.endpoint_unusable", endpoint=endpoint.name, error=str(error))
            return
        self._runners[endpoint.name] = runner
        await runner.start()

    def _reserve(self, endpoint: str) -> Place | None:
        runner = self._runners.get(endpoint)
        return None if runner is None else runner.reserve()

    def _places(self, endpoint: Endpoint) -> int:
        """This worker's share of what the endpoint bears at once."""
        workers = max(1, len(self._membership.having("worker")))
        return math.ceil(endpoint.concurrency / workers)

    def _share_places(self) -> None:
        for runner in self._runners.values():
            runner.resize(self._places(runner.endpoint))

    def _learn(self) -> None:
        for runner in self._runners.values():
            runner.learn()
