"""The log-in desk on a ledger, with a clock of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from bus.console import passwords, totp
from bus.console.desk import ADDRESS_BURST, FREE_FAILURES, LOCK_SECONDS, Desk
from bus.console.settings import Limits, Secrets
from bus.ledger.accounts import Stage
from bus.ledger.ledger import Ledger
from schemas.errors import InvalidRequest, RateLimited, Unauthenticated
from schemas.instant import SECOND, Instant
from tests.ledgers import prepare

KEY = b"a key for the tests"
PASSWORD = "một câu dài dễ nhớ"
OWN = "câu khác, cũng dễ nhớ"
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
STORED = QUICK.hash(PASSWORD)
HERE = {"address": "127.0.0.1"}


@dataclass
class Clock:
    now: Instant = 1_790_000_000 * SECOND

    def __call__(self) -> Instant:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(
    tmp_path: Path, sqlite_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setattr(passwords, "_hasher", QUICK)
    monkeypatch.setattr(passwords, "_NOBODY", QUICK.hash("nobody's"))
    await prepare(sqlite_url)
    ledger = await Ledger.open(sqlite_url, tmp_path / "blobs", clock=clock)
    await ledger.accounts.add("lan", title="Lan", role="operator", password=STORED, now=clock.now)
    await ledger.accounts.change("lan", must_change=False)
    yield Desk(ledger, Limits(idle_seconds=600, session_seconds=3600), Secrets(totp=KEY))
    await ledger.close()


async def refused(desk: Desk, name: str = "lan", password: str = "sai") -> str:
    with pytest.raises(Unauthenticated) as error:
        await desk.log_in(name, password, **HERE)
    return str(error.value)


async def test_a_name_is_known_in_any_case_and_nobody_learns_what_was_wrong(desk: Desk) -> None:
    assert (await desk.log_in(" LAN ", PASSWORD, **HERE)).stage is Stage.FULL
    said = {await refused(desk), await refused(desk, name="khong-co")}
    await desk.ledger.accounts.change("lan", disabled=True)
    said.add(await refused(desk, password=PASSWORD))
    assert len(said) == 1


async def test_an_account_is_locked_for_longer_and_longer_and_opens_by_itself(
    desk: Desk, clock: Clock
) -> None:
    for _ in range(FREE_FAILURES):
        await refused(desk)
    await refused(desk, password=PASSWORD)
    clock.pass_(LOCK_SECONDS + 1)
    await refused(desk)
    clock.pass_(LOCK_SECONDS + 1)
    await refused(desk, password=PASSWORD)
    clock.pass_(LOCK_SECONDS + 1)
    assert (await desk.log_in("lan", PASSWORD, **HERE)).stage is Stage.FULL
    for _ in range(FREE_FAILURES - 1):
        await refused(desk)
    assert (await desk.log_in("lan", PASSWORD, **HERE)).stage is Stage.FULL


async def test_one_address_cannot_try_for_ever(desk: Desk) -> None:
    for number in range(ADDRESS_BURST):
        await refused(desk, name=f"khong-co-{number}")
    with pytest.raises(RateLimited):
        await desk.log_in("khong-co", "sai", **HERE)
    assert (await desk.log_in("lan", PASSWORD, address="10.0.0.2")).stage is Stage.FULL


async def test_sessions_end_by_idleness_by_age_and_by_order(desk: Desk, clock: Clock) -> None:
    idle, used = [(await desk.log_in("lan", PASSWORD, **HERE)).token for _ in range(2)]
    for _ in range(6):
        clock.pass_(590)
        found = await desk.who(used)
        assert found is not None
        await desk.used(found[0])
    assert await desk.who(idle) is None
    clock.pass_(61)
    assert await desk.who(used) is None, "an hour has passed"
    token = (await desk.log_in("lan", PASSWORD, **HERE)).token
    await desk.ledger.accounts.change("lan", disabled=True)
    assert await desk.who(token) is None
    assert await desk.who("") is None
    assert await desk.who("x" * 5000) is None


async def test_a_password_of_ones_own(desk: Desk) -> None:
    await desk.ledger.accounts.change("lan", must_change=True)
    entered = await desk.log_in("lan", PASSWORD, **HERE)
    assert entered.stage is Stage.PASSWORD
    found = await desk.who(entered.token)
    assert found
    for new, again in (("ngắn", "ngắn"), ("a" * 20, "a" * 20), (PASSWORD, PASSWORD), (OWN, "x")):
        with pytest.raises(InvalidRequest):
            await desk.choose_password(found[1], old=PASSWORD, new=new, again=again, **HERE)
    with pytest.raises(Unauthenticated):
        await desk.choose_password(found[1], old="sai", new=OWN, again=OWN, **HERE)
    new_session = await desk.choose_password(found[1], old=PASSWORD, new=OWN, again=OWN, **HERE)
    assert new_session.stage is Stage.FULL
    assert await desk.who(entered.token) is None
    await refused(desk, password=PASSWORD)


async def test_a_code_is_good_once_and_the_token_changes(desk: Desk, clock: Clock) -> None:
    account = await desk.ledger.accounts.find("lan")
    assert account
    secret, step = totp.new_secret(), clock.now // (totp.PERIOD * SECOND)
    with pytest.raises(InvalidRequest):
        await desk.register(
            account, secret, "000000" if totp.code_at(secret, step) != "000000" else "1"
        )
    await desk.register(account, secret, totp.code_at(secret, step))
    entered = await desk.log_in("lan", PASSWORD, **HERE)
    assert entered.stage is Stage.TOTP
    found = await desk.who(entered.token)
    assert found
    with pytest.raises(Unauthenticated):
        await desk.confirm(*found, totp.code_at(secret, step), "")
    clock.pass_(totp.PERIOD)
    full = await desk.confirm(*found, totp.code_at(secret, step + 1), "")
    assert full.stage is Stage.FULL
    assert full.token != entered.token
    assert await desk.who(entered.token) is None
    stored = (await desk.ledger.accounts.find("lan")).totp  # type: ignore[union-attr]
    assert stored is not None
    assert secret not in stored


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, the last six digits."""
    secret = b"12345678901234567890"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert totp.code_at(secret, seconds // 30) == code


async def test_the_journal_tells_who_came_in_and_never_what_was_typed(desk: Desk) -> None:
    await desk.log_in("lan", PASSWORD, **HERE)
    await refused(desk, name=OWN)
    await refused(desk)
    entries = await desk.ledger.queries.journal()
    told = [entry.event for entry in entries if entry.event.startswith("console-")]
    assert told == ["console-login", "console-login-refused", "console-login-refused"]
    assert OWN not in repr(entries)
    assert (await desk.ledger.verify_journal()).problems == ()
