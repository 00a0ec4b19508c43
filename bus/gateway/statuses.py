"""POST /api/v1/documents/status: a business status as JSON; the bus writes the edXML packet."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from bus.gateway import describe, receipts
from bus.gateway.camel import read_json
from bus.gateway.services import Admitted, Using
from schemas.edxml import STATUS_CODES, StatusHeader, StatusPacket, write_status
from schemas.errors import InvalidRequest

router = APIRouter(prefix="/api/v1", tags=["documents"])


@router.post("/documents/status", **describe.SEND_STATUS)
async def send_status(request: Request, services: Using, caller: Admitted) -> Response:
    header = read_json(StatusHeader, await request.body())
    if header.status_code not in STATUS_CODES:
        known = ", ".join(sorted(STATUS_CODES))
        raise InvalidRequest(
            f"statusCode must be one of {known}",
            vi=f"statusCode phải là một trong: {known}",
            field="statusCode",
        )
    packet = write_status(StatusPacket(header=header))
    receipt = await services.receiving.take(_whole(packet), caller, request.scope["exchange"])
    return receipts.response(receipt)


async def _whole(packet: bytes) -> AsyncIterator[bytes]:
    yield packet
