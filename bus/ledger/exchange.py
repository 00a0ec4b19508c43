"""Follows documents at their receivers, in the transaction of whatever changes them.

One statement carries a whole batch.  What an event means is decided by `schemas.exchange`; here it
is only found out which document it is about, and written down.

Two processes may hear of one document at once: the receiver's status through one, the outcome of
the delivery through another.  So whoever changes what is followed holds the lock of the document's
message, taken together with the order keys before anything is read that decides (`locate`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

import orjson

from bus.ledger import exchange_sql as sql
from bus.ledger.journal import Chain
from bus.ledger.records import About, Acceptance, Head, Planned
from bus.ledger.tx import Tx
from routing.decision import RoutingOutcome, Step
from schemas.delivery import DeliveryState
from schemas.exchange import (
    Event,
    ExchangeState,
    Progress,
    Recall,
    advance,
)
from schemas.instant import Instant
from schemas.message import DocumentBody
from schemas.vietnam import start_of

DAY = timedelta(days=1)
NEW, REPLACEMENT = 0, 3  # BussinessDocType of packets that bring a document

ENDS = {
    DeliveryState.DELIVERED: Event.DELIVERED,
    DeliveryState.REJECTED: Event.UNDELIVERABLE,
    DeliveryState.EXPIRED: Event.UNDELIVERABLE,
    DeliveryState.CANCELLED: Event.WITHDRAWN,
}
"""What the end of a delivery means for the documents it carries."""


Why = Callable[[str], Step]
"""A sentence about the message of that id."""


class Followed(NamedTuple):
    """A document at one receiver."""

    message_id: str
    receiver: str


@dataclass(frozen=True, slots=True)
class Told:
    """An event about a document that was found."""

    followed: Followed
    event: Event
    at: Instant
    told_by: str  # the message that says so; empty: the transport


@dataclass(frozen=True, slots=True)
class Located:
    """Which documents new messages are about, found before anything is locked.

    That cannot change: only where a document stands does, and this is read under the lock.
    """

    found: dict[tuple[About, str], Followed]  # by receiver
    keys: frozenset[tuple[str, str]]  # to lock: the documents, and what a recall may stop


@dataclass(slots=True)
class Settled:
    """New messages as they really go, and what came free because of them."""

    acceptances: list[Acceptance]
    heads: list[Head]


def lock_of(message_id: str) -> tuple[str, str]:
    """Held by whoever changes where the document of this message stands."""
    return ("exchange", message_id)


async def locate(tx: Tx, acceptances: Sequence[Acceptance]) -> Located:
    found = await _search(tx, _abouts(acceptances))
    locks = {lock_of(followed.message_id) for followed in found.values()}
    # the same new document, by two processes at once
    locks.update(("exchange", each.message.order_key) for each in acceptances if each.follows)
    recalled = {
        followed.message_id for (about, _), followed in found.items() if about.event is Event.RECALL
    }
    if recalled:
        rows = await tx.over(sql.KEYS_OF_MESSAGES, sql.MESSAGES, [(each,) for each in recalled])
        locks.update((endpoint, key) for endpoint, key in rows)
    return Located(found, frozenset(locks))


async def settle(
    tx: Tx, chain: Chain, now: Instant, acceptances: Sequence[Acceptance], located: Located
) -> Settled:
    """Everything that newly accepted messages mean for the documents followed.

    Receivers that have a new document already get no second one; what a recall can still stop does
    not leave, and neither does the recall to there.  The messages' decisions say so.
    """
    going = await _without_repeats(tx, acceptances)
    await _begin(tx, going)
    told = await _told(tx, going, located)
    standing = await _standing(tx, {each.followed for each in told})
    heads: list[Head] = []
    before = set(located.found.values())  # what this batch itself brings leaves, its recall behind
    recalls = [each for each in told if each.event is Event.RECALL and each.followed in before]
    if recalls:
        stopped, heads = await _withdraw(tx, chain, now, recalls)
        stopped += _gone_already(now, recalls, standing)
        told += stopped
        going = [_without_recalled(each, stopped) for each in going]
    going = _without_second_arrivals(going, told, standing)
    await _redecide(tx, acceptances, going)
    await _write(tx, now, told, standing)
    return Settled(going, heads)


async def ended(
    tx: Tx, now: Instant, ends: Iterable[tuple[str, Collection[str], DeliveryState]]
) -> None:
    """(message id, receivers, state) of deliveries of documents that have come to an end."""
    told = [
        Told(Followed(message_id, receiver), ENDS[state], now, "")
        for message_id, receivers, state in ends
        if state in ENDS
        for receiver in receivers
    ]
    if not told:
        return
    standing = await _standing(tx, {each.followed for each in told})
    await _write(tx, now, [each for each in told if each.followed in standing], standing)


# --- a document that is there already -------------------------------------------------------------


async def _without_repeats(tx: Tx, acceptances: Sequence[Acceptance]) -> list[Acceptance]:
    asked = [
        (n, acceptance.message.id, body.document_id, acceptance.message.sender, receiver)
        for n, acceptance in enumerate(acceptances)
        if isinstance(body := acceptance.message.body, DocumentBody)
        and body.business == NEW
        and body.document_id
        for receiver in acceptance.follows
    ]
    known: dict[int, dict[str, str]] = {}
    if asked:
        for n, receiver, message_id in await tx.over(sql.KNOWN, sql.KNOWN_COLUMNS, asked):
            known.setdefault(n, {})[receiver] = message_id
    first: dict[tuple[str, str, str], str] = {}
    for n, message_id, document_id, sender, receiver in asked:
        earlier = first.setdefault((document_id, sender, receiver), message_id)
        if earlier != message_id:  # two of one batch
            known.setdefault(n, {}).setdefault(receiver, earlier)
    return [
        _dropped(acceptance, known[n], RoutingOutcome.ALREADY_THERE, _there)
        if n in known
        else acceptance
        for n, acceptance in enumerate(acceptances)
    ]


def _there(message_id: str) -> Step:
    return (
        f"văn bản này đã được tiếp nhận cho nơi nhận (thông điệp {message_id}): không gửi lần hai",
        f"accepted for this receiver before (message {message_id}): it is not sent twice",
    )


# --- what an event is about -----------------------------------------------------------------------


def _abouts(acceptances: Iterable[Acceptance]) -> list[tuple[About, str]]:
    return [
        (about, receiver)
        for acceptance in acceptances
        for about in acceptance.about
        for receiver in about.receivers
    ]


async def _search(tx: Tx, abouts: Sequence[tuple[About, str]]) -> dict[tuple[About, str], Followed]:
    """The latest document each is about, by id, else by code and date; where there is one."""
    asked = [_asked(n, about, receiver) for n, (about, receiver) in enumerate(abouts)]
    found: dict[int, Followed] = {}
    for statement, named in ((sql.BY_ID, 3), (sql.BY_CODE, 4)):
        left = [row for row in asked if row[0] not in found and row[named]]
        if left:
            for n, message_id, receiver in await tx.over(statement, sql.ASKED, left):
                found.setdefault(n, Followed(message_id, receiver))
    return {abouts[n]: followed for n, followed in found.items()}


async def _told(tx: Tx, acceptances: Sequence[Acceptance], located: Located) -> list[Told]:
    """Events whose document is known, be it of the same batch."""
    found = dict(located.found)
    left = [each for each in _abouts(acceptances) if each not in found]
    if left and any(each.follows for each in acceptances):
        found |= await _search(tx, left)
    return [
        Told(followed, about.event, about.at, acceptance.message.id)
        for acceptance in acceptances
        for about in acceptance.about
        for receiver in about.receivers
        if (followed := found.get((about, receiver)))
    ]


def _asked(n: int, about: About, receiver: str) -> tuple[int, str, str, str, str, str]:
    return n, about.sender, receiver, about.document_id, about.code, about.promulgated


@dataclass(slots=True)
class Standing:
    """Where a document stands; to be read only under its lock."""

    progress: Progress
    reports: bool  # the bus sends 01 for this receiver
    told_arrival: bool  # the sender got an 01


async def _standing(tx: Tx, documents: Collection[Followed]) -> dict[Followed, Standing]:
    if not documents:
        return {}
    rows = await tx.over(sql.STANDING, sql.FOLLOWED, [tuple(each) for each in sorted(documents)])
    return {
        Followed(message_id, receiver): Standing(_progress(where), bool(reports), bool(told))
        for message_id, receiver, reports, told, *where in rows
    }


def _progress(row: Sequence[object]) -> Progress:
    state, recall, arrived, accepted, finished = row
    return Progress(
        ExchangeState(str(state)),
        Recall(str(recall)),
        arrived_at=_instant(arrived),
        accepted_at=_instant(accepted),
        finished_at=_instant(finished),
    )


def _instant(value: object) -> Instant | None:
    return value if isinstance(value, int) else None


# --- recalls --------------------------------------------------------------------------------------


async def _withdraw(
    tx: Tx,
    chain: Chain,
    now: Instant,
    recalls: Sequence[Told],
) -> tuple[list[Told], list[Head]]:
    """Stop the deliveries that have not left; returns what happened to the documents by that."""
    by = {each.followed: each.told_by for each in recalls}
    messages = sorted({followed.message_id for followed in by})
    rows = await tx.over(sql.LEAVABLE, sql.MESSAGES, [(each,) for each in messages])
    chosen = {
        number: (message_id, receivers.split(" "), endpoint, key)
        for number, message_id, receivers, endpoint, key in rows
        if all(Followed(message_id, receiver) in by for receiver in receivers.split(" "))
    }
    if not chosen:
        return [], []
    reason = "recalled by the sender before it left"
    done = await tx.over(
        sql.WITHDRAW, sql.WITHDRAW_COLUMNS, [(n, now, reason) for n in sorted(chosen)]
    )
    stopped: list[Told] = []
    freed: set[tuple[str, str]] = set()
    for (number,) in done:
        message_id, receivers, endpoint, key = chosen[number]
        freed.add((endpoint, key))
        recall = by[Followed(message_id, receivers[0])]
        data = {"endpoint": endpoint, "reason": reason, "recall": recall}
        chain.add(now, "cancelled", recall, data, message_id, number)
        for receiver in receivers:
            followed = Followed(message_id, receiver)
            stopped.append(Told(followed, Event.WITHDRAWN, now, by[followed]))
    heads = [head for head, _ in await tx.next_heads(freed)]
    return stopped, heads


def _gone_already(
    now: Instant, recalls: Sequence[Told], standing: Mapping[Followed, Standing]
) -> list[Told]:
    """A recall of what was stopped earlier (sent again, or cancelled by an operator)."""
    return [
        Told(each.followed, Event.WITHDRAWN, now, each.told_by)
        for each in recalls
        if standing[each.followed].progress.state is ExchangeState.CANCELLED
    ]


def _without_recalled(acceptance: Acceptance, stopped: Sequence[Told]) -> Acceptance:
    mine = {
        each.followed.receiver: each.followed.message_id
        for each in stopped
        if each.told_by == acceptance.message.id
    }
    return _dropped(acceptance, mine, RoutingOutcome.STOPPED, _stopped) if mine else acceptance


def _stopped(message_id: str) -> Step:
    return (
        f"văn bản bị thu hồi (thông điệp {message_id}) chưa rời trục: đã hủy, khỏi gửi yêu cầu",
        f"what is recalled (message {message_id}) had not left: withdrawn, no recall goes there",
    )


# --- arrivals the bus tells -----------------------------------------------------------------------


def _without_second_arrivals(
    acceptances: Sequence[Acceptance], told: Sequence[Told], standing: Mapping[Followed, Standing]
) -> list[Acceptance]:
    """Where the bus sends 01, the receiver's system may do so too: the sender gets the first."""
    second: dict[str, str] = {}
    for each in told:
        where = standing[each.followed]
        if each.event is Event.INBOX and where.reports:
            if where.told_arrival:
                second[each.told_by] = each.followed.message_id
            where.told_arrival = True
    return [
        _dropped_everywhere(each, second[each.message.id]) if each.message.id in second else each
        for each in acceptances
    ]


def _dropped_everywhere(acceptance: Acceptance, document: str) -> Acceptance:
    receivers = (receiver for plan in acceptance.planned for receiver in plan.receivers)
    gone = dict.fromkeys(receivers, document)
    return _dropped(acceptance, gone, RoutingOutcome.ALREADY_THERE, _told_before)


def _told_before(message_id: str) -> Step:
    return (
        f"nơi gửi đã được báo văn bản (thông điệp {message_id}) đã đến: không báo lần hai",
        f"the sender has been told that the document (message {message_id}) arrived: not twice",
    )


# --- writing --------------------------------------------------------------------------------------


def _dropped(
    acceptance: Acceptance, gone: dict[str, str], outcome: RoutingOutcome, why: Why
) -> Acceptance:
    """The acceptance without deliveries to the receivers in `gone`; its decision says why."""
    planned = []
    for plan in acceptance.planned:
        left = tuple(receiver for receiver in plan.receivers if receiver not in gone)
        if left:
            planned.append(_narrowed(plan, left))
    decision = orjson.loads(acceptance.decision)
    for receiver in decision["receivers"]:
        message_id = gone.get(receiver["agency"])
        if message_id is not None:
            receiver["outcome"] = outcome.value
            receiver["steps"].append(why(message_id))
    return replace(
        acceptance,
        planned=tuple(planned),
        decision=orjson.dumps(decision).decode(),
        follows=tuple(each for each in acceptance.follows if each not in gone),
    )


def _narrowed(plan: Planned, receivers: tuple[str, ...]) -> Planned:
    return plan if receivers == plan.receivers else replace(plan, receivers=receivers)


async def _redecide(tx: Tx, before: Sequence[Acceptance], after: Sequence[Acceptance]) -> None:
    changed = [
        (new.message.id, new.decision)
        for old, new in zip(before, after, strict=True)
        if old.decision != new.decision
    ]
    if changed:
        await tx.over(sql.DECIDE, sql.DECISIONS, changed)


async def _begin(tx: Tx, acceptances: Sequence[Acceptance]) -> None:
    rows = []
    for acceptance in acceptances:
        message, body = acceptance.message, acceptance.message.body
        if not isinstance(body, DocumentBody):
            continue
        rows += [
            (
                message.id,
                receiver,
                message.sender,
                body.document_id,
                body.code,
                body.promulgated.isoformat() if body.promulgated else "",
                body.subject,
                body.business,
                body.priority,
                start_of(body.due + DAY) if body.due else None,
                body.steering_type,
                message.accepted_at,
                receiver in acceptance.reports,
            )
            for receiver in acceptance.follows
        ]
    if rows:
        await tx.over(sql.BEGIN, sql.BEGIN_COLUMNS, rows)


async def _write(
    tx: Tx, now: Instant, told: Sequence[Told], standing: Mapping[Followed, Standing]
) -> None:
    """Every event in order of arrival; the transport's own leave only their marks."""
    news: list[tuple[object, ...]] = []
    changed: set[Followed] = set()
    reported: set[Followed] = set()
    for each in told:
        where = standing[each.followed]
        before = where.progress
        after = where.progress = advance(before, each.event, each.at)
        if after != before:
            changed.add(each.followed)
        if each.event is Event.INBOX:
            reported.add(each.followed)
        if each.told_by or each.event is not Event.DELIVERED:
            event = (each.event.value, each.at, each.told_by, after != before)
            news.append((*each.followed, *event))
    rows = [
        _row(followed, standing[followed].progress, now, told_arrival=followed in reported)
        for followed in sorted(changed | reported)
    ]
    if rows:
        await tx.over(sql.WRITE, sql.WRITE_COLUMNS, rows)
    if news:
        await tx.over(sql.TELL, sql.TELL_COLUMNS, news)


def _row(
    followed: Followed, progress: Progress, now: Instant, *, told_arrival: bool
) -> tuple[object, ...]:
    return (
        *followed,
        progress.state.value,
        progress.recall.value,
        progress.arrived_at,
        progress.accepted_at,
        progress.finished_at,
        now,
        told_arrival,
    )
