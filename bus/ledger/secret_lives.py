"""When secrets of endpoints were made and when they are to be replaced; never what they are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import secret_life
from bus.ledger.tx import Tx
from schemas.instant import Instant, to_iso

EVENT = "secret-made"


@dataclass(frozen=True, slots=True)
class SecretLife:
    name: str
    made_at: Instant
    ends_at: Instant | None
    actor: str


class SecretLives:
    """Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> dict[str, SecretLife]:
        """By name."""
        c = secret_life.c
        async with self._db.read() as connection:
            rows = await connection.execute(select(c.name, c.made_at, c.ends_at, c.actor))
            return {row[0]: SecretLife(*row) for row in rows}


async def made(
    tx: Tx, chain: Chain, now: Instant, name: str, *, ends_at: Instant | None, actor: str
) -> None:
    await tx.execute(
        "INSERT INTO secret_life (name, made_at, ends_at, actor) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET made_at = excluded.made_at,"
        " ends_at = excluded.ends_at, actor = excluded.actor",
        name,
        now,
        ends_at,
        actor,
    )
    chain.add(now, EVENT, actor, {"secret": name, "endsAt": to_iso(ends_at)})
