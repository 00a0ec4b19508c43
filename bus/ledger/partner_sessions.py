"""Sessions and tokens of partners that all processes share (schemas.sessions).

What partners gave is sealed with the secret `partner-sessions`; who it was given to stands there as
a hash with that secret, so that a copy of the database tells neither.
"""

from __future__ import annotations

import hmac
import json
import secrets

from sqlalchemy import Table, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bus.ledger.database import Database
from bus.ledger.sealing import Sealer
from bus.ledger.tables import partner_session
from schemas.instant import SECOND, Clock, Instant
from schemas.sessions import HeldSession

SECRET = "partner-sessions"  # noqa: S105 - the name of the secret
_PURPOSE = "partner-session"
_KEPT = 24 * 3600 * SECOND
"""After its end; accounts that are used no more leave nothing behind."""

_row = partner_session.c


class PartnerSessions:
    """Places of sessions. Called with all that makes an account what it is."""

    def __init__(self, db: Database, secret: bytes, clock: Clock) -> None:
        self._db = db
        self._secret = secret
        self._sealer = Sealer(_PURPOSE, secret)
        self._clock = clock

    def __call__(self, *account: str) -> _Place:
        told = json.dumps(account).encode()
        name = hmac.digest(self._secret, _PURPOSE.encode() + b"\0" + told, "sha256")
        return _Place(self._db, self._sealer, self._clock, name)


class _Place:
    """Of one account (schemas.sessions.SharedSession)."""

    def __init__(self, db: Database, sealer: Sealer, clock: Clock, name: bytes) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock
        self._name = name

    async def find(self) -> HeldSession | None:
        query = select(_row.sealed, _row.serial, _row.renew_at, _row.ends_at)
        async with self._db.read() as connection:
            found = (await connection.execute(query.where(_row.account == self._name))).first()
        if found is None or found.sealed is None:
            return None
        session = self._sealer.unseal(bytes(found.sealed), self._name)
        if session is None:  # somebody wrote into the row; a renewal puts it right
            return HeldSession("", found.serial, 0, 0)
        now = self._clock()
        renew_in, ends_in = (_seconds(at - now) for at in (found.renew_at, found.ends_at))
        return HeldSession(session.decode(), found.serial, renew_in, ends_in)

    async def take(self, serial: int, seconds: float) -> str:
        now, right = self._clock(), secrets.token_hex(16)
        until = now + int(seconds * SECOND)
        row = {"account": self._name, "serial": 0, "renew_at": now, "ends_at": now}
        taken = {"holder": right, "held_until": until}
        free = and_(_row.serial == serial, _row.held_until <= now)
        query = self._insert(partner_session).values(row | taken)
        query = query.on_conflict_do_update(index_elements=[_row.account], set_=taken, where=free)
        async with self._db.write() as connection:
            done = await connection.execute(query.returning(_row.holder))
            return right if done.first() is not None else ""

    async def keep(self, right: str, session: str, *, renew_in: float, ends_in: float) -> bool:
        now = self._clock()
        change = update(partner_session).where(_row.account == self._name, _row.holder == right)
        change = change.values(
            serial=_row.serial + 1,
            sealed=self._sealer.seal(session.encode(), self._name),
            renew_at=_after(now, renew_in),
            ends_at=_after(now, ends_in),
            holder="",
            held_until=0,
        )
        async with self._db.write() as connection:
            kept: int = (await connection.execute(change)).rowcount
            await connection.execute(delete(partner_session).where(_row.ends_at < now - _KEPT))
        return kept > 0

    async def give_up(self, right: str) -> None:
        change = update(partner_session).where(_row.account == self._name, _row.holder == right)
        async with self._db.write() as connection:
            await connection.execute(change.values(holder="", held_until=0))

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self._db.is_sqlite else postgresql.insert(table)


def _seconds(microseconds: int) -> float:
    return microseconds / SECOND


def _after(now: Instant, seconds: float) -> Instant:
    return now + int(seconds * SECOND)
