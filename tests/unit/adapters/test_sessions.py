"""One session for many calls: one login under way, renewed by age and when refused."""

from __future__ import annotations

import asyncio

import pytest

from adapters.sessions import Session
from tests.waiting import wait_until


class Logins:
    """Counts logins, which wait until they are let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False
        self.now = 0.0
        self.chance = 0.0

    async def log_in(self) -> str:
        self.begun += 1
        number = self.begun
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails:
            raise ConnectionError
        return f"session-{number}"

    def session(self) -> Session:
        return Session(self.log_in, seconds=600, clock=lambda: self.now, chance=lambda: self.chance)


async def test_many_concurrent_calls_share_one_login() -> None:
    logins = Logins()
    session = logins.session()
    assert set(await asyncio.gather(*(session.current() for _ in range(100)))) == {"session-1"}
    assert await session.current() == "session-1"
    assert logins.begun == 1


async def test_pitfall_5_an_old_session_is_renewed() -> None:
    logins = Logins()
    session = logins.session()
    await session.current()
    logins.now = 599
    assert await session.current() == "session-1"
    logins.now = 600
    assert await session.current() == "session-2"


async def test_processes_that_logged_in_together_do_not_do_so_again() -> None:
    early, late = Logins(), Logins()
    early.chance = 1.0
    sessions = [early.session(), late.session()]
    for session in sessions:
        await session.current()
    early.now = late.now = 599
    for session in sessions:
        assert await session.current() == "session-1", "it is good while another one is got"
    await wait_until(lambda: early.begun == 2, what="a login")
    assert await sessions[0].current() == "session-2"
    assert late.begun == 1


async def test_a_renewal_that_fails_leaves_the_old_session_and_is_repeated_after_a_while() -> None:
    logins = Logins()
    logins.chance = 1.0  # renewed from 540 on
    session = logins.session()
    await session.current()
    logins.now, logins.fails = 550, True
    assert await session.current() == "session-1"
    await wait_until(lambda: logins.begun == 2, what="a login")
    assert [await session.current() for _ in range(20)] == ["session-1"] * 20
    assert logins.begun == 2, "not once for each call"
    logins.now, logins.fails = 552, False
    assert await session.current() == "session-1"
    await wait_until(lambda: logins.begun == 3, what="another login")
    assert await session.current() == "session-3"


async def test_pitfall_5_a_refused_session_is_renewed_once_for_all() -> None:
    logins = Logins()
    session = logins.session()
    await session.current()

    async def refused() -> str:
        session.refused("session-1")
        return await session.current()

    assert set(await asyncio.gather(*(refused() for _ in range(50)))) == {"session-2"}
    session.refused("session-1")  # a late answer about the one before
    assert await session.current() == "session-2"


async def test_a_failed_login_fails_all_who_wait_and_the_next_one_tries_again() -> None:
    logins = Logins()
    logins.fails = True
    session = logins.session()
    results = await asyncio.gather(*(session.current() for _ in range(9)), return_exceptions=True)
    assert all(isinstance(each, ConnectionError) for each in results)
    assert logins.begun == 1
    logins.fails = False
    assert await session.current() == "session-2"


async def test_one_cancelled_caller_leaves_the_login_to_the_others() -> None:
    logins = Logins()
    logins.open.clear()
    session = logins.session()
    one, other = (asyncio.create_task(session.current()) for _ in range(2))
    await wait_until(lambda: logins.begun, what="a login")
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    logins.open.set()
    assert await other == "session-1"
    assert (logins.begun, logins.cancelled) == (1, 0)


async def test_the_last_cancelled_caller_ends_the_login_and_harms_nobody_who_comes_now() -> None:
    logins = Logins()
    logins.open.clear()
    session = logins.session()
    one = asyncio.create_task(session.current())
    await wait_until(lambda: logins.begun, what="a login")
    one.cancel()
    late = asyncio.create_task(session.current())
    with pytest.raises(asyncio.CancelledError):
        await one
    logins.open.set()
    assert await late in {"session-1", "session-2"}
    logins.open.clear()
    session.refused(await session.current())
    alone = asyncio.create_task(session.current())
    await wait_until(lambda: logins.begun > 1, what="another login")
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    await wait_until(lambda: logins.cancelled, what="the login cancelled")
