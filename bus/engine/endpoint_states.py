"""What the ledger says of every endpoint (paused, breaker), read again and again.

An endpoint in announced maintenance counts as paused while that lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from bus.engine.live import LiveConfig
from bus.engine.outlive import outliving
from bus.ledger.ledger import Ledger
from bus.ledger.records import EndpointState
from schemas.errors import LedgerUnavailable
from schemas.instant import Instant, to_datetime
from schemas.maintenance import away

log = structlog.get_logger(__name__)

READ_SECONDS = 0.5


class EndpointStates:
    """The last reading; stays while the ledger is away."""

    def __init__(self, ledger: Ledger, live: LiveConfig) -> None:
        self._ledger = ledger
        self._live = live
        self._states: dict[str, EndpointState] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = outliving(self._follow, name="endpoint-states")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def on_read(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def of(self, endpoint: str) -> EndpointState:
        return self._states.get(endpoint) or EndpointState(endpoint)

    def blocked(self, endpoint: str) -> bool:
        """Paused, or left in peace by the breaker: nothing but a probe may go."""
        state = self._states.get(endpoint)
        return state is not None and (state.paused or state.breaker == "open")

    def probe_due(self, endpoint: str, now: Instant) -> bool:
        state = self.of(endpoint)
        return state.breaker == "open" and not state.paused and (state.probe_at or 0) <= now

    async def _follow(self) -> None:
        while True:
            try:
                self._states = self._resting(await self._ledger.queries.endpoint_states())
                for callback in self._callbacks:
                    callback()
            except LedgerUnavailable as error:
                log.debug("endpoint_states.ledger_away", error=str(error))
            await asyncio.sleep(READ_SECONDS)

    def _resting(self, states: dict[str, EndpointState]) -> dict[str, EndpointState]:
        now = to_datetime(self._ledger.clock())
        for name, endpoint in self._live.snapshot.endpoints.items():
            if away(endpoint.maintenance, now) is not None:
                states[name] = replace(states.get(name) or EndpointState(name), paused=True)
        return states
