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
from bus.gateway.json_elements import read, read_values
from bus.gateway.providing import lines
from bus.gateway.providing.changes import ask_changes, offered
from bus.gateway.providing.models import ChangesAnswer, ChangesQuestion
from bus.gateway.providing.package import MAX_QUESTIONS, Package
from bus.gateway.services import Entered, Services, Using
from bus.gateway.translate import Operation

router = APIRouter(include_in_schema=False)  # the services' own descriptions tell of them

FRESH = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def admitted(
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
    request: Request,
    served: Served,
    operation: str,
    questions: Sequence[bytes | dict[str, Any]],
) -> Sequence[bytes | dict[str, Any]]:
    day = as_of.asked(request.query_params)
    if day is None:
        return questions
    return [as_of.placed(served.service, operation, each, day) for each in questions]


@router.post(f"{SERVICE}/{{operation}}/package")
async def ask_package(
    request: Request, services: Using, door: Entered, service: str, operation: str
) -> Response:
    """Questions as NDJSON or an array; answers as NDJSON, each as soon as it is its turn."""
    served, found, asker = await admitted(request, services, door, service, operation)
    asked = lines.questions(await whole(request), MAX_QUESTIONS)
    questions = _dated(request, served, operation, asked)
    exchange: Exchange = request.scope["exchange"]
    telling = lines.Telling(request.url.path, exchange.correlation_id, exchange.language)
    package = Package(services.calls, served, found, asker, telling)
    return StreamingResponse(package.answers(questions), 200, FRESH, lines.NDJSON)


@router.get(f"{SERVICE}/{{operation}}/changes")
async def get_changes(
    request: Request, services: Using, door: Entered, service: str, operation: str
) -> Response:
    """With a cursor that is short enough for an address; a question with more is a POST."""
    values = {key: text for key, text in request.query_params.items() if key != as_of.PARAMETER}
    question = read_values(ChangesQuestion, values)
    return await _changes(request, services, door, service, operation, question)


@router.post(f"{SERVICE}/{{operation}}/changes")
async def post_changes(
    request: Request, services: Using, door: Entered, service: str, operation: str
) -> Response:
    question = read(ChangesQuestion, await whole(request) or b"{}")
    return await _changes(request, services, door, service, operation, question)


async def _changes(
    request: Request,
    services: Services,
    door: BusDoor,
    service: str,
    operation: str,
    question: ChangesQuestion,
) -> Response:
    served, _, asker = await admitted(request, services, door, service, operation)
    offered(served.service, operation)
    (asked,) = _dated(request, served, operation, [question.request])
    assert isinstance(asked, dict)  # noqa: S101 - what it was
    found = await ask_changes(services.calls, served, operation, asked, question.cursor, asker)
    answer = ChangesAnswer(
        cursor=found.cursor, changed=list(found.changed), removed=list(found.removed)
    )
    return Response(answer.model_dump_json(by_alias=True), 200, FRESH, "application/json")
