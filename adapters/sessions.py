"""One session or token of a partner for many concurrent calls."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple


class Granted(NamedTuple):
    """A session of which the partner says how long it lasts."""

    session: str
    seconds: float


SPREAD = 0.1
"""Part of its time by which a session is given up early, at most and at random: the processes of a
bus have got theirs together, and do not all log in anew at once."""


class Session:
    """Logs in when there is no session, when it is old, and when it was refused.

    However many calls wait, one login is under way; they share what comes of it.
    """

    def __init__(
        self,
        login: Callable[[], Coroutine[Any, Any, str | Granted]],
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`seconds` after which a session counts as old, unless the partner says it.

        `chance`: from 0 to 1, how much of SPREAD is taken.
        """
        self._login = login
        self._seconds = seconds
        self._clock = clock
        self._chance = chance
        self._session = ""
        self._ends = 0.0
        self._under_way: asyncio.Task[str] | None = None
        self._waiting = 0

    async def current(self) -> str:
        """Raises what the login raises."""
        if self._session and self._clock() < self._ends:
            return self._session
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._renew())
        return await self._shared(self._under_way)

    def refused(self, session: str) -> None:
        """The partner does not take it; one that was renewed meanwhile stays."""
        if session == self._session:
            self._session = ""

    async def _renew(self) -> str:
        begun = self._clock()
        try:
            found = await self._login()
            if isinstance(found, str):
                found = Granted(found, self._seconds)
            self._session = found.session
            self._ends = begun + found.seconds * (1 - SPREAD * self._chance())
            return self._session
        finally:
            if self._under_way is asyncio.current_task():
                self._under_way = None

    async def _shared(self, task: asyncio.Task[str]) -> str:
        """The last one to be cancelled takes the login with it."""
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1
            if not self._waiting and not task.done():
                self._under_way = None  # whoever comes now begins anew
                task.cancel()
