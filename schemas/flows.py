"""What travels between portals, agencies and their partners beside records and steps.

The flows of QĐ 31/2021/QĐ-TTg art. 30(3): submissions and supplements from portals, ratings and
evaluations, questions and answers, totals, postal orders.  Each is a message of its own kind; the
engine knows of it what `Item` says and nothing else.
"""

from __future__ import annotations

import hashlib
from datetime import date
from enum import IntEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from schemas.agency import AgencyCode
from schemas.dossier.code import DossierCode
from schemas.dossier.figures import Score
from schemas.dossier.model import (
    Code,
    DossierRecord,
    Link,
    Part,
    RequiredCode,
    Text200,
    Text500,
    Text2000,
    Text4000,
)
from schemas.dossier.moments import Moment
from schemas.message import ItemKind

MAX_FORM = 4_000_000
"""Characters of an application form that stands in the message itself (base64)."""

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]*$", max_length=MAX_FORM)]
Required500 = Annotated[Text500, StringConstraints(min_length=1)]
Required4000 = Annotated[Text4000, StringConstraints(min_length=1)]
Month = Annotated[str, StringConstraints(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]


class Item(Part):
    """Base of them all."""

    kind: ClassVar[ItemKind]

    @property
    def identity(self) -> str:
        """By which the sender's repeat is recognised, among those of its kind."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """What must stay in order: the dossier's code where it is about one."""
        raise NotImplementedError

    @property
    def receivers(self) -> tuple[str, ...]:
        """Agency codes; none: subscriptions decide."""
        return ()

    @property
    def told_by(self) -> str | None:
        """The one agency whose word it is; None: whoever sends it."""
        return None


class Submission(Item):
    """Hồ sơ trực tuyến, hồ sơ bổ sung: what a citizen gave a portal, for the one-stop system.

    Codes are national until the bus has replaced them by the receiver's own.
    """

    kind: ClassVar[ItemKind] = "submission"
    event: Literal["new", "supplement", "withdrawal"] = "new"
    record: DossierRecord  # as the portal has it; its agency is who handles it
    form: Base64 = ""  # tờ khai, tệp đơn đăng ký
    form_url: Link = ""
    tax_number: Code = ""  # mã số thuế
    id: Annotated[Code, Field(validate_default=True)] = ""  # of a supplement; a new one needs none

    @field_validator("id")
    @classmethod
    def _derived(cls, sent: str, info: ValidationInfo) -> str:
        """Without the portal's own number, the same content gets the same again."""
        event, record = info.data.get("event"), info.data.get("record")
        if sent or event == "new" or record is None:
            return sent
        told = record.model_dump_json() + info.data.get("form", "")
        return f"h-{hashlib.sha256(told.encode()).hexdigest()[:32]}"

    @property
    def identity(self) -> str:
        return f"{self.record.code}:{self.event}:{self.id}"

    @property
    def key(self) -> str:
        return self.record.code

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.record.agency,)


class Rating(Item):
    """Đánh giá: what one person said of how one dossier was handled."""

    kind: ClassVar[ItemKind] = "rating"
    id: RequiredCode
    code: DossierCode
    agency: AgencyCode
    procedure: Code = ""
    score: Score
    service: Score | None = None  # thái độ phục vụ
    at: Moment
    comment: Text2000 = ""

    @property
    def told_by(self) -> str:
        return self.agency

    @property
    def identity(self) -> str:
        return f"{self.code}:{self.id}"

    @property
    def key(self) -> str:
        return self.code


class Shares(Part):
    """Percentages that sum up to 100."""

    very_satisfied: int = Field(ge=0, le=100)
    satisfied: int = Field(ge=0, le=100)
    unsatisfied: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.very_satisfied + self.satisfied + self.unsatisfied != 100:
            msg = "the three percentages must sum up to 100"
            raise ValueError(msg)
        return self


class Evaluation(Item):
    """Tổng hợp đánh giá of one agency in one month, up to a day (DongBoDanhGia)."""

    kind: ClassVar[ItemKind] = "evaluation"
    agency: AgencyCode
    agency_name: Required500
    month: Month
    until: date  # last day that is counted
    total: int = Field(ge=1, description="people who rated")
    overall: Shares
    service: Shares | None = None
    procedure: Code = ""
    subject: Text500 = ""
    comments: Text4000 = ""

    @property
    def told_by(self) -> str:
        return self.agency

    @property
    def identity(self) -> str:
        return f"{self.agency}:{self.procedure}:{self.until.isoformat()}"

    @property
    def key(self) -> str:
        return f"evaluation:{self.agency}"


class Question(Item):
    """Câu hỏi, phản ánh kiến nghị that a portal passes on to an agency."""

    kind: ClassVar[ItemKind] = "question"
    id: RequiredCode  # the portal's number
    agency: AgencyCode  # that is asked
    title: Text500 = ""
    content: Required4000
    asked_at: Moment
    asker: Text200 = ""
    email: Text200 = ""
    phone: Text200 = ""
    procedure: Code = ""

    @property
    def identity(self) -> str:
        return self.id

    @property
    def key(self) -> str:
        return f"question:{self.id}"

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.agency,)


class Answer(Item):
    """Trả lời of an agency: to a portal's question, or with its own question, to be published."""

    kind: ClassVar[ItemKind] = "answer"
    question: RequiredCode  # its number
    id: Code = "1"  # a corrected answer has another
    agency: AgencyCode  # that answers
    agency_name: Required500
    asked: Text4000 = ""  # the question itself, where the portal does not have it
    content: Required4000
    answered_at: Moment
    by: Text200 = ""
    to: AgencyCode | None = None  # the portal; none: those who subscribe

    @property
    def told_by(self) -> str:
        return self.agency

    @property
    def identity(self) -> str:
        return f"{self.question}:{self.id}"

    @property
    def key(self) -> str:
        return f"question:{self.question}"

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.to,) if self.to else ()


class Statistics(Item):
    """Thống kê: what became of an agency's dossiers in a month, up to a day."""

    kind: ClassVar[ItemKind] = "statistics"
    agency: AgencyCode
    agency_name: Required500
    month: Month
    until: date  # last day that is counted
    figures: dict[Code, Annotated[int, Field(ge=0)]]  # names as in the API's figures

    @property
    def told_by(self) -> str:
        return self.agency

    @property
    def identity(self) -> str:
        return f"{self.agency}:{self.until.isoformat()}"

    @property
    def key(self) -> str:
        return f"statistics:{self.agency}"


class PostalParty(Part):
    """Who gives a letter to the post, or gets it."""

    name: Annotated[Text200, StringConstraints(min_length=1)]
    address: Required500
    phone: Annotated[Text200, StringConstraints(min_length=1)]
    email: Text200 = ""
    province: RequiredCode  # the state's code; the post gets its own
    district: Code = ""


class PostalAction(IntEnum):
    CREATE = 1
    CANCEL = 2


class PostalOrder(Item):
    """Đơn bưu chính công ích: a result is fetched from the counter and brought home."""

    kind: ClassVar[ItemKind] = "postal-order"
    action: PostalAction = PostalAction.CREATE
    id: Code = "1"  # ordered anew after a cancellation: another
    code: DossierCode  # the order's number at the post as well
    sender: PostalParty | None = None  # both of an order, neither of its cancellation
    receiver: PostalParty | None = None
    collect: int = Field(0, ge=0, le=10**12, description="đồng to be collected (CODAmount)")
    papers: Text2000 = ""  # thành phần hồ sơ
    note: Text2000 = ""
    to: AgencyCode | None = None  # the post; none: those who subscribe

    @model_validator(mode="after")
    def _complete(self) -> Self:
        both = self.sender is not None and self.receiver is not None
        if self.action is PostalAction.CREATE and not both:
            msg = "an order needs sender and receiver"
            raise ValueError(msg)
        return self

    @property
    def identity(self) -> str:
        return f"{self.code}:{self.action:d}:{self.id}"

    @property
    def key(self) -> str:
        return self.code

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.to,) if self.to else ()


ITEMS: dict[ItemKind, type[Item]] = {
    each.kind: each
    for each in (Submission, Rating, Evaluation, Question, Answer, Statistics, PostalOrder)
}
