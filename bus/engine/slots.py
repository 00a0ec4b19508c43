"""How many deliveries of one endpoint go out at once; urgent ones get the next free place."""

from __future__ import annotations

import asyncio
from collections import deque

from schemas.message import Lane


class Slots:
    def __init__(self, count: int) -> None:
        self._count = count
        self._used = 0
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {
            Lane.URGENT: deque(),
            Lane.NORMAL: deque(),
        }

    def resize(self, count: int) -> None:
        self._count = count
        self._wake()

    async def acquire(self, wanted: int, lane: Lane) -> int:
        """Between one and `wanted` places, as many as are free."""
        while self._used >= self._count or (lane is Lane.NORMAL and self._waiting[Lane.URGENT]):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[lane].append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        got = min(wanted, self._count - self._used)
        self._used += got
        return got

    def release(self, count: int = 1) -> None:
        self._used -= count
        self._wake()

    def _wake(self) -> None:
        free = self._count - self._used
        for lane in (Lane.URGENT, Lane.NORMAL):
            waiting = self._waiting[lane]
            while free > 0 and waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    free -= 1
