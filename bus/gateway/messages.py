"""Following one's messages, and withdrawing what has not left."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query

from bus.gateway import describe
from bus.gateway.models import (
    CancelAnswer,
    CancelRequest,
    DeliveryAnswer,
    MessageAnswer,
    MessagePage,
    MessageSummary,
    ReceiverAnswer,
)
from bus.gateway.pages import Limit, Since, TextCursor, instant_of, next_cursor
from bus.gateway.services import Entered, Using
from bus.ledger.records import DeliveryRow, MessageRow
from bus.ops.tracing import trace_id
from bus.ops.wording import STATES
from schemas.adapter import MessageKind
from schemas.delivery import CANCELLABLE, DeliveryState
from schemas.errors import Conflict
from schemas.instant import to_iso

router = APIRouter(prefix="/api/v1/messages", tags=["messages"])

MessageId = Annotated[str, Path(max_length=64)]


@router.get("", **describe.LIST_MESSAGES)
async def list_messages(
    services: Using,
    door: Entered,
    *,
    document_id: Annotated[str | None, Query(alias="documentId", max_length=200)] = None,
    kind: MessageKind | None = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> MessagePage:
    rows = await services.deps.ledger.queries.messages(
        agencies=None if door.caller.is_operator else door.caller.reach,
        document_id=document_id,
        kind=kind,
        since=instant_of(since),
        after=cursor,
        limit=limit,
    )
    items = [MessageSummary(**_summary(row)) for row in rows]
    return MessagePage(items=items, next=next_cursor(rows, limit, lambda row: row.id))


@router.get("/{message_id}", **describe.SHOW_MESSAGE)
async def show_message(services: Using, door: Entered, message_id: MessageId) -> MessageAnswer:
    queries = services.deps.ledger.queries
    message = door.caller.visible(await queries.message(message_id))
    deliveries = await queries.deliveries_of(message.id)
    canonical = orjson.loads(await queries.canonical(message.id) or b"{}")
    decision = orjson.loads(await queries.decision(message.id) or b"{}")
    return MessageAnswer(
        **_summary(message),
        correlation_id=trace_id(message.trace),
        subject=canonical.get("body", {}).get("subject", ""),
        warnings=canonical.get("warnings", []),
        deliveries=[_delivery(row) for row in deliveries],
        decision=[_receiver(each) for each in decision.get("receivers", [])],
    )


@router.post("/{message_id}/cancel", **describe.CANCEL)
async def cancel(
    services: Using, door: Entered, message_id: MessageId, request: CancelRequest
) -> CancelAnswer:
    """Withdraws every delivery that has not left; repeating it changes nothing."""
    ledger = services.deps.ledger
    message = door.caller.sent_by_itself(await ledger.queries.message(message_id))
    before = await ledger.queries.deliveries_of(message.id)
    ids = [row.id for row in before if row.state in CANCELLABLE]
    if ids:
        reason = request.reason or "withdrawn by the sender"
        await ledger.cancel(ids, actor=door.caller.actor, reason=reason)
    rows = await ledger.queries.deliveries_of(message.id)
    cancelled = [row.id for row in rows if row.state is DeliveryState.CANCELLED]
    if not cancelled:
        raise _all_left(rows)
    return CancelAnswer(
        message_id=message.id,
        cancelled=cancelled,
        not_cancelled=[_delivery(row) for row in rows if row.id not in cancelled],
    )


def _all_left(rows: list[DeliveryRow]) -> Conflict:
    states = ", ".join(sorted({row.state.value for row in rows}))
    return Conflict(
        f"nothing can be withdrawn any more: {states}",
        vi=f"Không còn gì để thu lại: {states}",
        states=states,
    )


def _summary(row: MessageRow) -> dict[str, Any]:
    return {
        "message_id": row.id,
        "message_ref": row.sender_ref,
        "kind": row.kind,
        "sender": row.sender,
        "receivers": list(row.receivers),
        "document_id": row.document_id,
        "document_code": row.document_code,
        "lane": row.lane,
        "accepted_at": to_iso(row.accepted_at),
        "expires_at": to_iso(row.expires_at),
        "size": row.size,
        "sha256": row.sha256,
    }


def _delivery(row: DeliveryRow) -> DeliveryAnswer:
    words = STATES[row.state]
    waits = row.state is DeliveryState.WAITING
    return DeliveryAnswer(
        delivery_id=row.id,
        endpoint=row.endpoint,
        receivers=list(row.receivers),
        state=row.state,
        state_vi=words.vi,
        state_en=words.en,
        reason=row.detail or "",
        code=row.code or "",
        attempts=row.attempts,
        next_attempt_at=to_iso(row.next_attempt_at) if waits else None,
        partner_ref=row.partner_ref or "",
        created_at=to_iso(row.created_at) or "",
        finished_at=to_iso(row.finished_at),
    )


def _receiver(decided: dict[str, Any]) -> ReceiverAnswer:
    steps = decided["steps"]
    return ReceiverAnswer(
        code=decided["addressed"],
        agency=decided["agency"],
        name=decided["name"],
        outcome=decided["outcome"],
        endpoint=decided["endpoint"],
        steps_vi=[vi for vi, _ in steps],
        steps_en=[en for _, en in steps],
    )
