"""Doors of the other ways in which services provide data, beside one question and one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from bus.gateway.calling import Asker, Served, as_of
from bus.gateway.calling.doors import SERVICE, whole
from bus.gateway.door import BusDoor
from bus.gateway.exchange import Exchange
from bus.gateway.providing import lines
from bus.gateway.providing.package import MAX_QUESTIONS, Package
from bus.gateway.services import Entered, Services, Using
from bus.gateway.translate import Operation

router = APIRouter(include_in_schema=False)  # the services' own descriptions tell of them

_FRESH = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _admitted(
    request: Request, services: Services, door: BusDoor, service: str, operation: str
) -> tuple[Served, Operation, Asker]:
    """Raises what a single call would for its address and headers."""
    served = await services.catalogue.find(service)
    found = served.operation(operation)
    exchange: Exchange = request.scope["exchange"]
    snapshot = services.deps.live.snapshot
    asker = services.rights.admit(door.caller, exchange, snapshot, served.service, operation)
    return served, found, asker


def _dated(
    request: Request, served: Served, operation: str, questions: Sequence[bytes]
) -> Sequence[bytes | dict[str, Any]]:
    day = as_of.asked(request)
    if day is None:
        return questions
    return [as_of.placed(served.service, operation, each, day) for each in questions]


@router.post(f"{SERVICE}/{{operation}}/package")
async def ask_package(
    request: Request, services: Using, door: Entered, service: str, operation: str
) -> Response:
    """Questions as NDJSON or an array; answers as NDJSON, each as soon as it is its turn."""
    served, found, asker = await _admitted(request, services, door, service, operation)
    asked = lines.questions(await whole(request), MAX_QUESTIONS)
    questions = _dated(request, served, operation, asked)
    exchange: Exchange = request.scope["exchange"]
    telling = lines.Telling(request.url.path, exchange.correlation_id, exchange.language)
    package = Package(services.calls, served, found, asker, telling)
    return StreamingResponse(package.answers(questions), 200, _FRESH, lines.NDJSON)
