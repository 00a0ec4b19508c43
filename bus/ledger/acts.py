"""The rare changes: what operators, receivers and the clock do to deliveries.

Each is one transaction with its journal entries; order keys are locked before rows are changed,
as in the hot transactions, so that none of them can break the order of a key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from bus.ledger import exchange
from bus.ledger.dossier_queries import FileRow
from bus.ledger.journal import Chain
from bus.ledger.records import Head, SendAgain
from bus.ledger.tx import (
    OPEN_SQL,
    REPLAYED_SQL,
    Changed,
    NewDelivery,
    Tx,
    blocking,
)
from schemas.delivery import CANCELLABLE, DeliveryState
from schemas.errors import Conflict, NotFound
from schemas.instant import Instant
from schemas.message import Lane

S = DeliveryState
HEADLESS = (
    "SELECT DISTINCT d.endpoint, d.order_key FROM {rows} JOIN delivery d ON d.id = r.id"  # noqa: S608
    " WHERE NOT d.pull AND NOT EXISTS (SELECT 1 FROM delivery h WHERE h.endpoint = d.endpoint"
    f" AND h.order_key = d.order_key AND h.head AND h.state IN {OPEN_SQL})"
)
"""Order keys of these deliveries that have no head. The states are those of the index of open
deliveries: "not finished" means the same and would read all deliveries there ever were."""
EXPIRABLE = (S.QUEUED.value, S.WAITING.value, S.HELD.value)


async def end(
    tx: Tx,
    chain: Chain,
    now: Instant,
    ids: Collection[int],
    *,
    state: DeliveryState,
    from_states: Collection[str],
    actor: str,
    reason: str,
) -> tuple[list[int], list[Head]]:
    """Finish deliveries nobody has in hand; their followers become heads."""
    await _lock(tx, ids)
    changed = await tx.end(ids, from_states, state.value, now, reason)
    await _follow(tx, now, [row.id for row in changed], state)
    heads = await _release(tx, changed)
    for row in changed:
        data = {"endpoint": row.endpoint, "reason": reason}
        chain.add(now, state.value, actor, data, row.message_id, row.id)
    return [row.id for row in changed], heads


async def cancel(
    tx: Tx, chain: Chain, now: Instant, ids: Collection[int], *, actor: str, reason: str
) -> tuple[list[int], list[Head]]:
    states = [state.value for state in CANCELLABLE]
    return await end(
        tx, chain, now, ids, state=S.CANCELLED, from_states=states, actor=actor, reason=reason
    )


async def expire(tx: Tx, chain: Chain, now: Instant, *, limit: int) -> tuple[int, list[Head]]:
    """Deliveries whose time ran out before they could leave; returns how many."""
    rows = await tx.execute(
        "SELECT id FROM delivery WHERE expires_at <= ? AND finished_at IS NULL"
        " AND state IN ('queued','waiting','held') ORDER BY expires_at LIMIT ?",
        now,
        limit,
    )
    ids = [int(str(row[0])) for row in rows]
    if not ids:
        return 0, []
    done, heads = await end(
        tx,
        chain,
        now,
        ids,
        state=S.EXPIRED,
        from_states=EXPIRABLE,
        actor="clock",
        reason="expired before it could be delivered",
    )
    return len(done), heads


async def replay(
    tx: Tx, chain: Chain, now: Instant, ids: Collection[int], *, actor: str, reason: str
) -> tuple[list[int], list[Head]]:
    """Dead and held deliveries go again. They kept their place at the head of their keys; those
    that were parked take it where it is free.
    """
    await _lock(tx, ids)
    changed = await tx.reopen(ids, now)
    for row in changed:
        data = {"endpoint": row.endpoint, "reason": reason}
        chain.add(now, "replayed", actor, data, row.message_id, row.id)
    headless = await tx.over(HEADLESS, (("id", "bigint"),), [(row.id,) for row in changed])
    heads = [head for head, _ in await tx.next_heads({(e, key) for e, key in headless})]
    await tx.announce(heads)
    return [row.id for row in changed], heads


async def undo_replay(
    tx: Tx, chain: Chain, now: Instant, ids: Collection[int], *, actor: str, reason: str
) -> list[int]:
    """Dead deliveries that were replayed and have not left since are dead again; returns which."""
    await _lock(tx, ids)
    rows = await tx.over(
        f"UPDATE delivery SET state = 'dead' FROM {{rows}} WHERE delivery.id = r.id"  # noqa: S608
        f" AND {REPLAYED_SQL} RETURNING delivery.id, delivery.endpoint, delivery.message_id",
        (("id", "bigint"),),
        [(number,) for number in ids],
    )
    for number, endpoint, message_id in rows:
        data = {"endpoint": endpoint, "reason": reason}
        chain.add(now, "replay-undone", actor, data, message_id, number)
    return [row[0] for row in rows]


async def redirect(
    tx: Tx,
    chain: Chain,
    now: Instant,
    ids: Collection[int],
    *,
    to: str,
    pull: bool,
    actor: str,
    reason: str,
) -> tuple[list[int], list[Head]]:
    """New deliveries of the same messages to endpoint `to`, in place of those that have not left.

    What may have arrived stays where it is: at another endpoint nobody could know the repeat.
    """
    rows = await _redirectable(tx, ids, to)
    locks = {(row[1], row[2]) for row in rows} | {(to, row[2]) for row in rows}
    await tx.lock_keys(locks)
    rows = await _redirectable(tx, ids, to)  # as they are now that nobody else changes them
    states = [state.value for state in CANCELLABLE]
    ended = await tx.end([row[0] for row in rows], states, S.CANCELLED.value, now, f"→ {to}")
    done = {row.id for row in ended}
    begun: set[str] = set()
    new: list[NewDelivery] = []
    for number, endpoint, key, message_id, receivers, lane, expires_at in rows:
        if number not in done:
            continue
        first = not pull and key not in begun
        begun.add(key)
        state = S.QUEUED.value
        new.append(
            NewDelivery(
                message_id, to, receivers, key, lane, state, pull, first, now, expires_at, None
            )
        )
        data = {"endpoint": endpoint, "to": to, "reason": reason}
        chain.add(now, "redirected", actor, data, message_id, number)
    heads = await tx.insert_deliveries(new) if new else []
    await tx.announce(heads)
    return sorted(done), heads + await _release(tx, ended)


async def _redirectable(tx: Tx, ids: Collection[int], to: str) -> list[tuple[Any, ...]]:
    return await tx.over(
        "SELECT d.id, d.endpoint, d.order_key, d.message_id, d.receivers, d.lane, d.expires_at"
        " FROM {rows} JOIN delivery d ON d.id = r.id WHERE d.endpoint <> r.goal"
        " AND d.state IN ('queued','waiting','held','dead') AND NOT d.maybe_sent ORDER BY d.id",
        (("id", "bigint"), ("goal", "text")),
        [(number, to) for number in ids],
    )


async def release(
    tx: Tx, chain: Chain, now: Instant, ids: Collection[int], *, code: str, actor: str, reason: str
) -> tuple[list[int], list[Head]]:
    """Held deliveries whose reason (`code`) is gone wait for their turn again, at their place."""
    rows = await tx.over(
        "UPDATE delivery SET state = 'queued', next_attempt_at = r.at, code = NULL, detail = NULL"
        " FROM {rows} WHERE delivery.id = r.id AND delivery.state = 'held'"
        " AND delivery.code = r.code RETURNING delivery.id, delivery.endpoint, delivery.lane,"
        " delivery.message_id, delivery.head",
        (("id", "bigint"), ("at", "bigint"), ("code", "text")),
        [(number, now, code) for number in ids],
    )
    for number, endpoint, _lane, message_id, _head in rows:
        chain.add(
            now, "released", actor, {"endpoint": endpoint, "reason": reason}, message_id, number
        )
    heads = [Head(number, endpoint, Lane(lane)) for number, endpoint, lane, _, head in rows if head]
    await tx.announce(heads)
    return [row[0] for row in rows], heads


async def send_again(
    tx: Tx, chain: Chain, now: Instant, sending: SendAgain, *, actor: str, reason: str
) -> tuple[bool, list[Head]]:
    """New deliveries of messages that were accepted before, in place of those that are parked.
    Partners are asked first, where they can be: each may have arrived.

    False: something of the key is under way to the endpoint or has come since, so nothing was
    done: what is told last must be what arrives last.
    """
    key = (sending.endpoint, sending.order_key)
    await tx.lock_keys({key})
    if await tx.execute(
        f"SELECT 1 FROM delivery WHERE endpoint = ? AND order_key = ?"  # noqa: S608 - a constant
        f" AND {blocking()} LIMIT 1",
        *key,
    ):
        return False, []
    newest = await tx.execute(
        "SELECT coalesce(max(d.id), 0) FROM message m JOIN delivery d ON d.message_id = m.id"
        " WHERE m.document_id = ? AND m.kind IN ('dossier','step') AND d.endpoint = ?",
        sending.order_key,
        sending.endpoint,
    )
    if newest[0][0] != sending.newest:
        return False, []
    parked = await tx.execute(
        "SELECT id FROM delivery WHERE endpoint = ? AND order_key = ? AND state = 'held'", *key
    )
    await end(
        tx,
        chain,
        now,
        [int(str(row[0])) for row in parked],
        state=S.CANCELLED,
        from_states=(S.HELD.value,),
        actor=actor,
        reason="sent again in its place",
    )
    rows = [
        NewDelivery(
            message_id,
            sending.endpoint,
            " ".join(sending.receivers),
            sending.order_key,
            Lane.NORMAL.value,
            S.QUEUED.value,
            False,
            number == 0,
            now,
            sending.expires_at,
            None,
        )
        for number, message_id in enumerate(sending.message_ids)
    ]
    heads = await tx.insert_deliveries(rows)
    made = await tx.execute(
        f"UPDATE delivery SET maybe_sent = true WHERE endpoint = ? AND order_key = ?"  # noqa: S608
        f" AND state IN {OPEN_SQL} RETURNING id, message_id",
        *key,
    )
    for number, message_id in sorted(made, key=lambda row: int(str(row[0]))):
        data = {"endpoint": sending.endpoint, "reason": reason}
        chain.add(now, "sent-again", actor, data, str(message_id), int(str(number)))
    await tx.announce(heads)
    return True, heads


async def acknowledge(
    tx: Tx,
    chain: Chain,
    now: Instant,
    delivery_id: int,
    *,
    state: DeliveryState,
    partner_ref: str,
    detail: str,
    actor: str,
) -> DeliveryState:
    """The receiver of a pull delivery has taken it, or says no. Repeating it changes nothing."""
    rows = await tx.execute(
        "SELECT state, pull, message_id, endpoint FROM delivery WHERE id = ?", delivery_id
    )
    if not rows:
        raise NotFound(f"no delivery {delivery_id}", vi=f"Không có chuyển phát {delivery_id}")
    now_in, pull, message_id, endpoint = rows[0]
    if now_in == state.value:
        return state
    if not pull or now_in != S.QUEUED.value:
        raise Conflict(
            f"delivery {delivery_id} is {now_in}",
            vi=f"Chuyển phát {delivery_id} đang ở trạng thái {now_in}",
            state=str(now_in),
        )
    await _lock(tx, [delivery_id])
    if not await tx.end([delivery_id], (S.QUEUED.value,), state.value, now, detail, partner_ref):
        raise Conflict(  # answered or withdrawn by another process since it was read
            f"delivery {delivery_id} has just been changed",
            vi=f"Chuyển phát {delivery_id} vừa được thay đổi",
        )
    await _follow(tx, now, [delivery_id], state)
    data: dict[str, Any] = {"endpoint": endpoint}
    if partner_ref:
        data["partnerRef"] = partner_ref
    if detail:
        data["detail"] = detail
    chain.add(now, state.value, actor, data, str(message_id), delivery_id)
    return state


async def refuse_packet(
    tx: Tx,
    chain: Chain,
    now: Instant,
    endpoint: str,
    ref: str,
    *,
    sha256: str,
    size: int,
    code: str,
    reason: str,
) -> None:
    """Kept for the operator; the row keeps its bytes from being swept away."""
    await tx.execute(
        "INSERT INTO refused_packet (endpoint, ref, at, sha256, size, code, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint, ref) DO NOTHING",
        endpoint,
        ref,
        now,
        sha256,
        size,
        code,
        reason,
    )
    data = {"ref": ref, "code": code, "reason": reason, "sha256": sha256, "size": size}
    chain.add(now, "collect-refused", f"endpoint:{endpoint}", {"endpoint": endpoint} | data)


async def add_file(tx: Tx, chain: Chain, now: Instant, file: FileRow, *, actor: str) -> FileRow:
    """The paper as it is kept; the row keeps its bytes from being swept away."""
    await tx.execute(
        "INSERT INTO dossier_file (id, sender, code, name, media_type, sha256, size, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        *file,
    )
    rows = await tx.execute(
        "SELECT id, sender, code, name, media_type, sha256, size, at FROM dossier_file"
        " WHERE id = ?",
        file.id,
    )
    kept = FileRow(*rows[0])  # type: ignore[arg-type]
    if kept.at == file.at:
        data = {"sender": file.sender, "code": file.code, "sha256": file.sha256, "size": file.size}
        chain.add(now, "file-kept", actor, data)
    return kept


async def _lock(tx: Tx, ids: Collection[int]) -> None:
    """The order keys of these deliveries, and the documents they carry."""
    if not ids:
        return
    rows = await tx.over(
        "SELECT d.endpoint, d.order_key, d.message_id FROM {rows} JOIN delivery d ON d.id = r.id",
        (("id", "bigint"),),
        [(number,) for number in ids],
    )
    locks = {(endpoint, key) for endpoint, key, _ in rows}
    await tx.lock_keys(locks | {exchange.lock_of(message_id) for _, _, message_id in rows})


async def _follow(tx: Tx, now: Instant, ids: Sequence[int], state: DeliveryState) -> None:
    """What the end of these deliveries means for the documents they carry."""
    if not ids:
        return
    rows = await tx.over(
        "SELECT d.message_id, d.receivers FROM {rows} JOIN delivery d ON d.id = r.id"
        " JOIN message m ON m.id = d.message_id WHERE m.kind = 'document'",
        (("id", "bigint"),),
        [(number,) for number in ids],
    )
    await exchange.ended(tx, now, [(m, receivers.split(" "), state) for m, receivers in rows])


async def _release(tx: Tx, changed: Sequence[Changed]) -> list[Head]:
    freed = await tx.next_heads({(row.endpoint, row.order_key) for row in changed})
    heads = [head for head, _ in freed]
    await tx.announce(heads)
    return heads


async def restored(tx: Tx, chain: Chain, now: Instant, *, copied_at: Instant, actor: str) -> int:
    """After the ledger was made anew from a copy; returns the number of open deliveries.

    Each of them may have arrived since the copy was taken: partners are asked before it goes out,
    where they can be.
    """
    await tx.execute("UPDATE delivery SET maybe_sent = true WHERE finished_at IS NULL")
    rows = await tx.execute("SELECT count(*) FROM delivery WHERE finished_at IS NULL")
    count = int(str(rows[0][0]))
    chain.add(now, "restored", actor, {"copied_at": copied_at, "open": count})
    return count
