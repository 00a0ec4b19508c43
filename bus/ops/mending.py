"""Replaying, cancelling and redirecting, one delivery or a million: choose, then do it in steps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.delivery import CANCELLABLE, REPLAYABLE, DeliveryState
from schemas.errors import Text
from schemas.instant import Instant

if TYPE_CHECKING:  # the command line asks for this before it knows whether it needs the ledger
    from bus.ledger.ledger import Ledger

PAGE = 2_000  # ids in one question
BATCH = 200  # one transaction: others' accepts wait no longer than for it


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to deliveries that are in certain states."""

    verb: Text
    done: Text
    states: frozenset[DeliveryState]
    run: Callable[[Ledger, Sequence[int], str, str], Coroutine[Any, Any, list[int]]]
    undo: Act | None = None
    replayed: bool = False  # of those, only what a replay has set going and has not left since


UNDO_REPLAY = Act(
    Text("Rút lại lệnh gửi lại", "Undo the replay"),
    Text("Đã rút lại", "Undone"),
    frozenset({DeliveryState.QUEUED}),
    lambda ledger, ids, actor, reason: ledger.undo_replay(ids, actor=actor, reason=reason),
    replayed=True,
)
REPLAY = Act(
    Text("Gửi lại", "Replay"),
    Text("Đã cho gửi lại", "Replayed"),
    REPLAYABLE,
    lambda ledger, ids, actor, reason: ledger.replay(ids, actor=actor, reason=reason),
    undo=UNDO_REPLAY,
)
CANCEL = Act(
    Text("Hủy", "Cancel"),
    Text("Đã hủy", "Cancelled"),
    CANCELLABLE,
    lambda ledger, ids, actor, reason: ledger.cancel(ids, actor=actor, reason=reason),
)


def redirect(to: str, *, pull: bool) -> Act:
    """To another endpoint; `pull`: it is one from which the receiver fetches."""
    return Act(
        Text(f"Chuyển sang {to}", f"Redirect to {to}"),
        Text(f"Đã chuyển sang {to}", f"Redirected to {to}"),
        CANCELLABLE,
        lambda ledger, ids, actor, reason: ledger.redirect(
            ids, to=to, pull=pull, actor=actor, reason=reason
        ),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Deliveries by id, or all that match every filter given."""

    ids: tuple[int, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    endpoint: str | None = None
    code: str | None = None
    message: str | None = None
    since: Instant | None = None
    senders: frozenset[str] | None = None  # whose; None: everybody's


@dataclass(frozen=True, slots=True)
class Chosen:
    fit: tuple[int, ...]  # can be acted on, oldest first
    unfit: tuple[int, ...]  # were named, and cannot


async def choose(ledger: Ledger, act: Act, choice: Choice) -> Chosen:
    queries, wanted = ledger.queries, sorted(set(choice.ids))
    if wanted:
        fit: list[int] = []
        for start in range(0, len(wanted), PAGE):
            fit += await queries.delivery_ids(
                ids=wanted[start : start + PAGE],
                states=act.states,
                senders=choice.senders,
                replayed=act.replayed,
            )
        return Chosen(tuple(fit), tuple(sorted(set(wanted).difference(fit))))
    found = await queries.delivery_ids(
        states=act.states.intersection(choice.states or act.states),
        endpoint=choice.endpoint,
        code=choice.code,
        message_id=choice.message,
        since=choice.since,
        senders=choice.senders,
        replayed=act.replayed,
    )
    return Chosen(tuple(found), ())


async def carry_out(
    ledger: Ledger,
    act: Act,
    ids: Sequence[int],
    *,
    actor: str,
    reason: str,
    rate: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[tuple[int, Collection[int]]]:
    """Yields after each step: how many were tried, and which of them it was done to.

    `rate`: at most so many a second, so that a healed partner is not run over.
    """
    size = BATCH if rate is None else max(1, min(BATCH, round(rate)))
    began = monotonic()
    for start in range(0, len(ids), size):
        batch = ids[start : start + size]
        done = await act.run(ledger, batch, actor, reason)
        yield len(batch), done
        if rate is not None:
            await asyncio.sleep(max(0.0, began + (start + len(batch)) / rate - monotonic()))
