"""One session or token of a partner for many concurrent calls, in one process or in all of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from schemas.errors import LedgerUnavailable
from schemas.sessions import HeldSession, SharedSession

T = TypeVar("T")


class Granted(NamedTuple):
    """A session of which the partner says how long it lasts."""

    session: str
    seconds: float
    early: float = 0.0  # seconds before its end from which on a new one is got


SPREAD = 0.1
"""Part of its time by which a session is renewed early, at most and at random: processes that share
nothing have got theirs together, and do not all log in anew at once."""

LOGIN_MARGIN = 2.0
"""Seconds beyond the longest wait for an answer after which a login was given up for certain."""

_LOOK = 0.1  # seconds between looks whether another process is done
_PAUSE = 1.0  # seconds before the next attempt, while the old session is still good
_PATIENCE = 8.0  # seconds for the ledger, which may wait 5 for a lock; then one helps oneself


class Session:
    """Logs in when there is no session, when it is old, and when it was refused.

    However many calls wait, one login is under way; they share what comes of it. While it is, the
    old session is used as long as it is good. With `shared`, one process logs in for all; when the
    ledger does not answer, each does so for itself.
    """

    def __init__(
        self,
        login: Callable[[], Coroutine[Any, Any, str | Granted]],
        *,
        seconds: float,
        shared: SharedSession | None = None,
        login_seconds: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`seconds` after which a session counts as ended, unless the partner says it.

        `login_seconds`: the longest that a login takes; after that, others may try.
        `chance`: from 0 to 1, how much of SPREAD is taken.
        """
        self._login = login
        self._seconds = seconds
        self._shared = shared
        self._login_seconds = login_seconds
        self._clock = clock
        self._chance = chance
        self._session = ""
        self._serial = 0  # of the session; 0: it is this process's own
        self._refused_serial = 0
        self._renew_at = 0.0
        self._ends_at = 0.0
        self._under_way: asyncio.Task[str] | None = None
        self._waiting = 0

    async def current(self) -> str:
        """Raises what the login raises."""
        now = self._clock()
        if self._session and now < self._renew_at:
            return self._session
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._renew())
            self._under_way.add_done_callback(_heard)
        if self._session and now < self._ends_at:
            return self._session
        return await self._awaited(self._under_way)

    def refused(self, session: str) -> None:
        """The partner does not take it; one that was renewed meanwhile stays."""
        if session == self._session:
            self._session = ""
            self._refused_serial = self._serial

    async def _renew(self) -> str:
        try:
            if self._shared is None:
                return self._adopt(*await self._got())
            try:
                return await self._renew_for_all(self._shared)
            except LedgerUnavailable:
                return self._adopt(*await self._got())
        except BaseException:
            self._renew_at = self._clock() + _PAUSE  # the old one is used until then
            raise
        finally:
            if self._under_way is asyncio.current_task():
                self._under_way = None

    async def _got(self) -> tuple[str, float, float]:
        """From the partner: a session, and seconds until it is renewed and until it ends."""
        begun = self._clock()
        found = await self._login()
        if isinstance(found, str):
            found = Granted(found, self._seconds)
        spent = self._clock() - begun
        renew_in = (found.seconds - found.early) * (1 - SPREAD * self._chance())
        return found.session, renew_in - spent, found.seconds - spent

    def _adopt(self, session: str, renew_in: float, ends_in: float, serial: int = 0) -> str:
        now = self._clock()
        self._session, self._serial = session, serial
        self._renew_at, self._ends_at = now + renew_in, now + ends_in
        return session

    async def _renew_for_all(self, shared: SharedSession) -> str:
        """What another process got, or what this one gets for all. Raises LedgerUnavailable."""
        while True:
            held = await _answered(shared.find())
            if held is not None and self._may_use(held) and held.renew_in > 0:
                return self._adopt(held.session, held.renew_in, held.ends_in, held.serial)
            serial = held.serial if held is not None else 0
            right = await _answered(shared.take(serial, self._login_seconds))
            if right:
                return await self._got_for_all(shared, right, serial + 1)
            if (
                held is not None and self._may_use(held) and held.ends_in > 0
            ):  # while another renews
                wait = min(_PAUSE, held.ends_in)
                return self._adopt(held.session, wait, held.ends_in, held.serial)
            await asyncio.sleep(_LOOK)

    def _may_use(self, held: HeldSession) -> bool:
        """Asked anew after each wait: it may have been refused meanwhile."""
        return held.serial != self._refused_serial

    async def _got_for_all(self, shared: SharedSession, right: str, serial: int) -> str:
        try:
            session, renew_in, ends_in = await self._got()
        except BaseException:
            with suppress(LedgerUnavailable):  # then others wait until the right is over
                await _answered(shared.give_up(right))
            raise
        kept = False
        with suppress(LedgerUnavailable):
            kept = await _answered(shared.keep(right, session, renew_in=renew_in, ends_in=ends_in))
        return self._adopt(session, renew_in, ends_in, serial if kept else 0)

    async def _awaited(self, task: asyncio.Task[str]) -> str:
        """The last one to be cancelled takes the login with it."""
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1
            if not self._waiting and not task.done():
                self._under_way = None  # whoever comes now begins anew
                task.cancel()


async def _answered(asked: Awaitable[T]) -> T:
    """Raises LedgerUnavailable when the ledger does not answer in time, too."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asked
    except TimeoutError as error:
        raise LedgerUnavailable("the ledger is slow") from error


def _heard(task: asyncio.Task[str]) -> None:
    """A renewal that nobody waited for may fail: the old session is used, then it is repeated."""
    if not task.cancelled():
        task.exception()
