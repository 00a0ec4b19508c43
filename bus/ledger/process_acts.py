"""Processes come, beat and go; what a dead one had in hand is taken back.

Each is one transaction with its journal entries, as in `bus.ledger.acts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from bus.ledger.journal import Chain
from bus.ledger.tx import READY_SQL, Tx
from schemas.instant import Instant

UNREGISTERED = -1
"""Instead of the beat of a process that has deliveries in hand and is not registered: killed before
it was, or between being taken for dead and noticing it."""


async def register(
    tx: Tx, chain: Chain, now: Instant, process: str, *, roles: str, host: str, pid: int
) -> None:
    await tx.execute(
        "INSERT INTO process (id, roles, host, pid, started_at, beat) VALUES (?, ?, ?, ?, ?, 0)",
        process,
        roles,
        host,
        pid,
        now,
    )
    chain.add(now, "process-started", process, {"roles": roles, "host": host, "pid": pid})


async def beat(tx: Tx, chain: Chain, now: Instant, process: str) -> bool:
    """False: others thought this process dead and have taken its deliveries back."""
    del chain, now
    return bool(
        await tx.execute("UPDATE process SET beat = beat + 1 WHERE id = ? RETURNING id", process)
    )


async def clock_set_back(tx: Tx, chain: Chain, now: Instant, *, seconds: float, actor: str) -> int:
    """A clock was ahead by so much: what waits for a moment that it set may go now, once too early
    at worst. Returns how many deliveries.
    """
    rows = await tx.execute(
        f"UPDATE delivery SET next_attempt_at = ?"  # noqa: S608 - a constant of this package
        f" WHERE state IN {READY_SQL} AND next_attempt_at > ? RETURNING id",
        now,
        now,
    )
    await tx.execute("UPDATE endpoint_state SET probe_at = ? WHERE probe_at > ?", now, now)
    chain.add(now, "clock-set-back", actor, {"seconds": round(seconds, 1), "freed": len(rows)})
    return len(rows)


async def take_back(
    tx: Tx, chain: Chain, now: Instant, worker: str, *, keep: Sequence[int], actor: str
) -> list[int]:
    """Deliveries a worker does not really have: its own forgotten ones, or a dead worker's all."""
    ids = await tx.take_back(worker, keep, now)
    if ids:
        chain.add(now, "taken-back", actor, {"worker": worker, "deliveries": ids})
    return ids


async def bury(
    tx: Tx, chain: Chain, now: Instant, process: str, *, beat_seen: int, actor: str
) -> list[int] | None:
    """Remove a process that stopped beating and take its deliveries back.

    None: it has beaten since, so it lives. One seen with the beat UNREGISTERED lives if it is
    registered now.
    """
    gone = await tx.execute(
        "DELETE FROM process WHERE id = ? AND beat = ? RETURNING id", process, beat_seen
    )
    if not gone and (
        beat_seen != UNREGISTERED or await tx.execute("SELECT 1 FROM process WHERE id = ?", process)
    ):
        return None
    chain.add(now, "process-lost", actor, {"process": process})
    return await take_back(tx, chain, now, process, keep=(), actor=actor)


async def leave(tx: Tx, chain: Chain, now: Instant, process: str) -> None:
    """A clean end: nothing may be left in its hands."""
    await take_back(tx, chain, now, process, keep=(), actor=process)
    await tx.execute("DELETE FROM process WHERE id = ?", process)
    chain.add(now, "process-stopped", process, {})
