"""Keys and access tokens of clients (hệ thống được cấp quyền). Only their SHA-256 is stored.

Both carry 256 random bits, so a fast hash is enough: there is nothing to guess offline.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, or_, select, update

from bus.ledger.database import Database
from bus.ledger.tables import access_token, client_key
from schemas import instant
from schemas.instant import Clock, Instant

KEY_PREFIX = "lgspk_"
TOKEN_PREFIX = "lgspt_"  # noqa: S105 - the public part, by which scanners know a leaked token
_HINT = len(KEY_PREFIX) + 6  # 36 of 256 bits: enough to tell keys apart


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as administrators see it: never the key."""

    client: str
    hint: str
    created_at: Instant
    expires_at: Instant | None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Whose token it is, and until when."""

    client: str
    expires_at: Instant


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Identities:
    """Every method raises LedgerUnavailable when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_key(
        self, client: str, *, expires_at: Instant | None = None, clock: Clock = instant.now
    ) -> str:
        """A new key beside the existing ones; it is returned this once and cannot be read again."""
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        row = {
            "hash": digest(key),
            "client": client,
            "hint": key[:_HINT],
            "created_at": clock(),
            "expires_at": expires_at,
        }
        async with self._db.write() as connection:
            await connection.execute(insert(client_key).values(row))
        return key

    async def keys(self, client: str) -> list[KeyRow]:
        """Ended ones too, until they are purged; oldest first."""
        k = client_key.c
        query = (
            select(k.client, k.hint, k.created_at, k.expires_at)
            .where(k.client == client)
            .order_by(k.created_at, k.hint)
        )
        async with self._db.read() as connection:
            return [KeyRow(*row) for row in await connection.execute(query)]

    async def last_ends(self) -> dict[str, Instant]:
        """Clients none of whose keys is for good, and when the last of each ends."""
        k = client_key.c
        query = (
            select(k.client, func.max(k.expires_at))
            .group_by(k.client)
            .having(func.count() == func.count(k.expires_at))
        )
        async with self._db.read() as connection:
            rows = (await connection.execute(query)).all()
        return {row[0]: row[1] for row in rows}

    async def retire_key(self, client: str, hint: str, *, at: Instant) -> int:
        """Ends keys at `at`, and their tokens with them; never prolongs one. Returns how many."""
        k = client_key.c
        later = or_(k.expires_at.is_(None), k.expires_at > at)
        change = (
            update(client_key)
            .where(k.client == client, k.hint == hint, later)
            .values(expires_at=at)
        )
        async with self._db.write() as connection:
            return (await connection.execute(change)).rowcount

    async def check_key(self, client: str, secret: str, *, now: Instant) -> bytes | None:
        """The hash of the key when it is one of the client's and in force."""
        offered = digest(secret)
        k = client_key.c
        in_force = or_(k.expires_at.is_(None), k.expires_at > now)
        query = select(k.hash).where(k.client == client, in_force)
        async with self._db.read() as connection:
            stored = (await connection.execute(query)).scalars().all()
        good = [candidate for candidate in stored if hmac.compare_digest(candidate, offered)]
        return offered if good else None

    async def issue_token(
        self, client: str, key_hash: bytes, *, lifetime: float, now: Instant
    ) -> str:
        """An opaque token of `lifetime` seconds (RFC 6749 §1.4)."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = {
            "hash": digest(token),
            "client": client,
            "key_hash": key_hash,
            "expires_at": now + int(lifetime * instant.SECOND),
        }
        async with self._db.write() as connection:
            await connection.execute(insert(access_token).values(row))
        return token

    async def find_token(self, token: str, *, now: Instant) -> AccessToken | None:
        """None when it is unknown or ended, or the key it was issued for has ended or is gone."""
        t, k = access_token.c, client_key.c
        query = (
            select(t.client, t.expires_at, k.expires_at)
            .join(client_key, k.hash == t.key_hash)
            .where(t.hash == digest(token))
        )
        async with self._db.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        client, token_end, key_end = row
        end = token_end if key_end is None else min(token_end, key_end)
        return AccessToken(client, end) if end > now else None

    async def purge(self, *, now: Instant) -> int:
        """Forgets tokens and keys that have ended; returns how many."""
        t, k = access_token.c, client_key.c
        async with self._db.write() as connection:
            tokens = await connection.execute(delete(access_token).where(t.expires_at <= now))
            keys = await connection.execute(delete(client_key).where(k.expires_at <= now))
        return tokens.rowcount + keys.rowcount
