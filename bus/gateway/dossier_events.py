"""Progress of dossiers for those who publish or watch it: pull, stream, live totals."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Header, Query
from starlette.responses import JSONResponse, Response

from bus.gateway import describe_events as describe
from bus.gateway.dossier_models import DossierTotals, figures_of
from bus.gateway.dossier_totals import Span
from bus.gateway.event_stream import EventStream
from bus.gateway.pages import Limit
from bus.gateway.services import Entered, Using
from bus.ops import dossier_figures
from schemas.dossier.figures import total
from schemas.instant import to_iso

router = APIRouter(prefix="/api/v1/dossiers", tags=["dossiers"])

After = Annotated[
    str | None,
    Query(
        max_length=20,
        description="con trỏ của sự kiện cuối đã nhận, `now`: chỉ sự kiện mới; bỏ trống: từ đầu "
        "/ cursor of the last event you have, `now`: only what comes; nothing: from the beginning",
    ),
]
LastEventId = Annotated[
    str | None,
    Header(max_length=20, description="như `after`, do trình duyệt tự gửi / sent by itself"),
]


@router.get("/events", response_model=None, **describe.PULL)
async def pull(
    services: Using, door: Entered, *, after: After = None, limit: Limit = 100
) -> Response:
    feed = services.feed
    batch = await feed.pull(await feed.start(after), limit, door.caller.follows)
    events = b",".join(each.content for each in batch.events)
    rest = orjson.dumps({"next": str(batch.last), "more": batch.more})
    content = b'{"events":[' + events + b"]," + rest[1:]
    return Response(content, 200, {"Cache-Control": "no-store"}, "application/json")


@router.get("/events/stream", response_model=None, **describe.STREAM)
async def stream(
    services: Using, door: Entered, *, after: After = None, last_event_id: LastEventId = None
) -> Response:
    """What the client says of itself when it comes again counts before the address."""
    start = await services.feed.start(last_event_id or after)
    return EventStream(services.feed, services.gate, door.caller, start)


@router.get("/totals", response_model=None, **describe.TOTALS)
async def totals(
    services: Using,
    door: Entered,
    *,
    span: Span = "day",
    format: Literal["json", "csv", "xlsx"] = "json",  # noqa: A002 - the name of the parameter
) -> Response:
    counted = await services.totals.of(span)
    caller = door.caller
    rows = [row for row in counted.rows if caller.follows(row.agency)]
    names = {row.agency: caller.name_of(row.agency) for row in rows}
    if format != "json":
        period = f"{counted.first}-{counted.last}"
        file = dossier_figures.write(format, period, rows, names)
        return Response(file.content, media_type=file.media_type, headers=file.headers)
    answer = DossierTotals(
        since=counted.first.isoformat(),
        until=counted.last.isoformat(),
        counted_at=to_iso(counted.at) or "",
        agencies=[figures_of(row, names[row.agency]) for row in rows],
        total=figures_of(total(rows), ""),
    )
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(answer.model_dump(by_alias=True), headers=headers)
