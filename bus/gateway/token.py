"""POST /api/v1/token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from bus.gateway import describe
from bus.gateway.services import Using

router = APIRouter(prefix="/api/v1", tags=["token"])


@router.post("/token", **describe.TOKEN)
async def token(request: Request, services: Using) -> Response:
    return await services.desk.issue(request)
