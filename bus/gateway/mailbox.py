"""Hộp thư: what waits for the caller's agencies; fetched, then acknowledged."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from bus.gateway import describe
from bus.gateway.models import AckAnswer, AckRequest, MailboxItem, MailboxPage
from bus.gateway.pages import Limit, TextCursor, next_cursor, number_cursor
from bus.gateway.services import Admitted, Using
from bus.ledger.ledger import Ledger
from bus.ledger.records import DeliveryRow, MessageRow
from schemas.delivery import DeliveryState
from schemas.instant import to_iso

router = APIRouter(prefix="/api/v1/mailbox", tags=["mailbox"])

DeliveryId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", **describe.LIST_MAILBOX)
async def list_mailbox(
    services: Using,
    caller: Admitted,
    agency: Annotated[str | None, Query(max_length=35, description="mã cơ quan / its code")] = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> MailboxPage:
    caller.require_agency_role()
    agencies = caller.reach if agency is None else {caller.own_agency(agency)}
    ledger = services.deps.ledger
    rows = await ledger.queries.mailbox(agencies, after=number_cursor(cursor), limit=limit)
    items = [
        _item(delivery, message, await _subject(ledger, message)) for delivery, message in rows
    ]
    return MailboxPage(items=items, next=next_cursor(rows, limit, lambda row: str(row[0].id)))


@router.head("/{delivery_id}/content", include_in_schema=False)
@router.get("/{delivery_id}/content", **describe.FETCH)
async def fetch(
    request: Request, services: Using, caller: Admitted, delivery_id: DeliveryId
) -> Response:
    ledger = services.deps.ledger
    delivery = caller.received(await ledger.queries.delivery(delivery_id))
    message = await ledger.queries.message(delivery.message_id)
    assert message is not None, "a delivery never outlives its message"  # noqa: S101
    if request.method == "HEAD":
        return Response(headers=_headers(message), media_type=message.media_type)
    stack = AsyncExitStack()
    original = await stack.enter_async_context(ledger.original(message.id))
    try:
        await ledger.note(
            "fetched",
            actor=caller.actor,
            data={"receivers": " ".join(delivery.receivers)},
            message_id=message.id,
            delivery_id=delivery.id,
        )
    except BaseException:
        await stack.aclose()
        raise
    content = _closing(original, stack)
    return StreamingResponse(content, headers=_headers(message), media_type=message.media_type)


@router.post("/{delivery_id}/ack", **describe.ACKNOWLEDGE)
async def acknowledge(
    services: Using, caller: Admitted, delivery_id: DeliveryId, ack: AckRequest
) -> AckAnswer:
    ledger = services.deps.ledger
    caller.received(await ledger.queries.delivery(delivery_id))
    state = await ledger.acknowledge(
        delivery_id,
        state=DeliveryState(ack.result),
        partner_ref=ack.receipt,
        detail=ack.reason,
        actor=caller.actor,
    )
    return AckAnswer(delivery_id=delivery_id, state=state)


def _item(delivery: DeliveryRow, message: MessageRow, subject: str) -> MailboxItem:
    return MailboxItem(
        delivery_id=delivery.id,
        message_id=message.id,
        kind=message.kind,
        sender=message.sender,
        receiver=delivery.receivers[0],
        size=message.size,
        sha256=message.sha256,
        accepted_at=to_iso(message.accepted_at) or "",
        lane=delivery.lane,
        subject=subject,
        document_id=message.document_id,
        document_code=message.document_code,
    )


async def _subject(ledger: Ledger, message: MessageRow) -> str:
    canonical = await ledger.queries.canonical(message.id)
    return str(orjson.loads(canonical)["body"].get("subject", "")) if canonical else ""


def _headers(message: MessageRow) -> dict[str, str]:
    """The digest as an entity tag and as RFC 9530 has it."""
    encoded = base64.b64encode(bytes.fromhex(message.sha256)).decode()
    return {
        "Content-Length": str(message.size),
        "ETag": f'"{message.sha256}"',
        "Repr-Digest": f"sha-256=:{encoded}:",
        "Content-Disposition": f'attachment; filename="{message.id}.edxml"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }


async def _closing(pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in pieces:
            yield piece
