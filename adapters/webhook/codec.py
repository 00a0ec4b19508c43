"""Events and their signatures, and what answers mean; no I/O.

Headers and signature are those of Standard Webhooks (standardwebhooks.com, spec 1.0), so that a
portal may verify them with a ready library of its own language.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from adapters.http import Answer, retry_after
from adapters.webhook.config import WebhookConfig
from schemas.adapter import OutboundDelivery, Outcome, Result
from schemas.dossier.progress import Kind, progress
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)

JSON = "application/json"
ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

WINDOW = 300
"""Seconds that a receiver should let the timestamp differ from its own clock."""

REFUSALS = frozenset({413, 415, 422})
"""The portal says no to this event, finally."""

PAUSES = frozenset({408, 425, 429, 502, 503})
"""The portal cannot take it now; not processed."""


def event(delivery: OutboundDelivery, kind: Kind, content: bytes, config: WebhookConfig) -> bytes:
    """The body: what may be published of a canonical record or step."""
    item: dict[str, Any] = orjson.loads(content)
    fields = config.record_fields if kind == "dossier" else config.step_fields
    told = {
        "id": delivery.message_id,
        "kind": kind,
        "code": item["code"],
        "agency": delivery.sender,
        "data": progress(kind, item, fields),
    }
    return orjson.dumps(told)


def change(delivery: OutboundDelivery, content: bytes) -> bytes:
    """The body of a change of a register: the subscriber's own right says what is in it."""
    told = {
        "id": delivery.message_id,
        "kind": "change",
        "code": orjson.loads(content)["feed"],
        "agency": delivery.sender,
        "data": orjson.Fragment(content),
    }
    return orjson.dumps(told)


def signature(event_id: str, timestamp: str, body: bytes, secrets: Iterable[bytes]) -> str:
    """Value of `webhook-signature`: one `v1,<base64 HMAC-SHA256>` for each secret, newest first."""
    text = f"{event_id}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(key, text, "sha256")).decode() for key in secrets)
    return " ".join(f"v1,{each}" for each in made)


def request_headers(
    delivery: OutboundDelivery, body: bytes, secrets: Iterable[bytes], now: int
) -> dict[str, str]:
    """Headers of the POST. `now` in whole seconds since 1970."""
    headers = {
        "Content-Type": JSON,
        ID: delivery.message_id,
        TIMESTAMP: str(now),
        SIGNATURE: signature(delivery.message_id, str(now), body, secrets),
    }
    if delivery.trace:
        headers["traceparent"] = delivery.trace
    return headers


def verify(headers: Mapping[str, str], body: bytes, secrets: Iterable[bytes], now: float) -> bool:
    """What a receiver does: timestamp within the window, one signature by one of its secrets."""
    stamp = headers.get(TIMESTAMP, "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(now - int(stamp)) > WINDOW:
        return False
    given = headers.get(SIGNATURE, "").split(" ")
    expected = signature(headers.get(ID, ""), stamp, body, secrets).split(" ")
    return any(
        hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected
    )


def outcome(answer: Answer, event_id: str) -> Outcome:
    """What the answer means (table in README.md)."""
    status = answer.status
    if 200 <= status < 300 or status == HTTPStatus.CONFLICT:
        return _acknowledged(answer, event_id)
    if status in REFUSALS:
        detail = f"The portal refused the event (HTTP {status})."
        return Outcome(Result.REJECTED, "", PartnerRefused.code, detail, answer.text)
    if status in PAUSES:
        detail = f"The portal cannot take the event now (HTTP {status})."
        pause = retry_after(answer.headers)
        return Outcome(
            Result.TRANSIENT, "", PartnerUnavailable.code, detail, answer.text, retry_after=pause
        )
    if 300 <= status < 500:
        return Outcome(
            Result.TRANSIENT, "", ConfigurationError.code, _to_correct(status), answer.text
        )
    code = PartnerTimeout.code if status == HTTPStatus.GATEWAY_TIMEOUT else PartnerGarbage.code
    detail = f"The portal failed (HTTP {status}); it may have processed the event."
    return Outcome(Result.UNKNOWN, "", code, detail, answer.text)


def _to_correct(status: int) -> str:
    match status:
        case HTTPStatus.GONE:
            return (
                "The portal says that nobody listens there any more (HTTP 410): the administrator"
                " corrects the address, or takes the endpoint out of the subscriptions."
            )
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return (
                f"The portal does not accept the signature (HTTP {status}): both sides compare"
                " secret and clock."
            )
        case _:
            return f"The address does not take events (HTTP {status})."


def _acknowledged(answer: Answer, event_id: str) -> Outcome:
    """204 says enough; any other answer must name the event, or a web page would do."""
    if answer.status == HTTPStatus.NO_CONTENT:
        return Outcome(Result.DELIVERED, partner_ref=event_id)
    try:
        fields = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict) or fields.get("id") != event_id:
        detail = f"The answer (HTTP {answer.status}) does not name the event."
        return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, answer.text)
    receipt = fields.get("receipt")
    reference = receipt[:200] if isinstance(receipt, str) and receipt else event_id
    return Outcome(Result.DELIVERED, partner_ref=reference, answer=answer.text)
