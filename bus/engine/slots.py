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
        ahead = self._waiting[Lane.URGENT] or (lane is Lane.NORMAL and self._waiting[Lane.NORMAL])
        got = 0
        if ahead or self._used >= self._count:
            await self._turn(lane)
            got = 1  # handed over by whoever called
        more = max(0, min(wanted - got, self._count - self._used))
        self._used += more
        return got + more

    def take(self) -> bool:
        """One place at once, if one is free and nobody waits for it."""
        if self._used >= self._count or any(self._waiting.values()):
            return False
        self._used += 1
        return True

    def release(self, count: int = 1) -> None:
        self._used -= count
        self._wake()

    async def _turn(self, lane: Lane) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # called and gone: the next in line gets the place
            raise

    def _wake(self) -> None:
        """Hand free places over; a newcomer can then not take them from those called."""
        for lane in (Lane.URGENT, Lane.NORMAL):
            waiting = self._waiting[lane]
            while self._used < self._count and waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._used += 1
                    turn.set_result(None)
