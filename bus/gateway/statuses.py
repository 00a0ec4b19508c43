"""POST /api/v1/documents/status: a business status as JSON; the bus writes the edXML packet."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from bus.gateway import describe, receipts
from bus.gateway.camel import read_json
from bus.gateway.receive import sender_ref_of
from bus.gateway.services import Entered
from schemas.edxml import STATUS_CODES, StatusHeader, StatusPacket, write_status
from schemas.errors import InvalidRequest

router = APIRouter(prefix="/api/v1", tags=["documents"])


@router.post("/documents/status", **describe.SEND_STATUS)
async def send_status(request: Request, door: Entered) -> Response:
    header = read_json(StatusHeader, await request.body())
    ref = sender_ref_of(request.scope["exchange"])
    return receipts.response(await door.send(status_packet(header), ref=ref))


async def status_packet(header: StatusHeader) -> AsyncIterator[bytes]:
    """The edXML packet of a status, ready to be sent. Raises InvalidRequest."""
    if header.status_code not in STATUS_CODES:
        known = ", ".join(sorted(STATUS_CODES))
        raise InvalidRequest(
            f"statusCode must be one of {known}",
            vi=f"statusCode phải là một trong: {known}",
            field="statusCode",
        )
    yield write_status(StatusPacket(header=header))
