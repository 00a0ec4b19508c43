"""What goes into the ledger and comes out of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.adapter import MessageKind, Outcome
from schemas.delivery import DeliveryState
from schemas.exchange import Event
from schemas.instant import Instant
from schemas.message import Lane, Message


@dataclass(frozen=True, slots=True)
class Planned:
    """A delivery the routing decision asks for."""

    endpoint: str
    receivers: tuple[str, ...]
    pull: bool = False  # the receiver fetches it: never published to the broker
    held: str = ""  # reason, when it must wait for a person
    expires_at: Instant | None = None  # not worth delivering after that


@dataclass(frozen=True, slots=True)
class About:
    """What a message says of a document that was sent earlier."""

    event: Event
    sender: str  # of that document; own code
    receivers: tuple[str, ...]  # at which of its receivers; own codes
    document_id: str
    code: str  # số/ký hiệu, by which it is found when there is no id
    promulgated: str  # ISO date, or empty
    at: Instant  # when it happened, as the message says


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One message with everything that is committed for it at once."""

    message: Message
    planned: tuple[Planned, ...]
    decision: str  # JSON
    client: str
    content: bytes | None  # None: already durable in the blob store under message.sha256
    follows: tuple[str, ...] = ()  # receivers at which this document is followed from now on
    reports: frozenset[str] = frozenset()  # those of them for whom the bus says that it arrived
    about: tuple[About, ...] = ()
    record: str | None = None  # canonical JSON of a dossier or step


@dataclass(frozen=True, slots=True)
class Receipt:
    """Biên nhận: given only after the commit. The same for every repeat of the same message."""

    message_id: str
    sender: str
    sender_ref: str
    sha256: str
    accepted_at: Instant
    decision: str  # JSON of routing.Decision, as stored with the message
    duplicate: bool  # a repeat: nothing new was accepted


@dataclass(frozen=True, slots=True)
class Head:
    """A delivery that may go out now: what the dispatcher publishes."""

    id: int
    endpoint: str
    lane: Lane
    due: Instant = 0  # since when; known where the ledger was asked


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery a worker has in hand, with what the adapter needs of its message."""

    id: int
    endpoint: str
    receivers: tuple[str, ...]
    order_key: str
    lane: Lane
    attempt: int
    strikes: int
    maybe_sent: bool
    first_attempt_at: Instant
    message_id: str
    sender: str
    kind: MessageKind
    media_type: str
    size: int
    sha256: str
    trace: str
    accepted_at: Instant
    content: bytes | None = field(repr=False)
    record: str | None = field(default=None, repr=False)  # canonical JSON of a dossier or step


@dataclass(frozen=True, slots=True)
class Finish:
    """What became of a claimed delivery: the new state, and why."""

    claimed: Claimed
    state: DeliveryState
    outcome: Outcome
    next_attempt_at: Instant = 0  # for WAITING
    counts: bool = True  # the attempt is used up (not while a breaker probes)
    seconds: float = 0.0  # how long the attempt took


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Messages of one order key that an endpoint is to get once more, in this order."""

    endpoint: str
    receivers: tuple[str, ...]
    order_key: str
    message_ids: tuple[str, ...]
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as operators and senders see it."""

    id: int
    message_id: str
    endpoint: str
    receivers: tuple[str, ...]
    order_key: str
    lane: Lane
    state: DeliveryState
    pull: bool
    head: bool
    attempts: int
    next_attempt_at: Instant
    expires_at: Instant | None
    worker: str | None
    maybe_sent: bool
    partner_ref: str | None
    code: str | None
    detail: str | None
    created_at: Instant
    finished_at: Instant | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as operators and senders see it."""

    id: str
    sender: str
    sender_ref: str
    client: str
    kind: MessageKind
    receivers: tuple[str, ...]
    document_id: str
    document_code: str
    order_key: str
    lane: Lane
    accepted_at: Instant
    expires_at: Instant | None
    sha256: str
    size: int
    media_type: str
    trace: str


class MailRow(NamedTuple):
    """A delivery with what its sender and its receiver are shown of the message."""

    delivery: DeliveryRow
    message: MessageRow
    subject: str  # trích yếu; empty for a status


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One entry of the journal (nhật ký)."""

    chain: str
    seq: int
    at: Instant
    event: str
    message_id: str | None
    delivery_id: int | None
    actor: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What operators and the breaker have said of an endpoint."""

    endpoint: str
    paused: bool = False
    pause_reason: str | None = None
    breaker: str = "closed"  # closed | open
    opened_at: Instant | None = None
    probe_at: Instant | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """What fetching from an endpoint came to."""

    endpoint: str
    good_at: Instant | None  # the last good round that was written down
    due_at: Instant  # without another good one by then it is silent
    error: str | None  # of the round that failed since


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries of one endpoint in one state."""

    endpoint: str
    lane: Lane
    state: DeliveryState
    count: int
    oldest: Instant  # created_at of the oldest
