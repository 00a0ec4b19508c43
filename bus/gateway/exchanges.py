"""Documents followed at their receivers, the tasks among them, and the figures of a period."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from bus.gateway import describe
from bus.gateway.access import Caller
from bus.gateway.models import (
    ExchangeAnswer,
    ExchangeEvent,
    ExchangeItem,
    ExchangePage,
    ReportAnswer,
    TaskFigures,
)
from bus.gateway.pages import Limit, TextCursor, next_cursor
from bus.gateway.services import Entered, Using
from bus.ledger.exchange_queries import ExchangeRow, TaskState
from bus.ops import reports
from schemas.errors import InvalidRequest, NotFound
from schemas.exchange import ExchangeState
from schemas.instant import to_iso
from schemas.vietnam import day_of

router = APIRouter(prefix="/api/v1", tags=["documents"])

AgencyCode = Annotated[str | None, Query(max_length=35, description="mã cơ quan / its code")]
Side = Literal["sent", "received"]


@router.get("/exchanges", **describe.LIST_EXCHANGES)
async def list_exchanges(
    services: Using,
    door: Entered,
    *,
    side: Side | None = None,
    document_id: Annotated[str | None, Query(alias="documentId", max_length=255)] = None,
    document_code: Annotated[str | None, Query(alias="documentCode", max_length=255)] = None,
    state: ExchangeState | None = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> ExchangePage:
    own = None if door.caller.is_operator else door.caller.reach
    rows = await services.deps.ledger.exchanges.page(
        senders=None if side == "received" else own,
        receivers=None if side == "sent" else own,
        document_id=document_id,
        document_code=document_code,
        state=state,
        after=_after(cursor),
        limit=limit,
    )
    return _page(rows, limit)


@router.get("/exchanges/{message_id}", **describe.SHOW_EXCHANGE)
async def show_exchange(
    services: Using, door: Entered, message_id: Annotated[str, Path(max_length=64)]
) -> ExchangeAnswer:
    """The sender sees every receiver, a receiver itself alone."""
    exchanges = services.deps.ledger.exchanges
    rows = [row for row in await exchanges.of_message(message_id) if _sees(door.caller, row)]
    if not rows:
        raise NotFound("no such document", vi="Không có văn bản này")
    seen = {row.receiver for row in rows}
    return ExchangeAnswer(
        receivers=[_item(row) for row in rows],
        events=[
            ExchangeEvent(
                receiver=each.receiver,
                event=each.event,
                at=to_iso(each.at) or "",
                told_by=each.told_by,
                changed=each.changed,
            )
            for each in await exchanges.events(message_id)
            if each.receiver in seen
        ],
    )


@router.get("/tasks", **describe.LIST_TASKS)
async def list_tasks(
    services: Using,
    door: Entered,
    *,
    agency: AgencyCode = None,
    state: TaskState | None = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> ExchangePage:
    """Documents with a day they are due, or that direct (SteeringType 2, 3), at those who act."""
    ledger = services.deps.ledger
    rows = await ledger.exchanges.tasks(
        agencies=_agencies(door.caller, agency),
        state=state,
        now=ledger.clock(),
        after=_after(cursor),
        limit=limit,
    )
    return _page(rows, limit)


@router.get("/reports/documents", response_model=None, **describe.REPORT)
async def report_documents(
    services: Using,
    door: Entered,
    *,
    period: Annotated[str, Query(max_length=10, description="2026-11-23, 2026-11, 2026-Q3, 2026")],
    agency: AgencyCode = None,
    format: Literal["json", "csv", "xlsx"] = "json",  # noqa: A002 - the name of the parameter
) -> Response:
    ledger = services.deps.ledger
    chosen = reports.parse_period(period)
    figures = await ledger.exchanges.figures(
        agencies=_agencies(door.caller, agency),
        since=chosen.since,
        until=chosen.until,
        now=ledger.clock(),
    )
    names = {each.agency: _name(door.caller, each.agency) for each in figures}
    if format != "json":
        file = reports.write(format, chosen, figures, names)
        return Response(file.content, media_type=file.media_type, headers=file.headers)
    answer = ReportAnswer(
        period=period,
        since=to_iso(chosen.since) or "",
        until=to_iso(chosen.until) or "",
        agencies=[
            TaskFigures(name=names[each.agency], **reports.numbers(each)) for each in figures
        ],
    )
    return JSONResponse(answer.model_dump(by_alias=True))


def _sees(caller: Caller, row: ExchangeRow) -> bool:
    return caller.is_operator or bool({row.sender, row.receiver} & caller.reach)


def _agencies(caller: Caller, agency: str | None) -> frozenset[str] | None:
    """Those asked for, within the caller's own; None: everybody's, for an operator."""
    if agency is None:
        return None if caller.is_operator else caller.reach
    if caller.is_operator:
        return frozenset({agency.strip().upper()})
    return frozenset({caller.own_agency(agency)})


def _name(caller: Caller, code: str) -> str:
    agency = caller.directory.get(code)
    return agency.name if agency else ""


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    message_id, comma, receiver = cursor.partition(",")
    if not comma:
        raise InvalidRequest("unknown cursor", vi="Con trỏ trang không hợp lệ", field="cursor")
    return message_id, receiver


def _page(rows: list[ExchangeRow], limit: int) -> ExchangePage:
    cursor = next_cursor(rows, limit, lambda row: f"{row.message_id},{row.receiver}")
    return ExchangePage(items=[_item(row) for row in rows], next=cursor)


def _item(row: ExchangeRow) -> ExchangeItem:
    return ExchangeItem(
        message_id=row.message_id,
        receiver=row.receiver,
        sender=row.sender,
        document_id=row.document_id,
        document_code=row.document_code,
        subject=row.subject,
        state=row.state,
        recall=row.recall,
        priority=row.priority,
        due=day_of(row.due_at - 1).isoformat() if row.due_at is not None else None,
        steering_type=row.steering,
        promulgated=row.promulgated or None,
        sent_at=to_iso(row.sent_at) or "",
        arrived_at=to_iso(row.arrived_at),
        accepted_at=to_iso(row.accepted_at),
        finished_at=to_iso(row.finished_at),
    )
