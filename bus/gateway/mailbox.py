"""Hộp thư: what waits for the caller's agencies; fetched, then acknowledged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from bus.gateway import describe
from bus.gateway.models import AckAnswer, AckRequest, MailboxItem, MailboxPage
from bus.gateway.pages import Limit, TextCursor, next_cursor, number_cursor
from bus.gateway.services import Entered
from schemas.adapter import MessageKind
from schemas.door import Waiting
from schemas.instant import to_iso

router = APIRouter(prefix="/api/v1/mailbox", tags=["mailbox"])

DeliveryId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", **describe.LIST_MAILBOX)
async def list_mailbox(
    door: Entered,
    agency: Annotated[str | None, Query(max_length=35, description="mã cơ quan / its code")] = None,
    kind: MessageKind | None = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> MailboxPage:
    found = await door.waiting(kind=kind, agency=agency, after=number_cursor(cursor), limit=limit)
    return MailboxPage(
        items=[_item(each) for each in found],
        next=next_cursor(found, limit, lambda each: str(each.delivery_id)),
    )


@router.head("/{delivery_id}/content", include_in_schema=False)
@router.get("/{delivery_id}/content", **describe.FETCH)
async def fetch(
    request: Request,
    door: Entered,
    delivery_id: DeliveryId,
    form: Literal["original", "canonical"] = "original",
) -> Response:
    """`form` canonical: the JSON of schemas.dossier or schemas.flows, whatever its sender wrote."""
    if form == "canonical":
        told = await door.canonical(delivery_id)
        return Response(told, headers=_PRIVATE, media_type="application/json")
    if request.method == "HEAD":
        mail = await door.look(delivery_id)
        return Response(headers=_headers(mail), media_type=mail.media_type)
    stack = AsyncExitStack()
    mail, original = await stack.enter_async_context(door.fetch(delivery_id))
    return StreamingResponse(
        _closing(original, stack), headers=_headers(mail), media_type=mail.media_type
    )


@router.post("/{delivery_id}/ack", **describe.ACKNOWLEDGE)
async def acknowledge(door: Entered, delivery_id: DeliveryId, ack: AckRequest) -> AckAnswer:
    state = await door.acknowledge(
        delivery_id,
        accepted=ack.result == "delivered",
        receipt=ack.receipt,
        reason=ack.reason,
    )
    return AckAnswer(delivery_id=delivery_id, state=state)


def _item(waiting: Waiting) -> MailboxItem:
    return MailboxItem(
        delivery_id=waiting.delivery_id,
        message_id=waiting.message_id,
        kind=waiting.kind,
        sender=waiting.sender,
        receiver=waiting.receiver,
        size=waiting.size,
        sha256=waiting.sha256,
        accepted_at=to_iso(waiting.accepted_at) or "",
        lane=waiting.lane,
        subject=waiting.subject,
        document_id=waiting.document_id,
        document_code=waiting.document_code,
    )


_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


def _headers(mail: Waiting) -> dict[str, str]:
    """The digest as an entity tag and as RFC 9530 has it."""
    encoded = base64.b64encode(bytes.fromhex(mail.sha256)).decode()
    return {
        "Content-Length": str(mail.size),
        "ETag": f'"{mail.sha256}"',
        "Repr-Digest": f"sha-256=:{encoded}:",
        "Content-Disposition": f'attachment; filename="{mail.message_id}.edxml"',
        **_PRIVATE,
    }


async def _closing(pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in pieces:
            yield piece
