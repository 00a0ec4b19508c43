"""What the REST door answers and reads, as JSON (camelCase on the wire)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from routing.decision import RoutingOutcome
from schemas.delivery import DeliveryState
from schemas.exchange import ExchangeState, Recall
from schemas.message import Lane


class Wire(BaseModel):
    """Reads and writes camelCase names."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class TokenAnswer(BaseModel):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type, not a token
    expires_in: int = Field(description="seconds")


class ReceiptReceiver(Wire):
    """What was decided for one receiver when the message was accepted."""

    code: str = Field(description="as the packet names it")
    agency: str | None = Field(description="the agency's own code")
    name: str
    outcome: RoutingOutcome
    endpoint: str | None


class ReceiptAnswer(Wire):
    """Biên nhận. A repeat of the same message gets the same bytes."""

    message_id: str
    message_ref: str = Field(description="the sender's own id of the message")
    sender: str
    sha256: str = Field(description="hex, of the original bytes")
    accepted_at: str
    receivers: list[ReceiptReceiver]


class MailboxItem(Wire):
    """A delivery that waits to be fetched."""

    delivery_id: int
    message_id: str
    kind: str
    sender: str
    receiver: str
    size: int = Field(description="bytes")
    sha256: str
    accepted_at: str
    lane: Lane
    subject: str
    document_id: str
    document_code: str


class MailboxPage(Wire):
    items: list[MailboxItem]
    next: str | None = Field(description="cursor of the next page, null at the end")


class ExchangeItem(Wire):
    """A document at one of its receivers."""

    message_id: str
    receiver: str
    sender: str
    document_id: str
    document_code: str
    subject: str
    state: ExchangeState
    recall: Recall
    priority: int
    due: str | None = Field(description="hạn xử lý, ISO date")
    steering_type: int
    promulgated: str | None = Field(description="ngày ban hành, ISO date")
    sent_at: str
    arrived_at: str | None
    accepted_at: str | None
    finished_at: str | None


class ExchangePage(Wire):
    items: list[ExchangeItem]
    next: str | None = Field(description="cursor of the next page, null at the end")


class ExchangeEvent(Wire):
    """What was told of a document at a receiver."""

    receiver: str
    event: str = Field(description="status code, or what the transport did")
    at: str = Field(description="as whoever told it says")
    told_by: str = Field(description="id of the message; empty: the transport")
    changed: bool = Field(description="false: late or again, kept and without effect")


class ExchangeAnswer(Wire):
    receivers: list[ExchangeItem]
    events: list[ExchangeEvent]


class TaskFigures(Wire):
    """Figures of one agency in a period."""

    agency: str
    name: str
    received: int
    accepted: int
    refused: int
    tasks: int
    done_early: int
    done_on_time: int
    done_late: int
    open: int
    overdue: int


class ReportAnswer(Wire):
    period: str
    since: str
    until: str
    agencies: list[TaskFigures]


class AckRequest(Wire):
    """The receiver's word about a delivery."""

    result: Literal["delivered", "rejected"]
    receipt: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="the receiver's own number for it"
    )
    reason: Annotated[str, StringConstraints(max_length=500)] = Field(
        "", description="why it is refused; the sender is told"
    )


class AckAnswer(Wire):
    delivery_id: int
    state: DeliveryState


class DeliveryAnswer(Wire):
    """One delivery, for its sender."""

    delivery_id: int
    endpoint: str
    receivers: list[str]
    state: DeliveryState
    state_vi: str = Field(description="trạng thái bằng lời")
    state_en: str
    reason: str = Field(description="why it is where it is, in the words of who decided")
    code: str
    attempts: int
    next_attempt_at: str | None
    partner_ref: str = Field(description="the receiver's receipt")
    created_at: str
    finished_at: str | None


class ReceiverAnswer(Wire):
    """What was decided for one receiver, step by step."""

    code: str
    agency: str | None
    name: str
    outcome: str
    endpoint: str | None
    steps_vi: list[str]
    steps_en: list[str]


class MessageSummary(Wire):
    message_id: str
    message_ref: str
    kind: str
    sender: str
    receivers: list[str]
    document_id: str
    document_code: str
    lane: Lane
    accepted_at: str
    expires_at: str | None
    size: int
    sha256: str


class MessagePage(Wire):
    items: list[MessageSummary]
    next: str | None = Field(description="cursor of the next page, null at the end")


class MessageAnswer(MessageSummary):
    correlation_id: str
    subject: str
    warnings: list[str] = Field(description="what the tolerant reader put up with")
    deliveries: list[DeliveryAnswer]
    decision: list[ReceiverAnswer]


class CancelRequest(Wire):
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class CancelAnswer(Wire):
    """What could be withdrawn, and what had already left."""

    message_id: str
    cancelled: list[int] = Field(description="delivery ids, of earlier calls too")
    not_cancelled: list[DeliveryAnswer]


class AgencyAnswer(Wire):
    model_config = ConfigDict(from_attributes=True)

    code: str
    name: str
    parent: str | None
    aliases: list[str] = Field(description="other codes in force today")
    in_force: bool
    connected: bool = Field(description="its documents have somewhere to go")


class AgencyPage(Wire):
    items: list[AgencyAnswer]
    next: str | None


class Live(Wire):
    status: Literal["alive"] = "alive"


class PartAnswer(Wire):
    name: str
    up: bool
    required: bool
    reason: str


class ReadyAnswer(Wire):
    """`degraded`: something that is not required is down; work is still accepted. `leaving`: the
    process ends soon and still takes work; new connections belong elsewhere.
    """

    status: Literal["ready", "degraded", "unready", "leaving"]
    parts: list[PartAnswer]


class Problem(Wire):
    """RFC 9457, with the same texts in both languages and the correlation id."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    who_must_act: Literal["sender", "operator", "partner", "administrator"]
    retryable: bool
    advice: str
    correlation_id: str
    title_vi: str
    title_en: str
    detail_vi: str
    detail_en: str
    advice_vi: str
    advice_en: str
    context: dict[str, Any] = {}
