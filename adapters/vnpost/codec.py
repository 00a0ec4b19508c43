"""Orders and answers of the post on the wire; pure, no I/O.

The fields of an order are public, the operations' names too; the envelope of answers and the
fields of tracking are assumed: `{"code": "00", "message": …, "content": …}`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from adapters.http import Answer, retry_after
from schemas.adapter import Outcome, Result
from schemas.dossier import Form
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerRefused,
    PartnerUnavailable,
)
from schemas.flows import PostalOrder, PostalParty
from schemas.inquiries import PostalEvent

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GRANT = b"grant_type=client_credentials"


def basic(key: str, secret: bytes) -> str:
    return "Basic " + base64.b64encode(key.encode() + b":" + secret).decode()


def write_order(order: PostalOrder, customer: str) -> dict[str, Any]:
    """Codes of provinces and districts are numbers of the post; what is not there is left out."""
    assert order.sender is not None  # noqa: S101 - the model requires both of an order
    assert order.receiver is not None  # noqa: S101
    return {
        "CustomerCode": customer,
        "OrderNumber": order.code,
        "CODAmount": order.collect,
        **_party("Sender", order.sender),
        **_party("Receiver", order.receiver),
        "SenderDesc": order.papers,
        "Description": order.note,
    }


def _party(prefix: str, party: PostalParty) -> dict[str, Any]:
    written = {
        f"{prefix}Name": party.name,
        f"{prefix}Address": party.address,
        f"{prefix}Tel": party.phone,
        f"{prefix}Email": party.email,
        f"{prefix}Province": int(party.province),
    }
    return written | ({f"{prefix}District": int(party.district)} if party.district else {})


def unnumbered(order: PostalOrder) -> str | None:
    """The field whose mapped code is no number of the post; None: all are."""
    for prefix, party in (("sender", order.sender), ("receiver", order.receiver)):
        for name in ("province", "district"):
            code = getattr(party, name, "")
            if code and not (code.isascii() and code.isdecimal()):
                return f"{prefix}.{name}"
    return None


def write_cancellation(order: PostalOrder, customer: str) -> dict[str, Any]:
    return {"CustomerCode": customer, "OrderNumber": order.code}


class Reply(NamedTuple):
    code: str  # "" when it is no answer of the post
    message: str
    content: Any


def read_reply(answer: Answer) -> Reply:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, Mapping) or "code" not in found:
        return Reply("", "", None)
    return Reply(str(found["code"]), str(found.get("message", "")), found.get("content"))


_KNOWN = re.compile(r"đã tồn tại|đã hủy", re.IGNORECASE)
_FINAL = re.compile(r"không hợp lệ|bắt buộc|không tồn tại|không thể hủy", re.IGNORECASE)


def judge(answer: Answer, number: str) -> Outcome:
    """What the answer to an order or a cancellation says; one that is known is done."""
    if answer.status in {408, 425, 429, 503}:
        detail = f"The post cannot take it now (HTTP {answer.status})."
        pause = retry_after(answer.headers)
        return Outcome(Result.TRANSIENT, "", PartnerUnavailable.code, detail, retry_after=pause)
    if answer.status in {401, 403}:
        detail = "The platform refuses the bus's key: the administrator corrects it."
        return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail)
    reply = read_reply(answer)
    told = f"{reply.code}: {reply.message}"[:2000] if reply.code else ""
    if answer.status == 200 and (reply.code in {"0", "00"} or _KNOWN.search(reply.message)):
        return Outcome(Result.DELIVERED, number, answer=told)
    if reply.code and _FINAL.search(reply.message):
        detail = "The post refused the order; its answer says why."
        return Outcome(Result.REJECTED, "", PartnerRefused.code, detail, told)
    said = f"code {reply.code}" if reply.code else "no answer of its protocol"
    detail = f"The post gave {said} (HTTP {answer.status})."
    return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, told)


def read_tracking(content: Any) -> tuple[PostalEvent, ...]:
    """Raises PartnerGarbage. Nothing for an order that the post does not have."""
    rows = content if isinstance(content, list) else []
    try:
        return tuple(
            PostalEvent(
                status=str(row["StatusCode"]),
                title=str(row.get("StatusName", "")),
                at=Form.DAY_FIRST.read(str(row["Time"])),
                place=str(row.get("Location", "")),
            )
            for row in rows
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PartnerGarbage(
            "the tracking of the post cannot be read",
            vi="Bưu chính trả lời tra cứu không đúng giao thức",
        ) from None
