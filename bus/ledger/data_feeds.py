"""How far a register's changes have been handed on to the agencies that subscribed to them.

The cursor moves in the transaction that accepts the messages: killed at any moment, a feed neither
loses a change nor hands one on twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.records import Acceptance, Head
from bus.ledger.tables import OPEN, data_feed, delivery
from bus.ledger.transaction import accept_all
from bus.ledger.tx import Tx
from schemas.instant import Instant

ORDER_KEY = "feed:"
"""Order keys of feeds' messages begin so; then the feed's name, and a part of its items."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """As it is kept."""

    name: str
    cursor: str
    round: int
    due_at: Instant
    good_at: Instant | None
    failures: int
    error: str | None


_NAMES = ", ".join(FeedState.__dataclass_fields__)


async def take(tx: Tx, now: Instant, name: str, *, lease: Instant) -> FeedState:
    """The feed; when it was due, it is the taker's for `lease`, and `due_at` is now or before."""
    await tx.execute(
        "INSERT INTO data_feed (name, cursor, round, due_at, failures) VALUES (?, '', 0, 0, 0)"
        " ON CONFLICT (name) DO NOTHING",
        name,
    )
    await tx.lock_keys([("data-feed", name)])
    (row,) = await tx.execute(f"SELECT {_NAMES} FROM data_feed WHERE name = ?", name)  # noqa: S608
    state = FeedState(*row)  # type: ignore[arg-type]
    if state.due_at <= now:
        await tx.execute("UPDATE data_feed SET due_at = ? WHERE name = ?", now + lease, name)
    return state


async def advance(
    tx: Tx,
    chain: Chain,
    now: Instant,
    state: FeedState,
    *,
    cursor: str,
    due_at: Instant,
    acceptances: Sequence[Acceptance],
) -> tuple[bool, list[Head]]:
    """Messages and cursor, or neither: False when somebody else has moved the cursor."""
    rows = await tx.execute(
        "UPDATE data_feed SET cursor = ?, round = round + 1, due_at = ?, good_at = ?,"
        " failures = 0, error = NULL WHERE name = ? AND round = ? RETURNING round",
        cursor,
        due_at,
        now,
        state.name,
        state.round,
    )
    if not rows:
        return False, []
    heads = await accept_all(tx, chain, now, acceptances) if acceptances else []
    return True, heads


async def fail(tx: Tx, state: FeedState, *, due_at: Instant, error: str) -> None:
    await tx.execute(
        "UPDATE data_feed SET due_at = ?, failures = failures + 1, error = ?"
        " WHERE name = ? AND round = ?",
        due_at,
        error,
        state.name,
        state.round,
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """Changes of one feed that its subscriber has not taken yet."""

    count: int
    since: Instant  # of the oldest


class DataFeeds:
    """Reading them. Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def states(self) -> list[FeedState]:
        query = select(*(data_feed.c[name] for name in FeedState.__dataclass_fields__))
        async with self._db.read() as connection:
            rows = await connection.execute(query.order_by(data_feed.c.name))
            return [FeedState(*row) for row in rows]

    async def backlogs(self) -> dict[str, Backlog]:
        """By name of the feed, where something waits."""
        d = delivery.c
        query = (
            select(d.order_key, func.count(), func.min(d.created_at))
            .where(OPEN, d.order_key.startswith(ORDER_KEY))
            .group_by(d.order_key)
        )
        found: dict[str, Backlog] = {}
        async with self._db.read() as connection:
            for key, count, since in await connection.execute(query):
                name = key.removeprefix(ORDER_KEY).partition(":")[0]
                known = found.get(name, Backlog(0, since))
                found[name] = Backlog(known.count + count, min(known.since, since))
        return found
