"""How many calls one service gets at once, shared out fairly between callers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from schemas.errors import RateLimited

WAITING = 8
"""Calls of one caller that may wait, for each call that may go on."""


class FairSlots:
    """Free places go to the callers in turn, however many calls each of them has waiting."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._used = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def resize(self, count: int) -> None:
        self._count = count
        self._hand_over()

    async def acquire(self, caller: str) -> None:
        """Waits for a place. Raises RateLimited when the caller has too many waiting already."""
        if self._used < self._count and not self._waiting:
            self._used += 1
            return
        turns = self._waiting.setdefault(caller, deque())
        if len(turns) >= WAITING * self._count:
            raise RateLimited(
                f"{len(turns)} calls of this caller are waiting for the service already",
                vi=f"Đã có {len(turns)} lời gọi của hệ thống này đang chờ dịch vụ",
                retry_after=1,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # called and gone: the next in line gets the place
            elif turn in turns:
                turns.remove(turn)
                if not turns:
                    self._waiting.pop(caller, None)
            raise

    def release(self) -> None:
        self._used -= 1
        self._hand_over()

    def _hand_over(self) -> None:
        while self._used < self._count and self._waiting:
            caller, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[caller] = turns  # behind the others
            if not turn.done():
                self._used += 1
                turn.set_result(None)
