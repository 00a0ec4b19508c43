"""What travels beside dossiers (schemas.flows): submissions, ratings, questions, orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from bus.gateway import describe_flows as describe
from bus.gateway import receipts
from bus.gateway.json_elements import elements, read
from bus.gateway.services import Entered
from schemas.flows import ITEMS
from schemas.message import ItemKind

router = APIRouter(prefix="/api/v1/flows", tags=["flows"])

MAX_ITEMS = 100

Kind = Annotated[ItemKind, Path(description="loại / kind")]
Agency = Annotated[
    str | None, Query(max_length=35, description="mã cơ quan gửi / code of the sending agency")
]


@router.post("/{kind}", **describe.POST_ITEMS)
async def post_items(
    request: Request, door: Entered, kind: Kind, agency: Agency = None
) -> Response:
    """One after the other, in their order."""
    body = await request.body()
    originals = elements(body, MAX_ITEMS)
    single = originals[0] == body
    model = ITEMS[kind]
    items = [read(model, each, None if single else n) for n, each in enumerate(originals)]
    accepted = [
        await door.submit_item(item, original, agency=agency)
        for item, original in zip(items, originals, strict=True)
    ]
    if single:
        return receipts.response(accepted[0])
    content = b"[" + b",".join(receipts.to_json(each) for each in accepted) + b"]"
    return Response(content, 202, {"Cache-Control": "no-store"}, "application/json")
