"""Life of a delivery (one message to one endpoint), as one table.

Rule 1: everything that decides which change of state is allowed lives in this file.
Rule 2: this file does no I/O and does not know who asks.
"""

from __future__ import annotations

from enum import StrEnum


class DeliveryState(StrEnum):
    """Trạng thái chuyển phát."""

    QUEUED = "queued"  # accepted; waits for its turn, its worker, or (mailbox) its receiver
    SENDING = "sending"  # a worker has it in hand
    WAITING = "waiting"  # an attempt failed or the breaker is open; goes again at next_attempt_at
    HELD = "held"  # waits for a person, a mapping, or (a step) for its dossier
    DELIVERED = "delivered"  # the partner has it
    REJECTED = "rejected"  # the partner said no; the sender is told
    DEAD = "dead"  # attempts used up or a fault of ours; waits for an operator, blocks its key
    CANCELLED = "cancelled"  # withdrawn before it left
    EXPIRED = "expired"  # its time ran out before it could leave


S = DeliveryState

TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    S.QUEUED: frozenset(
        {S.SENDING, S.HELD, S.CANCELLED, S.EXPIRED, S.DELIVERED, S.REJECTED, S.DEAD}
    ),
    S.SENDING: frozenset({S.DELIVERED, S.REJECTED, S.WAITING, S.QUEUED, S.DEAD, S.HELD}),
    S.WAITING: frozenset({S.SENDING, S.HELD, S.CANCELLED, S.EXPIRED, S.DEAD}),
    S.HELD: frozenset({S.QUEUED, S.CANCELLED, S.EXPIRED}),
    S.DEAD: frozenset({S.QUEUED, S.CANCELLED}),
    S.DELIVERED: frozenset(),
    S.REJECTED: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset(),
}

TERMINAL = frozenset(state for state, onward in TRANSITIONS.items() if not onward)
"""Finished: gives its turn to the next delivery of its order key."""

OPEN = frozenset(TRANSITIONS) - TERMINAL
"""Not finished: later deliveries of the same endpoint and order key wait behind it."""

READY = frozenset({S.QUEUED, S.WAITING})
"""May be taken by a worker once it is the head of its key and due."""

CANCELLABLE = frozenset(state for state, onward in TRANSITIONS.items() if S.CANCELLED in onward)
REPLAYABLE = frozenset({S.DEAD, S.HELD})


def allowed(old: DeliveryState, new: DeliveryState) -> bool:
    return new in TRANSITIONS[old]
