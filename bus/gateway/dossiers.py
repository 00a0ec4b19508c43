"""Dossiers of administrative procedures (hồ sơ TTHC): in, read back, and their figures."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from bus.gateway import describe_dossiers as describe
from bus.gateway import receipts
from bus.gateway.access import Caller
from bus.gateway.dossier_batch import Batch
from bus.gateway.dossier_models import (
    DossierAnswer,
    DossierFiguresAnswer,
    DossierItem,
    DossierPage,
    PortalItem,
    StepItem,
    figures_of,
)
from bus.gateway.json_elements import elements, read
from bus.gateway.pages import Limit, Since, TextCursor, instant_of, next_cursor
from bus.gateway.receive import sender_ref_of
from bus.gateway.services import Entered, Using
from bus.ledger.dossier_queries import DossierDelivery, DossierRow, StepRow
from bus.ops import dossier_figures
from schemas.delivery import OPEN, DeliveryState
from schemas.dossier import DossierRecord, DossierStatus, Step
from schemas.dossier.figures import total
from schemas.dossier.life import TITLES
from schemas.errors import InvalidRequest, NotFound
from schemas.instant import to_iso

router = APIRouter(prefix="/api/v1/dossiers", tags=["dossiers"])

BATCH_PATH = "/api/v1/dossiers/batch"
MAX_STEPS = 100

Code = Annotated[str, Path(max_length=60, description="mã hồ sơ / code of the dossier")]
AgencyCode = Annotated[str | None, Query(max_length=35, description="mã cơ quan / its code")]


@router.put("/{code}", **describe.PUT_DOSSIER)
async def put_dossier(request: Request, door: Entered, code: Code) -> Response:
    original = await request.body()
    record = read(DossierRecord, original)
    _require_same(code, record.code)
    ref = sender_ref_of(request.scope["exchange"])
    return receipts.response(await door.submit_dossier(record, original, ref=ref))


@router.post("/batch", **describe.BATCH)
async def batch(request: Request, door: Entered) -> Response:
    return await Batch(door, request.scope["exchange"], BATCH_PATH).run(request.stream())


@router.post("/{code}/steps", **describe.POST_STEPS)
async def post_steps(
    request: Request, door: Entered, code: Code, agency: AgencyCode = None
) -> Response:
    """One after the other: the portals get them in this order."""
    body = await request.body()
    originals = elements(body, MAX_STEPS)
    steps = [
        read(Step, each, n if originals[0] != body else None) for n, each in enumerate(originals)
    ]
    for step in steps:
        _require_same(code, step.code)
    accepted = [
        await door.submit_step(step, original, agency=agency)
        for step, original in zip(steps, originals, strict=True)
    ]
    if len(originals) == 1 and originals[0] == body:
        return receipts.response(accepted[0])
    content = b"[" + b",".join(receipts.to_json(each) for each in accepted) + b"]"
    return Response(content, 202, {"Cache-Control": "no-store"}, "application/json")


@router.get("", **describe.LIST_DOSSIERS)
async def list_dossiers(
    services: Using,
    door: Entered,
    *,
    agency: AgencyCode = None,
    status: DossierStatus | None = None,
    procedure: Annotated[str | None, Query(max_length=100, description="mã thủ tục")] = None,
    since: Since = None,
    until: Since = None,
    limit: Limit = 50,
    cursor: TextCursor = None,
) -> DossierPage:
    """`since` and `until` bound the moment of reception."""
    rows = await services.deps.ledger.dossiers.page(
        senders=_agencies(door.caller, agency),
        status=status.value if status else None,
        procedure=procedure,
        since=instant_of(since),
        until=instant_of(until),
        after=_after(cursor),
        limit=limit,
    )
    return DossierPage(
        items=[DossierItem(**_item(row)) for row in rows],
        next=next_cursor(rows, limit, lambda row: f"{row.first_message},{row.sender}"),
    )


@router.get("/figures", response_model=None, **describe.DOSSIER_FIGURES)
async def figures(
    services: Using,
    door: Entered,
    *,
    first: Annotated[date, Query(alias="from", description="từ ngày / first day")],
    last: Annotated[date, Query(alias="to", description="đến hết ngày / last day")],
    agency: AgencyCode = None,
    format: Literal["json", "csv", "xlsx"] = "json",  # noqa: A002 - the name of the parameter
) -> Response:
    ledger, snapshot = services.deps.ledger, services.deps.live.snapshot
    rows = await dossier_figures.of_period(
        ledger.dossiers,
        first=first,
        last=last,
        senders=_agencies(door.caller, agency),
        calendar=snapshot.calendar,
        procedures=snapshot.procedures,
        now=ledger.clock(),
    )
    names = {row.agency: door.caller.name_of(row.agency) for row in rows}
    if format != "json":
        file = dossier_figures.write(format, f"{first}-{last}", rows, names)
        return Response(file.content, media_type=file.media_type, headers=file.headers)
    answer = DossierFiguresAnswer(
        since=first.isoformat(),
        until=last.isoformat(),
        agencies=[figures_of(row, names[row.agency]) for row in rows],
        total=figures_of(total(rows), ""),
    )
    return JSONResponse(answer.model_dump(by_alias=True))


@router.get("/{code}", **describe.SHOW_DOSSIER)
async def show_dossier(services: Using, door: Entered, code: Code) -> DossierAnswer:
    """What is personal is shown to its own agency alone."""
    dossiers, caller = services.deps.ledger.dossiers, door.caller
    found = await dossiers.find(code, None if caller.is_operator else caller.reach)
    if not found:
        raise NotFound("no such dossier", vi="Không có hồ sơ này")
    row = found[0]
    own = row.sender in caller.reach
    current = await dossiers.current(row.sender, code) if own else None
    return DossierAnswer(
        **_item(row),
        steps=[_step(each, own=own) for each in await dossiers.steps(row.sender, code)],
        portals=_portals(await dossiers.deliveries(row.sender, code)),
        record=orjson.loads(current.record) if current is not None else None,
    )


def _require_same(named: str, written: str) -> None:
    if named.strip().upper() != written:
        raise InvalidRequest(
            "the dossier's code in the address is not the one in the body",
            vi="Mã hồ sơ trên địa chỉ khác mã hồ sơ trong nội dung",
            field="code",
        )


def _agencies(caller: Caller, agency: str | None) -> frozenset[str] | None:
    """Those asked for, within the caller's own; None: everybody's, for an operator."""
    if agency is None:
        return None if caller.is_operator else caller.reach
    if caller.is_operator:
        return frozenset({agency.strip().upper()})
    return frozenset({caller.own_agency(agency)})


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    first, comma, sender = cursor.partition(",")
    if not comma:
        raise InvalidRequest("unknown cursor", vi="Con trỏ trang không hợp lệ", field="cursor")
    return first, sender


def _item(row: DossierRow) -> dict[str, Any]:
    title = TITLES[DossierStatus(row.status)]
    return {
        "code": row.code,
        "nation_code": row.nation_code,
        "agency": row.sender,
        "procedure": row.procedure,
        "channel": row.channel,
        "status": row.status,
        "status_vi": title.vi,
        "status_en": title.en,
        "received_at": to_iso(row.received_at),
        "due_at": to_iso(row.due_at),
        "finished_at": to_iso(row.finished_at),
        "returned_at": to_iso(row.returned_at),
        "changed_at": to_iso(row.changed_at) or "",
    }


def _step(row: StepRow, *, own: bool) -> StepItem:
    step = orjson.loads(row.record)
    return StepItem(
        step_id=row.step_id,
        status=step["status"],
        at=step["at"],
        message_id=row.message_id,
        accepted_at=to_iso(row.accepted_at) or "",
        step=step if own else None,
    )


def _portals(found: list[DossierDelivery]) -> list[PortalItem]:
    by_endpoint: dict[str, list[DossierDelivery]] = {}
    for each in found:
        by_endpoint.setdefault(each.delivery.endpoint, []).append(each)
    return [_portal(name, [each.delivery for each in group]) for name, group in by_endpoint.items()]


def _portal(endpoint: str, rows: list[Any]) -> PortalItem:
    still = [row for row in rows if row.state in OPEN]
    shown = still[0] if still else rows[-1]
    delivered = [row for row in rows if row.state is DeliveryState.DELIVERED]
    return PortalItem(
        endpoint=endpoint,
        receivers=sorted({code for row in rows for code in row.receivers}),
        delivered=len(delivered),
        refused=len(rows) - len(delivered) - len(still),
        open=len(still),
        state=shown.state,
        reason=shown.detail or "",
        delivered_at=to_iso(max((row.finished_at for row in delivered), default=None)),
    )
