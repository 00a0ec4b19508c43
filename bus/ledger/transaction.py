"""What the hot transactions mean, once for both databases.

One transaction carries whatever waits at that moment: outcomes first (they make room in their
keys), then new messages, then claims.  Each step takes the whole batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bus.ledger import dossier_waits, dossiers, exchange, ratings
from bus.ledger.journal import Chain
from bus.ledger.records import Acceptance, Claimed, Finish, Head, Planned, Receipt
from bus.ledger.tx import PARKED, Closing, NewDelivery, Tx
from schemas.adapter import Result
from schemas.delivery import TERMINAL, DeliveryState
from schemas.errors import DuplicateMessage
from schemas.instant import Instant
from schemas.message import Lane, Message


@dataclass(frozen=True, slots=True)
class Finishing:
    """An outcome to write; `take_next` asks for the next delivery of the same key at once."""

    finish: Finish
    take_next: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """`held` is False when another process had taken the delivery back meanwhile."""

    held: bool
    next: Claimed | None = None


@dataclass(slots=True)
class Results:
    """Answers in the order of the questions, what was taken in hand for the places that were free,
    and the heads that came free besides.
    """

    finished: list[Finished] = field(default_factory=list)
    accepted: list[Receipt | DuplicateMessage] = field(default_factory=list)
    claimed: dict[int, Claimed] = field(default_factory=dict)
    taken: list[Claimed] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)


async def transact(
    tx: Tx,
    chain: Chain,
    *,
    worker: str,
    now: Instant,
    finishes: Sequence[Finishing] = (),
    acceptances: Sequence[Acceptance] = (),
    claims: Sequence[int] = (),
    places: Counter[str] | None = None,
) -> Results:
    """Everything of one group commit. `places` are free at runners of this process, by endpoint."""
    results = Results()
    located = await exchange.locate(tx, acceptances)
    locks = _keys(finishes, acceptances) | located.keys | dossiers.locks(acceptances)
    await tx.lock_keys(locks)
    if finishes:
        await _finish(tx, chain, worker, now, finishes, results)
    if acceptances:
        await _accept(tx, chain, now, acceptances, located, results)
    going = _going(results.heads, places) if places else set()
    if claims or going:
        for claimed in await tx.claim([*claims, *going], worker, now):
            if claimed.id in going:
                results.taken.append(claimed)
            else:
                results.claimed[claimed.id] = claimed
    if results.taken:
        taken = {claimed.id for claimed in results.taken}
        results.heads = [head for head in results.heads if head.id not in taken]
    if chain.entries:
        await tx.append_journal(chain, chain.entries)
    await tx.announce(results.heads)
    return results


def _going(heads: Sequence[Head], places: Counter[str]) -> set[int]:
    """Those that find a free place, the urgent ones first."""
    going = set()
    for head in sorted(heads, key=lambda head: head.lane is not Lane.URGENT):
        if places[head.endpoint]:
            places[head.endpoint] -= 1
            going.add(head.id)
    return going


async def accept_all(
    tx: Tx, chain: Chain, now: Instant, acceptances: Sequence[Acceptance]
) -> list[Head]:
    """Messages that a larger act accepts; the caller writes the journal. Returns who may go."""
    results = Results()
    located = await exchange.locate(tx, acceptances)
    locks = _keys((), acceptances) | located.keys | dossiers.locks(acceptances)
    await tx.lock_keys(locks)
    await _accept(tx, chain, now, acceptances, located, results)
    await tx.announce(results.heads)
    return results.heads


def _keys(finishes: Sequence[Finishing], acceptances: Sequence[Acceptance]) -> set[tuple[str, str]]:
    keys = {
        (f.finish.claimed.endpoint, f.finish.claimed.order_key)
        for f in finishes
        if _gives_turn(f.finish)
    }
    for acceptance in acceptances:
        keys.update((plan.endpoint, acceptance.message.order_key) for plan in acceptance.planned)
    keys.update(
        exchange.lock_of(f.finish.claimed.message_id)
        for f in finishes
        if f.finish.state in TERMINAL and f.finish.claimed.kind == "document"
    )
    return keys


async def _finish(
    tx: Tx,
    chain: Chain,
    worker: str,
    now: Instant,
    finishes: Sequence[Finishing],
    results: Results,
) -> None:
    done = await tx.close(worker, [_closing(f.finish, now) for f in finishes])
    released: dict[tuple[str, str], Finishing] = {}
    for finishing in finishes:
        finish = finishing.finish
        if finish.claimed.id not in done:
            continue
        _journal_outcome(chain, worker, now, finish)
        if _gives_turn(finish):
            released[finish.claimed.endpoint, finish.claimed.order_key] = finishing
    await exchange.ended(
        tx,
        now,
        [
            (f.finish.claimed.message_id, f.finish.claimed.receivers, f.finish.state)
            for f in released.values()
            if f.finish.claimed.kind == "document"
        ],
    )
    await _unpark(tx, chain, now, [f.finish.claimed for f in released.values() if _arrived(f)])
    freed = await tx.next_heads(released)
    wanted = [head.id for head, key in freed if released[head.endpoint, key].take_next]
    taken = {c.id: c for c in await tx.claim(wanted, worker, now)} if wanted else {}
    results.heads += [head for head, _ in freed if head.id not in taken]
    followers = {(c.endpoint, c.order_key): c for c in taken.values()}
    for finishing in finishes:
        claimed = finishing.finish.claimed
        key = (claimed.endpoint, claimed.order_key)
        follower = followers.get(key) if released.get(key) is finishing else None
        results.finished.append(Finished(held=claimed.id in done, next=follower))


def _gives_turn(finish: Finish) -> bool:
    """Whether the next of its key may go: it is over, or waits for one behind it."""
    return finish.state in TERMINAL or _parks(finish)


def _parks(finish: Finish) -> bool:
    return finish.state is DeliveryState.HELD and finish.outcome.code == PARKED


def _arrived(finishing: Finishing) -> bool:
    """A dossier's record, which steps may have waited for."""
    finish = finishing.finish
    return finish.claimed.kind == "dossier" and finish.state is DeliveryState.DELIVERED


async def _unpark(tx: Tx, chain: Chain, now: Instant, records: Sequence[Claimed]) -> None:
    """Their steps go on, at the places they had."""
    if not records:
        return
    rows = await tx.over(
        "UPDATE delivery SET state = 'queued', next_attempt_at = r.at, code = NULL, detail = NULL"
        " FROM {rows} WHERE delivery.endpoint = r.endpoint AND delivery.order_key = r.order_key"
        " AND delivery.state = 'held' AND delivery.code = r.code"
        " RETURNING delivery.id, delivery.endpoint, delivery.message_id",
        (("endpoint", "text"), ("order_key", "text"), ("code", "text"), ("at", "bigint")),
        sorted((record.endpoint, record.order_key, PARKED, now) for record in records),
    )
    for number, endpoint, message_id in rows:
        data = {"endpoint": endpoint, "reason": "its dossier is there now"}
        chain.add(now, "released", "dossier", data, message_id, number)


def _closing(finish: Finish, now: Instant) -> Closing:
    claimed, outcome = finish.claimed, finish.outcome
    terminal = finish.state in TERMINAL
    unknown = outcome.result is Result.UNKNOWN or (claimed.maybe_sent and not terminal)
    return Closing(
        id=claimed.id,
        attempt=claimed.attempt,
        state=finish.state.value,
        head=not _gives_turn(finish),
        next_attempt_at=finish.next_attempt_at or now,
        strike=1 if finish.counts and not terminal else 0,
        maybe_sent=unknown,
        partner_ref=outcome.partner_ref or None,
        code=outcome.code or None,
        detail=outcome.detail or None,
        finished_at=now if terminal else None,
    )


def _journal_outcome(chain: Chain, worker: str, now: Instant, finish: Finish) -> None:
    claimed, outcome = finish.claimed, finish.outcome
    data: dict[str, object] = {
        "endpoint": claimed.endpoint,
        "attempt": claimed.attempt,
        "result": outcome.result.value,
        "ms": round(finish.seconds * 1000, 1),
    }
    if outcome.partner_ref:
        data["partnerRef"] = outcome.partner_ref
    if outcome.code:
        data["code"] = outcome.code
        data["detail"] = outcome.detail
    if outcome.answer and finish.state is not DeliveryState.DELIVERED:
        data["answer"] = outcome.answer
    chain.add(now, finish.state.value, worker, data, claimed.message_id, claimed.id)


async def _accept(
    tx: Tx,
    chain: Chain,
    now: Instant,
    acceptances: Sequence[Acceptance],
    located: exchange.Located,
    results: Results,
) -> None:
    first: dict[tuple[str, str], Acceptance] = {}
    for acceptance in acceptances:
        first.setdefault(_identity(acceptance), acceptance)
    new = await tx.insert_messages(list(first.values()))
    stored = await _stored(tx, acceptances, new)
    fresh = [acceptance for acceptance in acceptances if acceptance.message.id in new]
    settled = await exchange.settle(tx, chain, now, fresh, located)
    results.heads += settled.heads
    await dossiers.settle(tx, fresh)
    await ratings.settle(tx, fresh)
    await dossier_waits.note(tx, fresh)
    going = {acceptance.message.id: acceptance for acceptance in settled.acceptances}
    rows: list[NewDelivery] = []
    begun: set[tuple[str, str]] = set()
    for acceptance in acceptances:
        message = acceptance.message
        if message.id in new:
            really = going[message.id]
            rows += _deliveries(really, begun)
            _journal_acceptance(chain, really)
            results.accepted.append(_receipt(really))
        else:
            results.accepted.append(_repeat(stored[_identity(acceptance)], message))
    results.heads += await tx.insert_deliveries(rows)


async def _stored(
    tx: Tx, acceptances: Sequence[Acceptance], new: set[str]
) -> dict[tuple[str, str], Receipt]:
    repeats = {_identity(a) for a in acceptances if a.message.id not in new}
    if not repeats:
        return {}
    return {(r.sender, r.sender_ref): r for r in await tx.receipts(sorted(repeats))}


def _identity(acceptance: Acceptance) -> tuple[str, str]:
    return (acceptance.message.sender, acceptance.message.sender_ref)


def same_or_duplicate(stored: Receipt, message: Message) -> Receipt:
    """The stored receipt, if the content is the same. Raises DuplicateMessage."""
    if stored.sha256 == message.sha256:
        return stored
    raise DuplicateMessage(
        f"message id {stored.sender_ref!r} of {stored.sender} was accepted with other content",
        vi=f"Mã {stored.sender_ref!r} của {stored.sender} đã được tiếp nhận với nội dung khác",
        messageId=stored.message_id,
    )


def _repeat(stored: Receipt, message: Message) -> Receipt | DuplicateMessage:
    """An answer of its own for each: one duplicate must not spoil the batch."""
    try:
        return same_or_duplicate(stored, message)
    except DuplicateMessage as error:
        return error


def _receipt(acceptance: Acceptance) -> Receipt:
    m = acceptance.message
    return Receipt(
        m.id, m.sender, m.sender_ref, m.sha256, m.accepted_at, acceptance.decision, duplicate=False
    )


def _deliveries(acceptance: Acceptance, begun: set[tuple[str, str]]) -> list[NewDelivery]:
    message = acceptance.message
    rows = []
    for plan in acceptance.planned:
        key = (plan.endpoint, message.order_key)
        candidate = not plan.pull and key not in begun
        if not plan.pull:
            begun.add(key)
        rows.append(
            NewDelivery(
                message.id,
                plan.endpoint,
                " ".join(plan.receivers),
                message.order_key,
                message.lane.value,
                _first_state(plan).value,
                plan.pull,
                candidate,
                message.accepted_at,
                plan.expires_at,
                plan.held or None,
            )
        )
    return rows


def _first_state(plan: Planned) -> DeliveryState:
    return DeliveryState.HELD if plan.held else DeliveryState.QUEUED


def _journal_acceptance(chain: Chain, acceptance: Acceptance) -> None:
    m = acceptance.message
    data = {
        "sender": m.sender,
        "ref": m.sender_ref,
        "sha256": m.sha256,
        "size": m.size,
        "deliveries": [[plan.endpoint, *plan.receivers] for plan in acceptance.planned],
    }
    chain.add(m.accepted_at, "accepted", acceptance.client, data, m.id)
