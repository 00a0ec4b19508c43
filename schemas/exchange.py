"""Life of a document at one receiver, as one table.

Every document is followed at each of its receivers from the moment it was accepted: what the
transport did to it, and what the receiver's clerks say of it in business statuses (01…16, technical
guide of the national axis v2.2; the states themselves are those of QĐ 28/2018/QĐ-TTg).

Rule 1: everything that decides what an event changes lives in this file.
Rule 2: this file does no I/O and does not know where an event comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from schemas.instant import Instant


class ExchangeState(StrEnum):
    """Trạng thái xử lý văn bản tại nơi nhận."""

    SENT = "sent"  # đã gửi: accepted by the bus, not yet at the receiver
    ARRIVED = "arrived"  # đã đến (01)
    REFUSED = "refused"  # từ chối tiếp nhận (02)
    ACCEPTED = "accepted"  # đã tiếp nhận (03)
    ASSIGNED = "assigned"  # đã phân công (04)
    PROCESSING = "processing"  # đang xử lý (05)
    FINISHED = "finished"  # hoàn thành (06)
    RECALLED = "recalled"  # đã lấy lại: the receiver agreed (15)
    CANCELLED = "cancelled"  # thu hồi trước khi gửi: recalled before it left
    REPLACED = "replaced"  # đã được thay thế: another document took its place, and its task
    UNDELIVERED = "undelivered"  # không chuyển được: the receiving system refused it, or it expired


class Event(StrEnum):
    """What happens to a document at a receiver. Two digits: the status code of the packet."""

    DELIVERED = "delivered"  # the receiving system has it
    UNDELIVERABLE = "undeliverable"  # it will never have it
    WITHDRAWN = "withdrawn"  # taken back before it left
    INBOX = "01"
    REFUSAL = "02"
    ACCEPTANCE = "03"
    ASSIGNMENT = "04"
    PROGRESS = "05"
    FINISH = "06"
    RECALL = "13"  # the sender asks for it back (also by a packet of type 1)
    AGREEMENT = "15"  # the receiver agrees to the recall
    DISAGREEMENT = "16"  # the receiver keeps it
    UPDATE = "update"  # the sender sent a packet of type 2 about it
    REPLACEMENT = "replacement"  # another document takes its place (type 3)


class Recall(StrEnum):
    """Yêu cầu lấy lại: stands beside the state, because work goes on until it is answered."""

    NONE = "none"
    ASKED = "asked"
    AGREED = "agreed"
    REFUSED = "refused"


S, E = ExchangeState, Event

_ONWARD = {
    E.DELIVERED: S.ARRIVED,
    E.INBOX: S.ARRIVED,
    E.ACCEPTANCE: S.ACCEPTED,
    E.ASSIGNMENT: S.ASSIGNED,
    E.PROGRESS: S.PROCESSING,
    E.FINISH: S.FINISHED,
}
_ORDER = (S.SENT, S.ARRIVED, S.ACCEPTED, S.ASSIGNED, S.PROCESSING, S.FINISHED)
"""Steps may be left out (03 then 05 is common); nothing goes back."""


def _onward(state: ExchangeState) -> dict[Event, ExchangeState]:
    later = _ORDER[_ORDER.index(state) + 1 :]
    return {event: to for event, to in _ONWARD.items() if to in later}


_TAKEN_BACK = {E.AGREEMENT: S.RECALLED, E.REPLACEMENT: S.REPLACED}

TRANSITIONS: dict[ExchangeState, dict[Event, ExchangeState]] = {
    S.SENT: {
        **_onward(S.SENT),
        E.REFUSAL: S.REFUSED,
        E.WITHDRAWN: S.CANCELLED,
        E.UNDELIVERABLE: S.UNDELIVERED,
        **_TAKEN_BACK,
    },
    S.ARRIVED: {**_onward(S.ARRIVED), E.REFUSAL: S.REFUSED, **_TAKEN_BACK},
    S.ACCEPTED: {**_onward(S.ACCEPTED), E.REFUSAL: S.REFUSED, **_TAKEN_BACK},
    S.ASSIGNED: {**_onward(S.ASSIGNED), **_TAKEN_BACK},
    S.PROCESSING: {**_onward(S.PROCESSING), **_TAKEN_BACK},
    S.REFUSED: {},
    S.FINISHED: {},
    S.RECALLED: {},
    S.CANCELLED: {},
    S.REPLACED: {},
    S.UNDELIVERED: {},
}
"""What an event makes of a state. What is not here is kept as news and changes nothing: a late, a
repeated or a regressing status. AGREEMENT counts only while a recall is asked for."""

TERMINAL = frozenset(state for state, onward in TRANSITIONS.items() if not onward)

MAY_BE_SENT_AGAIN = frozenset({S.REFUSED, S.RECALLED, S.CANCELLED, S.UNDELIVERED})
"""The receiver does not have the document then: the same one sent again is no duplicate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a document stands at one receiver, and when it reached the marks (clocks of QĐ 28)."""

    state: ExchangeState = ExchangeState.SENT
    recall: Recall = Recall.NONE
    arrived_at: Instant | None = None
    accepted_at: Instant | None = None
    finished_at: Instant | None = None


def advance(progress: Progress, event: Event, at: Instant) -> Progress:
    """The progress after `event`, which happened `at`. Equal to `progress` if nothing changes.

    The marks keep the earliest time told, whatever the order in which statuses come in.
    """
    changed = _marked(_recall_of(progress, event), event, at)
    if event is Event.AGREEMENT and progress.recall is not Recall.ASKED:
        return changed
    return replace(changed, state=TRANSITIONS[progress.state].get(event, progress.state))


_RECALLS = {
    (Recall.NONE, E.RECALL): Recall.ASKED,
    (Recall.REFUSED, E.RECALL): Recall.ASKED,
    (Recall.ASKED, E.AGREEMENT): Recall.AGREED,
    (Recall.ASKED, E.DISAGREEMENT): Recall.REFUSED,
    (Recall.ASKED, E.WITHDRAWN): Recall.AGREED,
}


def _recall_of(progress: Progress, event: Event) -> Progress:
    return replace(progress, recall=_RECALLS.get((progress.recall, event), progress.recall))


_MARKS = {
    E.DELIVERED: "arrived_at",
    E.INBOX: "arrived_at",
    E.ACCEPTANCE: "accepted_at",
    E.FINISH: "finished_at",
}


_NEVER_CAME = frozenset({S.CANCELLED, S.UNDELIVERED})
_GIVEN_BACK = _NEVER_CAME | {S.REFUSED, S.RECALLED}
"""Nothing more is done there. That it arrived may yet be told: a receiver's refusal may overtake
the outcome of the delivery, when the process that delivered was killed."""


def _marked(progress: Progress, event: Event, at: Instant) -> Progress:
    mark = _MARKS.get(event)
    if mark is None or progress.state in (_NEVER_CAME if mark == "arrived_at" else _GIVEN_BACK):
        return progress
    known: Instant | None = getattr(progress, mark)
    if known is not None and known <= at:
        return progress
    match mark:
        case "arrived_at":
            return replace(progress, arrived_at=at)
        case "accepted_at":
            return replace(progress, accepted_at=at)
        case _:
            return replace(progress, finished_at=at)
