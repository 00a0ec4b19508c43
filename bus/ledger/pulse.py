"""Whether PostgreSQL still answers: one connection asks, and all of the process rest on its word.

A dead connection (a firewall forgot it, the other machine is gone) tells nobody: what waits for an
answer over it would wait for a quarter of an hour, until the kernel gives up.
"""

from __future__ import annotations

import asyncio
from weakref import WeakSet

import asyncpg
import structlog

from bus.ledger.servers import Servers

log = structlog.get_logger(__name__)

PULSE_SECONDS = 1.0  # between questions
SILENT_SECONDS = 4  # without an answer, after which every connection is given up


class Pulse:
    """Of one process. What is in doubt when its connection is ended has to be looked at again, as
    after any other cut.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._watched: WeakSet[asyncpg.Connection] = WeakSet()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ledger-pulse")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watch(self, connection: asyncpg.Connection) -> asyncpg.Connection:
        """The same connection, which ends when PostgreSQL has fallen silent."""
        self._watched.add(connection)
        return connection

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            try:
                connection = await self._servers.connect()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                continue  # those who have work say so
            try:
                if await _falls_silent(connection):
                    self._give_up()
            finally:
                connection.terminate()

    def _give_up(self) -> None:
        watched = [each for each in self._watched if not each.is_closed()]
        log.warning("ledger.silent", seconds=SILENT_SECONDS, connections=len(watched))
        for connection in watched:
            connection.terminate()


async def _falls_silent(connection: asyncpg.Connection) -> bool:
    """Asks until there is no answer (True) or the connection ends by itself (False)."""
    while True:
        await asyncio.sleep(PULSE_SECONDS)
        question = asyncio.ensure_future(connection.fetchval("SELECT 1"))
        try:
            for _ in range(SILENT_SECONDS):
                # in small steps: a loop that stood still itself must not take that for silence
                await asyncio.wait({question}, timeout=1.0)
                if question.done():
                    break
            else:
                return True
        finally:
            question.cancel()
        if question.cancelled() or question.exception() is not None:
            return False
