"""Replies that answer the same question again, and questions asked by several at once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

Reply = dict[str, Any]
MAX_REPLIES = 1_000


class Replies:
    """Replies in memory by question. Only successes are kept; errors go to all who wait."""

    def __init__(
        self, *, max_replies: int = MAX_REPLIES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, Reply]] = OrderedDict()  # good until
        self._asked: dict[Hashable, asyncio.Task[Reply]] = {}
        self._max = max_replies
        self._monotonic = monotonic

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[Reply]], *, seconds: float
    ) -> Reply:
        """The kept reply, or that of the one call that is under way. Nobody may change it.

        A caller who gives up leaves the call to the others.
        """
        good_until, reply = self._kept.get(key, (0.0, {}))
        if self._monotonic() < good_until:
            return reply
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask, seconds))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _ask(
        self, key: Hashable, ask: Callable[[], Awaitable[Reply]], seconds: float
    ) -> Reply:
        try:
            reply = await ask()
        finally:
            del self._asked[key]
        self._kept.pop(key, None)
        self._kept[key] = (self._monotonic() + seconds, reply)
        if len(self._kept) > self._max:
            self._kept.popitem(last=False)
        return reply
