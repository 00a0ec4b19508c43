"""The rare changes of endpoints: paused, polled, broken, healthy again, of another kind.

Each is one transaction with its journal entries, as in `bus.ledger.acts`.
"""

from __future__ import annotations

from bus.ledger.journal import Chain
from bus.ledger.records import Head
from bus.ledger.tx import OPEN_SQL, Tx, blocking
from schemas.instant import Instant
from schemas.message import Lane

MEND_KEYS = 1_000  # order keys locked at once: PostgreSQL's table of locks is finite


async def pause(
    tx: Tx, chain: Chain, now: Instant, endpoint: str, *, paused: bool, actor: str, reason: str
) -> None:
    await tx.execute(
        "INSERT INTO endpoint_state (endpoint, paused, pause_reason) VALUES (?, ?, ?)"
        " ON CONFLICT (endpoint) DO UPDATE SET paused = excluded.paused,"
        " pause_reason = excluded.pause_reason",
        endpoint,
        paused,
        reason if paused else None,
    )
    event = "endpoint-paused" if paused else "endpoint-resumed"
    chain.add(now, event, actor, {"endpoint": endpoint, "reason": reason})


async def note_poll(
    tx: Tx, chain: Chain, now: Instant, endpoint: str, *, due_at: Instant, error: str | None
) -> None:
    """A good round, or the `error` of a bad one, which leaves `due_at` as a good one has set it."""
    del chain
    await tx.execute(
        "INSERT INTO poll (endpoint, good_at, due_at, error) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (endpoint) DO UPDATE SET error = excluded.error,"
        " good_at = COALESCE(excluded.good_at, poll.good_at),"
        " due_at = CASE WHEN excluded.good_at IS NULL THEN poll.due_at ELSE excluded.due_at END",
        endpoint,
        now if error is None else None,
        due_at,
        error,
    )


async def open_breaker(
    tx: Tx, chain: Chain, now: Instant, endpoint: str, *, probe_at: Instant, actor: str, error: str
) -> None:
    """Opened, or opened again after a failed probe: journalled only the first time."""
    was = await tx.execute("SELECT breaker FROM endpoint_state WHERE endpoint = ?", endpoint)
    await tx.execute(
        "INSERT INTO endpoint_state (endpoint, breaker, opened_at, probe_at, last_error)"
        " VALUES (?, 'open', ?, ?, ?)"
        " ON CONFLICT (endpoint) DO UPDATE SET breaker = 'open', probe_at = excluded.probe_at,"
        " opened_at = CASE WHEN endpoint_state.breaker = 'open' THEN endpoint_state.opened_at"
        " ELSE excluded.opened_at END, last_error = excluded.last_error",
        endpoint,
        now,
        probe_at,
        error,
    )
    if not was or was[0][0] != "open":
        chain.add(now, "breaker-opened", actor, {"endpoint": endpoint, "error": error})


async def ready_probe(tx: Tx, chain: Chain, now: Instant, endpoint: str) -> Head | None:
    """Make the least tried of the next deliveries due, to ask whether the endpoint is back.

    The least tried, so that one poisonous message cannot keep a healthy endpoint shut.
    """
    del chain
    rows = await tx.execute(
        "UPDATE delivery SET next_attempt_at = ? WHERE id = (SELECT id FROM ("
        " SELECT id, attempts FROM delivery WHERE endpoint = ? AND head"
        " AND state IN ('queued','waiting') LIMIT 1000) AS ready"
        " ORDER BY attempts, id LIMIT 1) RETURNING id, lane",
        now,
        endpoint,
    )
    return Head(int(str(rows[0][0])), endpoint, Lane(str(rows[0][1]))) if rows else None


async def close_breaker(
    tx: Tx, chain: Chain, now: Instant, endpoint: str, *, actor: str
) -> list[Head]:
    """The endpoint answers again: what waits for it may go at once."""
    closed = await tx.execute(
        "UPDATE endpoint_state SET breaker = 'closed', opened_at = NULL, probe_at = NULL"
        " WHERE endpoint = ? AND breaker = 'open' RETURNING endpoint",
        endpoint,
    )
    if closed:
        chain.add(now, "breaker-closed", actor, {"endpoint": endpoint})
    heads = await tx.wake(endpoint, now)
    await tx.announce(heads)
    return heads


async def mend_endpoint(tx: Tx, chain: Chain, now: Instant, endpoint: str, *, pull: bool) -> int:
    """Make the open deliveries of an endpoint fit what it is now.

    After its kind changed between pushing and pulling, or if ever a key were left without a head,
    nothing may stay stuck. Returns how many deliveries were changed.
    """
    keys = {(endpoint, str(row[0])) for row in await _to_mend(tx, endpoint, pull)}
    await tx.lock_keys(keys)
    turned = await tx.execute(
        f"UPDATE delivery SET pull = ?, head = false"  # noqa: S608 - a constant of this package
        f" WHERE endpoint = ? AND pull <> ? AND state IN {OPEN_SQL} AND state <> 'sending'"
        f" AND order_key IN (SELECT DISTINCT order_key FROM delivery WHERE endpoint = ?"
        f" AND pull <> ? AND state IN {OPEN_SQL} ORDER BY order_key LIMIT ?) RETURNING id",
        pull,
        endpoint,
        pull,
        endpoint,
        pull,
        MEND_KEYS,
    )
    again = {(endpoint, str(row[0])) for row in await _to_mend(tx, endpoint, pull)}
    heads = [] if pull else await tx.next_heads(keys & again)  # nobody else can change them now
    if turned or heads:
        data = {"endpoint": endpoint, "turned": len(turned), "heads": len(heads)}
        chain.add(now, "endpoint-mended", "dispatcher", data)
    return len(turned) + len(heads)


async def _to_mend(tx: Tx, endpoint: str, pull: bool) -> list[tuple[object, ...]]:
    """A bounded number of order keys with open deliveries of the wrong kind or without a head."""
    return await tx.execute(
        f"SELECT DISTINCT order_key FROM delivery d WHERE endpoint = ?"  # noqa: S608
        f" AND state IN {OPEN_SQL} AND (pull <> ? OR (NOT pull AND {blocking()} AND NOT EXISTS ("
        f" SELECT 1 FROM delivery h WHERE h.endpoint = d.endpoint AND h.order_key = d.order_key"
        f" AND h.head AND h.state IN {OPEN_SQL}))) ORDER BY order_key LIMIT ?",
        endpoint,
        pull,
        MEND_KEYS,
    )
