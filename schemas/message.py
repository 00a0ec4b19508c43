"""The canonical message: one envelope for every kind of traffic, with a typed body."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.dossier.life import DossierStatus
from schemas.instant import Instant

ItemKind = Literal[
    "submission", "rating", "evaluation", "question", "answer", "statistics", "postal-order"
]
"""Kinds of items (schemas.flows)."""

Kind = Literal["document", "status", "dossier", "step", ItemKind, "change"]


class Lane(StrEnum):
    """Luồng ưu tiên: urgent overtakes a backlog of normal within one endpoint."""

    NORMAL = "normal"
    URGENT = "urgent"


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attachment(Strict):
    """A file inside a packet, as described, not its bytes."""

    content_id: str
    name: str
    media_type: str  # sniffed from the bytes, never what the packet claims
    size: int  # bytes after decoding (and unzipping, where the packet zips)
    sha256: str  # hex, of those bytes


class Reference(Strict):
    """Another document that a document packet is about."""

    relation: Literal["recalls", "updates", "replaces", "answers"]
    document_id: str
    code: str = ""  # số/ký hiệu
    promulgated: date | None = None
    receivers: tuple[str, ...] = ()  # agency codes concerned as written; none: all it goes to


class DocumentBody(Strict):
    """Văn bản điện tử, the facts of it that routing, search and deadlines need."""

    kind: Literal["document"] = "document"
    document_id: str
    number: str  # số
    notation: str  # ký hiệu
    subject: str  # trích yếu
    type_name: str = ""  # loại văn bản
    promulgated: date | None = None  # ngày ban hành
    due: date | None = None  # hạn xử lý
    priority: int = 0  # độ khẩn 0–4, edXML OtherInfo/Priority
    steering_type: int = 0
    business: int = 0  # 0 new, 1 recall, 2 update, 3 replace
    signer: str = ""
    attachments: tuple[Attachment, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def code(self) -> str:
        """Số/ký hiệu joined, as status packets name a document."""
        return f"{self.number}/{self.notation}"


class StatusBody(Strict):
    """Trạng thái xử lý: a business status (01…16) about a document."""

    kind: Literal["status"] = "status"
    document_id: str
    code: str  # số/ký hiệu of the document
    status: str  # two digits, edXML StatusCode
    description: str = ""
    timestamp: datetime | None = None  # as the packet says: local time without a zone
    promulgated: date | None = None


class DossierBody(Strict):
    """Hồ sơ TTHC: facts of the whole current record, without those of the applicant."""

    kind: Literal["dossier"] = "dossier"
    code: str  # mã hồ sơ
    nation_code: str = ""
    procedure: str  # as the sender codes it
    agency: str
    channel: int  # kênh thực hiện: 1 counter, 2 online, 3 post
    status: DossierStatus
    local_status: str = ""  # the sender's own code of it; the status is 0 until it is mapped
    received: datetime | None = None
    due: datetime | None = None
    finished: datetime | None = None
    returned: datetime | None = None


class StepBody(Strict):
    """Bước xử lý: which entry of a dossier's timeline, without who did it and what they wrote."""

    kind: Literal["step"] = "step"
    code: str  # mã hồ sơ
    step_id: str
    status: DossierStatus
    local_status: str = ""  # as of a dossier
    at: datetime


class RatingBody(Strict):
    """Đánh giá: what satisfaction is counted from, without who said it and in which words."""

    kind: Literal["rating"] = "rating"
    code: str  # mã hồ sơ
    agency: str  # that handled it
    score: int  # mức độ hài lòng: 1 very satisfied, 2 satisfied, 3 not
    service: int | None = None  # the same of how one was treated
    at: datetime


class ItemBody(Strict):
    """Another item of schemas.flows, or a change of a register (schemas.data_change): what it is
    found by.
    """

    kind: Literal[
        "submission", "evaluation", "question", "answer", "statistics", "postal-order", "change"
    ]
    code: str  # what it is about: the dossier's code, the question's number, the agency
    identity: str


Body = Annotated[
    DocumentBody | StatusBody | DossierBody | StepBody | RatingBody | ItemBody,
    Field(discriminator="kind"),
]


class Message(Strict):
    """Thông điệp: what was accepted from one agency."""

    id: str  # UUIDv7, given by the bus
    sender: str  # agency code of the sender
    sender_ref: str  # the sender's own id of the message: the idempotency key together with sender
    receivers: tuple[str, ...]  # agency codes as addressed by the sender
    order_key: str  # of dossiers and their steps: the dossier's code
    lane: Lane
    accepted_at: Instant
    expires_at: Instant | None = None
    sha256: str  # hex, of the original bytes
    size: int  # bytes of the original
    media_type: str  # of the original
    trace: str  # W3C traceparent
    body: Body
    warnings: tuple[str, ...] = ()  # what the tolerant reader put up with
