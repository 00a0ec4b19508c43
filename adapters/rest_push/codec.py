"""Signing of requests and reading of answers; no I/O.

The signature covers the digest of the body instead of the body, so that a receiver checks it before
the first byte and computes the digest while the body streams past.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import orjson

from adapters.http import Answer, retry_after
from schemas.adapter import OutboundDelivery, Outcome, Result
from schemas.errors import (
    ConfigurationError,
    PartnerGarbage,
    PartnerRefused,
    PartnerTimeout,
    PartnerUnavailable,
)

VERSION = "v1"
MESSAGE_ID = "LGSP-Message-Id"
DELIVERY_ID = "LGSP-Delivery-Id"
ATTEMPT = "LGSP-Attempt"
SENDER = "LGSP-Sender"
RECEIVERS = "LGSP-Receivers"
KIND = "LGSP-Kind"
DIGEST = "LGSP-Content-SHA256"
TIMESTAMP = "LGSP-Timestamp"
SIGNATURE = "LGSP-Signature"

SIGNED = (TIMESTAMP, MESSAGE_ID, SENDER, RECEIVERS, KIND, DIGEST)
"""Headers under the signature, in the order of the signed text; an absent one counts as empty."""

TIMESTAMP_WINDOW = 300
"""Seconds that a receiver should let the timestamp differ from its own clock."""

REFUSALS = frozenset({400, 410, 413, 415, 422})
"""The partner says no to this message, finally."""

PAUSES = frozenset({408, 425, 429, 503})
"""The partner cannot take it now; not processed."""


def signed_text(method: str, headers: Mapping[str, str]) -> bytes:
    """What is signed: version, method and the `SIGNED` headers, joined by line feeds, UTF-8."""
    lines = [VERSION, method, *(headers.get(name, "") for name in SIGNED)]
    return "\n".join(lines).encode()


def signature(method: str, headers: Mapping[str, str], secrets: Iterable[bytes]) -> str:
    """Value of `LGSP-Signature`: one `v1=<hex HMAC-SHA256>` for each secret, newest first."""
    text = signed_text(method, headers)
    return ", ".join(f"{VERSION}={hmac.digest(key, text, 'sha256').hex()}" for key in secrets)


def verify(method: str, headers: Mapping[str, str], secrets: Iterable[bytes], now: float) -> bool:
    """What a receiver does: timestamp within the window, one signature by one of its secrets.

    `now` in seconds since 1970.  The digest of the body is compared by the caller, at its end.
    """
    stamp = headers.get(TIMESTAMP, "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(now - int(stamp)) > TIMESTAMP_WINDOW:
        return False
    text = signed_text(method, headers)
    given = [each.strip() for each in headers.get(SIGNATURE, "").split(",")]
    expected = [f"{VERSION}={hmac.digest(key, text, 'sha256').hex()}" for key in secrets]
    return any(
        hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected
    )


def request_headers(
    delivery: OutboundDelivery, secrets: Iterable[bytes], now: int
) -> dict[str, str]:
    """Headers of the POST. `now` in whole seconds since 1970."""
    headers = {
        "Content-Type": delivery.media_type,
        MESSAGE_ID: delivery.message_id,
        DELIVERY_ID: str(delivery.id),
        ATTEMPT: str(delivery.attempt),
        SENDER: delivery.sender,
        RECEIVERS: ",".join(delivery.receivers),
        KIND: delivery.kind,
        DIGEST: delivery.sha256,
        TIMESTAMP: str(now),
    }
    if delivery.trace:
        headers["traceparent"] = delivery.trace
    headers[SIGNATURE] = signature("POST", headers, secrets)
    return headers


def lookup_headers(
    delivery: OutboundDelivery, secrets: Iterable[bytes], now: int
) -> dict[str, str]:
    """Headers of the look-up GET: only the message is named."""
    headers = {MESSAGE_ID: delivery.message_id, TIMESTAMP: str(now)}
    if delivery.trace:
        headers["traceparent"] = delivery.trace
    headers[SIGNATURE] = signature("GET", headers, secrets)
    return headers


class Ack(NamedTuple):
    """The receiver's word that it has the message."""

    receipt: str
    sha256: str  # empty when the receiver does not say


def parse_ack(body: bytes, message_id: str) -> Ack | None:
    """The ack in an answer, or None when it is none, or is about another message."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict) or fields.get("messageId") != message_id:
        return None
    receipt, sha256 = fields.get("receipt"), fields.get("sha256", "")
    if not isinstance(receipt, str) or not receipt or not isinstance(sha256, str):
        return None
    return Ack(receipt[:200], sha256.lower())


def delivery_outcome(answer: Answer, delivery: OutboundDelivery) -> Outcome:
    """What the answer to the POST means (table in README.md)."""
    status = answer.status
    if 200 <= status < 300 or status == HTTPStatus.CONFLICT:
        return _acknowledged(answer, delivery)
    if status in REFUSALS:
        detail = f"The partner refused the message (HTTP {status})."
        return Outcome(Result.REJECTED, "", PartnerRefused.code, detail, answer.text)
    if status in PAUSES:
        detail = f"The partner cannot take the message now (HTTP {status})."
        pause = retry_after(answer.headers)
        return Outcome(
            Result.TRANSIENT, "", PartnerUnavailable.code, detail, answer.text, retry_after=pause
        )
    if 300 <= status < 500 and status != HTTPStatus.SEE_OTHER:
        detail = f"The endpoint does not accept the bus's request (HTTP {status})."
        return Outcome(Result.TRANSIENT, "", ConfigurationError.code, detail, answer.text)
    code = PartnerTimeout.code if status == HTTPStatus.GATEWAY_TIMEOUT else PartnerGarbage.code
    detail = f"The partner's system failed (HTTP {status}); it may have processed the message."
    return Outcome(Result.UNKNOWN, "", code, detail, answer.text)


def lookup_outcome(answer: Answer, delivery: OutboundDelivery) -> Outcome | None:
    """What the answer to the look-up means; None: the partner does not have it, send it."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status == HTTPStatus.OK:
        return _acknowledged(answer, delivery)
    detail = f"The look-up was not answered (HTTP {answer.status}); nothing was sent."
    return Outcome(
        Result.UNKNOWN,
        code=PartnerUnavailable.code,
        detail=detail,
        answer=answer.text,
        retry_after=retry_after(answer.headers),
    )


def _acknowledged(answer: Answer, delivery: OutboundDelivery) -> Outcome:
    ack = parse_ack(answer.body, delivery.message_id)
    if ack is None or (answer.status == HTTPStatus.CONFLICT and not ack.sha256):
        detail = f"The answer (HTTP {answer.status}) is not an ack of this message."
        return Outcome(Result.UNKNOWN, "", PartnerGarbage.code, detail, answer.text)
    if ack.sha256 and ack.sha256 != delivery.sha256:
        detail = "The partner holds other content under the same message id."
        return Outcome(Result.REJECTED, ack.receipt, PartnerRefused.code, detail, answer.text)
    return Outcome(Result.DELIVERED, partner_ref=ack.receipt, answer=answer.text)
