"""Answers of the SOAP door: small ones as text, a packet as a stream."""

from __future__ import annotations

import binascii
import secrets
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response, StreamingResponse

from bus.gateway.soap.markup import tree
from bus.gateway.soap.request import XOP
from bus.gateway.soap.versions import CLOSING, Version
from schemas.door import Accepted, AgencyEntry, Waiting
from schemas.instant import to_iso
from schemas.soap import NAMESPACE

_ENVELOPE, _PACKET = "envelope@lgsp", "packet@lgsp"  # Content-IDs
_NO_STORE = {"Cache-Control": "no-store"}


def answer(version: Version, operation: str, members: Mapping[str, object]) -> Response:
    text = f"{version.opening()}{_opened(operation)}{tree(members)}{_closed(operation)}"
    media_type = f"{version.media_type}; charset=utf-8"
    return Response(text.encode(), headers=_NO_STORE | {"Content-Type": media_type})


def inline(version: Version, waiting: Waiting, pieces: AsyncIterator[bytes]) -> Response:
    """The packet as base64 inside the envelope."""
    operation = "FetchDocument"
    head = f"{version.opening()}{_opened(operation)}{tree({'delivery': delivery(waiting)})}<packet>"
    tail = f"</packet>{_closed(operation)}"
    size = len(head.encode()) + (waiting.size + 2) // 3 * 4 + len(tail.encode())
    headers = _NO_STORE | {
        "Content-Type": f"{version.media_type}; charset=utf-8",
        "Content-Length": str(size),
    }
    return StreamingResponse(_between(head, _base64(pieces), tail), headers=headers)


def attached(version: Version, waiting: Waiting, pieces: AsyncIterator[bytes]) -> Response:
    """The packet as a part of its own (MTOM, XOP §4)."""
    boundary = f"lgsp-{secrets.token_hex(16)}"
    operation = "FetchDocument"
    include = (
        '<packet><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include"'
        f' href="cid:{_PACKET}"/></packet>'
    )
    envelope = (
        f"{version.opening()}{_opened(operation)}{tree({'delivery': delivery(waiting)})}"
        f"{include}{_closed(operation)}"
    )
    head = (
        f"--{boundary}\r\n"
        f'Content-Type: {XOP}; charset=UTF-8; type="{version.media_type}"\r\n'
        f"Content-Transfer-Encoding: 8bit\r\nContent-ID: <{_ENVELOPE}>\r\n\r\n{envelope}\r\n"
        f"--{boundary}\r\nContent-Type: {waiting.media_type}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{_PACKET}>\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    headers = _NO_STORE | {
        "Content-Type": (
            f'multipart/related; type="{XOP}"; boundary="{boundary}"; '
            f'start="<{_ENVELOPE}>"; start-info="{version.media_type}"'
        ),
        "Content-Length": str(len(head.encode()) + waiting.size + len(tail.encode())),
        "MIME-Version": "1.0",
    }
    return StreamingResponse(_between(head, pieces, tail), headers=headers)


def receipt(accepted: Accepted) -> dict[str, object]:
    return {
        "messageId": accepted.message_id,
        "messageRef": accepted.message_ref,
        "sender": accepted.sender,
        "sha256": accepted.sha256,
        "acceptedAt": to_iso(accepted.accepted_at),
        "duplicate": accepted.duplicate,
        "receiver": [
            {
                "code": each.code,
                "agency": each.agency,
                "name": each.name,
                "outcome": each.outcome,
                "endpoint": each.endpoint,
            }
            for each in accepted.receivers
        ],
    }


def delivery(waiting: Waiting) -> dict[str, object]:
    return {
        "deliveryId": waiting.delivery_id,
        "messageId": waiting.message_id,
        "kind": waiting.kind,
        "sender": waiting.sender,
        "receiver": waiting.receiver,
        "size": waiting.size,
        "sha256": waiting.sha256,
        "mediaType": waiting.media_type,
        "acceptedAt": to_iso(waiting.accepted_at),
        "lane": waiting.lane.value,
        "subject": waiting.subject,
        "documentId": waiting.document_id,
        "documentCode": waiting.document_code,
    }


def agency(entry: AgencyEntry) -> dict[str, object]:
    return {
        "code": entry.code,
        "name": entry.name,
        "parent": entry.parent,
        "alias": entry.aliases,
        "inForce": entry.in_force,
        "connected": entry.connected,
    }


def _opened(operation: str) -> str:
    return f'<{operation}Response xmlns="{NAMESPACE}">'


def _closed(operation: str) -> str:
    return f"</{operation}Response>{CLOSING}"


async def _between(head: str, pieces: AsyncIterator[bytes], tail: str) -> AsyncIterator[bytes]:
    yield head.encode()
    async for piece in pieces:
        yield piece
    yield tail.encode()


async def _base64(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    carry = b""
    async for piece in pieces:
        data = carry + piece
        whole = len(data) - len(data) % 3
        carry = data[whole:]
        if whole:
            yield binascii.b2a_base64(data[:whole], newline=False)
    if carry:
        yield binascii.b2a_base64(carry, newline=False)
