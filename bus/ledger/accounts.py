"""Accounts of the console, and their sessions.

A session's token is known to its browser alone: only its SHA-256 is stored.
What is written here about people is journalled by those who act (`Ledger.note`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import sqlalchemy.exc
from sqlalchemy import delete, insert, select, update

from bus.ledger.database import Database
from bus.ledger.identities import digest
from bus.ledger.tables import console_account, console_session
from schemas.errors import Conflict
from schemas.instant import Instant


class Stage(StrEnum):
    """How far a log-in has come."""

    TOTP = "totp"  # the password was right, the code of the authenticator is missing
    PASSWORD = "password"  # noqa: S105 - the person has to choose a password of their own
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may log in."""

    name: str
    title: str
    role: str
    agencies: tuple[str, ...]
    password: str | None
    must_change: bool
    subject: str | None
    totp: bytes | None
    totp_step: int
    failures: int
    locked_until: Instant
    disabled: bool
    created_at: Instant
    login_at: Instant | None


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in of one browser."""

    hash: bytes
    account: str
    stage: Stage
    created_at: Instant
    seen_at: Instant
    expires_at: Instant


_ACCOUNT = [console_account.c[field.name] for field in fields(Account)]
_SESSION = [console_session.c[field.name] for field in fields(Session)]


class Accounts:
    """Every method raises LedgerUnavailable when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self,
        name: str,
        *,
        title: str,
        role: str,
        agencies: Collection[str] = (),
        password: str | None = None,
        subject: str | None = None,
        now: Instant,
    ) -> None:
        """Raises Conflict when the name or the subject is taken."""
        row = {
            "name": name.lower(),
            "title": title,
            "role": role,
            "agencies": " ".join(agencies),
            "password": password,
            "must_change": password is not None,
            "subject": subject,
            "totp_step": 0,
            "failures": 0,
            "locked_until": 0,
            "disabled": False,
            "created_at": now,
        }
        try:
            async with self._db.write() as connection:
                await connection.execute(insert(console_account).values(row))
        except sqlalchemy.exc.IntegrityError:
            raise Conflict(
                f"there is an account {name[:60]} (or one with its subject) already",
                vi=f"đã có tài khoản {name[:60]} (hoặc tài khoản cùng định danh)",
            ) from None

    async def all(self) -> list[Account]:
        """By name."""
        query = select(*_ACCOUNT).order_by(console_account.c.name)
        async with self._db.read() as connection:
            return [_account(row) for row in await connection.execute(query)]

    async def find(self, name: str) -> Account | None:
        return await self._one(console_account.c.name == name.lower())

    async def of_subject(self, subject: str) -> Account | None:
        return await self._one(console_account.c.subject == subject)

    async def _one(self, condition: Any) -> Account | None:
        async with self._db.read() as connection:
            row = (await connection.execute(select(*_ACCOUNT).where(condition))).one_or_none()
        return None if row is None else _account(row)

    async def change(self, name: str, **values: Any) -> bool:
        """Sets columns of an account; False: there is none of that name."""
        if "agencies" in values:
            values["agencies"] = " ".join(values["agencies"])
        query = update(console_account).where(console_account.c.name == name.lower())
        async with self._db.write() as connection:
            return bool((await connection.execute(query.values(**values))).rowcount)

    async def use_step(self, name: str, step: int) -> bool:
        """Marks a code of the authenticator as used; False: it, or a later one, was used before."""
        account = console_account.c
        query = (
            update(console_account)
            .where(account.name == name, account.totp_step < step)
            .values(totp_step=step)
        )
        async with self._db.write() as connection:
            return bool((await connection.execute(query)).rowcount)

    async def count_failure(self, name: str) -> int:
        """One more wrong password; how many there are in a row."""
        failures = console_account.c.failures
        query = (
            update(console_account)
            .where(console_account.c.name == name)
            .values(failures=failures + 1)
            .returning(failures)
        )
        async with self._db.write() as connection:
            return int((await connection.execute(query)).scalar() or 0)

    async def begin(self, account: str, *, stage: Stage, now: Instant, until: Instant) -> str:
        """A new session; its token, which is returned this once."""
        token = secrets.token_urlsafe(32)
        row = {
            "hash": digest(token),
            "account": account,
            "stage": stage.value,
            "created_at": now,
            "seen_at": now,
            "expires_at": until,
        }
        async with self._db.write() as connection:
            await connection.execute(insert(console_session).values(row))
        return token

    async def session(self, session_hash: bytes) -> tuple[Session, Account] | None:
        """With the account as it is now."""
        query = (
            select(*_SESSION, *_ACCOUNT)
            .join(console_account, console_account.c.name == console_session.c.account)
            .where(console_session.c.hash == session_hash)
        )
        async with self._db.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        width = len(_SESSION)
        return _session(row[:width]), _account(row[width:])

    async def touch(self, session_hash: bytes, *, now: Instant) -> None:
        query = update(console_session).where(console_session.c.hash == session_hash)
        async with self._db.write() as connection:
            await connection.execute(query.values(seen_at=now))

    async def end(self, session_hash: bytes) -> None:
        async with self._db.write() as connection:
            await connection.execute(
                delete(console_session).where(console_session.c.hash == session_hash)
            )

    async def end_all(self, account: str, *, but: bytes = b"") -> int:
        """The account's sessions, except one; how many there were."""
        session = console_session.c
        query = delete(console_session).where(
            session.account == account.lower(), session.hash != but
        )
        async with self._db.write() as connection:
            return (await connection.execute(query)).rowcount

    async def purge(self, *, now: Instant) -> int:
        """Forgets sessions that have ended; returns how many."""
        query = delete(console_session).where(console_session.c.expires_at <= now)
        async with self._db.write() as connection:
            return (await connection.execute(query)).rowcount


def _account(row: Sequence[Any]) -> Account:
    values = {column.name: value for column, value in zip(_ACCOUNT, row, strict=True)}
    values["agencies"] = tuple(values["agencies"].split())
    return Account(**values)


def _session(row: Sequence[Any]) -> Session:
    values = {column.name: value for column, value in zip(_SESSION, row, strict=True)}
    values["stage"] = Stage(values["stage"])
    return Session(**values)
