"""Operations of the national document axis, their replies and errors; pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

import orjson

from adapters.http import Answer, retry_after
from adapters.vxp.signing import sign, timestamp
from schemas.adapter import Outcome, Result
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)

SERVICE = "eDoc"
JSON = "application/json"
OCTETS = "application/octet-stream"
MESSAGE_ID = "LGSP-Message-Id"
"""The bus's own id of the message, unsigned and unknown to the axis: for whoever reads its logs."""


class MessageType(StrEnum):
    """The only two kinds of packet that travel; recalls and updates are `edoc`."""

    EDOC = "edoc"
    STATUS = "status"


class Transport(StrEnum):
    """Trạng thái vận chuyển: what /updateStatus takes. Not the business status (01…16)."""

    INITIAL = "initial"
    PROCESSING = "processing"
    DONE = "done"
    FAIL = "fail"


class AxisError(NamedTuple):
    """One ErrorCode of the technical guide, and what the bus makes of it."""

    vi: str  # ErrorDesc
    en: str
    result: Result
    code: str  # schemas.errors


_REFUSED = PartnerRefused.code
SUCCESS = "0"
BAD_FILE, BAD_CREDENTIALS, NO_RECEIVER, NO_SENDER = "10", "15", "18", "19"
SYSTEM_ERROR, FILE_ERROR, BAD_FORMAT, LOCKED = "20", "21", "22", "23"

ERRORS: Mapping[str, AxisError] = MappingProxyType(
    {
        BAD_FILE: AxisError("File không hợp lệ", "invalid file", Result.REJECTED, _REFUSED),
        BAD_CREDENTIALS: AxisError(
            "Sai SystemId hoặc SecretKey",
            "wrong systemid or secret: the administrator corrects the endpoint",
            Result.TRANSIENT,
            ConfigurationError.code,
        ),
        NO_RECEIVER: AxisError(
            "Đơn vị nhận không tồn tại", "no such receiver", Result.REJECTED, _REFUSED
        ),
        NO_SENDER: AxisError(
            "Đơn vị gửi không đăng ký",
            "the sender is not registered: the administrator registers it, then it is sent anew",
            Result.REJECTED,
            _REFUSED,
        ),
        SYSTEM_ERROR: AxisError(
            "Lỗi hệ thống LGSP", "error of the axis", Result.UNKNOWN, PartnerGarbage.code
        ),
        FILE_ERROR: AxisError(
            "Lỗi xử lý file",
            "the axis could not process the file",
            Result.UNKNOWN,
            PartnerGarbage.code,
        ),
        BAD_FORMAT: AxisError(
            "Format edXML không đúng chuẩn QĐ 28", "not edXML", Result.REJECTED, _REFUSED
        ),
        LOCKED: AxisError(
            "Đơn vị nhận đã khóa", "the receiver is locked", Result.REJECTED, _REFUSED
        ),
    }
)
"""ErrorCode of the technical guide v2.2, as the provincial gateways give it."""

WRONG_SENDER = "khong dung voi ma da dang ky"
"""In the ErrorDesc by which the axis refuses a sender that is not the system's own."""

_PAUSES = frozenset({408, 425, 429, 503})


class Reply(NamedTuple):
    """`{"status":…,"ErrorCode":…,"ErrorDesc":…}` and what else the operation gives."""

    ok: bool
    code: str
    desc: str
    fields: Mapping[str, object]


def request_headers(
    fields: Mapping[str, str], *, system: str, secret: bytes, now: datetime, content: str = JSON
) -> dict[str, str]:
    """Headers of one call: `systemid`, the operation's own, `timestamp`, `Content-Type`, signed."""
    signed = {"systemid": system, **fields, "timestamp": timestamp(now), "Content-Type": content}
    return {**sign(signed, secret), "Content-Type": content}


def reply(fields: Mapping[str, object] | None = None) -> bytes:
    """A good answer."""
    good = {"status": "OK", "ErrorCode": SUCCESS, "ErrorDesc": "Thanh cong"}
    return orjson.dumps(good | dict(fields or {}))


def refusal(code: str, desc: str = "") -> bytes:
    """A bad answer; `desc` says more than the text of the code."""
    known = ERRORS.get(code)
    text = desc or (known.vi if known else "")
    return orjson.dumps({"status": "FAIL", "ErrorCode": code, "ErrorDesc": text})


def parse_reply(body: bytes) -> Reply | None:
    """None when it is not an answer of this protocol."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("status"), str):
        return None
    code = str(fields.get("ErrorCode", ""))
    ok = fields["status"].upper() == "OK" and code in {"", SUCCESS}
    return Reply(ok, code, str(fields.get("ErrorDesc") or ""), fields)


def doc_id(fields: Mapping[str, object]) -> str:
    """The axis's id of a packet, an opaque text; empty when there is none."""
    for name in ("DocId", "docId", "docid"):
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value[:200]
    return ""


def send_outcome(answer: Answer) -> Outcome:
    """What the answer to /sendEdoc means (table in README.md)."""
    found = parse_reply(answer.body)
    if answer.status != HTTPStatus.OK and (found is None or found.ok):
        return _http_outcome(answer)
    if found is None:
        return _unknown("The answer is not one of the document axis.", answer)
    if not found.ok:
        return _refused(found, answer)
    ref = doc_id(found.fields)
    if not ref:
        return _unknown("The axis says OK but gives no DocId.", answer)
    return Outcome(Result.DELIVERED, partner_ref=ref, answer=answer.text)


def _refused(found: Reply, answer: Answer) -> Outcome:
    known = ERRORS.get(found.code)
    if WRONG_SENDER in found.desc:
        known = ERRORS[NO_SENDER]
    if known is None:
        return _unknown(f"The axis refused with an unknown code ({found.code[:20]}).", answer)
    detail = f"The axis answered {found.code[:20]}: {known.en}."
    return Outcome(known.result, "", known.code, detail, answer.text)


def _http_outcome(answer: Answer) -> Outcome:
    status = answer.status
    if status in _PAUSES:
        detail = f"The axis cannot take the packet now (HTTP {status})."
        pause = retry_after(answer.headers)
        return Outcome(
            Result.TRANSIENT, "", PartnerUnavailable.code, detail, answer.text, retry_after=pause
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = "The packet is larger than the axis takes (HTTP 413)."
        return Outcome(Result.REJECTED, "", PartnerRefused.code, detail, answer.text)
    if 300 <= status < 500:
        detail = f"The axis does not accept the bus's request (HTTP {status})."
        return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail, answer.text)
    detail = f"The axis failed (HTTP {status}); it may have taken the packet."
    code = PartnerTimeout.code if status == HTTPStatus.GATEWAY_TIMEOUT else PartnerGarbage.code
    return Outcome(Result.UNKNOWN, "", code, detail, answer.text)


def _unknown(detail: str, answer: Answer) -> Outcome:
    return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, answer.text)
