"""Answers that many pages ask for at once: made once, kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
SHARE = 0.04
"""Most of a process's time that making one of them again and again may take."""

MOST_KEPT = 500


class Shared:
    """By key. What was dear to make is kept for longer."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: dict[Hashable, tuple[float, Any]] = {}  # good until, value
        self._making: dict[Hashable, asyncio.Lock] = {}

    def forget(self, key: Hashable) -> None:
        """It has changed."""
        self._kept.pop(key, None)

    async def get(
        self,
        key: Hashable,
        make: Callable[[], Awaitable[T]],
        *,
        seconds: float,
        share: float = SHARE,
    ) -> T:
        """Raises what `make` raises; nothing is kept then."""
        async with self._making.setdefault(key, asyncio.Lock()):
            known = self._kept.get(key)
            if known is not None and known[0] > self._monotonic():
                value: T = known[1]
                return value
            began = self._monotonic()
            made = await make()
            ended = self._monotonic()
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
                self._making.clear()  # whoever waits for one of them has it
            self._kept[key] = (ended + max(seconds, (ended - began) / share), made)
            return made
