"""The operations of schemas/soap/documents.wsdl over the door port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_camel
from starlette.responses import Response

from bus.gateway import problems
from bus.gateway.camel import snake_keys
from bus.gateway.door import check_ref
from bus.gateway.pages import MAX_PAGE, next_cursor, number_cursor
from bus.gateway.soap import answers
from bus.gateway.soap.request import Request
from bus.gateway.soap.versions import Version
from bus.gateway.statuses import status_packet
from schemas.door import Door
from schemas.edxml import StatusHeader
from schemas.vietnam import VIETNAM

Model = TypeVar("Model", bound=BaseModel)
Page = Annotated[int, Field(ge=1, le=MAX_PAGE)]
DeliveryId = Annotated[int, Field(ge=1, lt=2**63)]
Text200 = Annotated[str, StringConstraints(max_length=200)]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a caller who is known."""

    door: Door
    request: Request
    version: Version
    stack: AsyncExitStack  # closed when the answer has been sent


class _Arguments(BaseModel):
    """Read by the names of the WSDL, and by no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class _SendDocument(_Arguments):
    message_ref: str | None = None


class _ListWaiting(_Arguments):
    kind: Literal["document", "status"] | None = None
    agency: Annotated[str, StringConstraints(max_length=35)] | None = None
    limit: Page = 50
    cursor: str | None = None


class _FetchDocument(_Arguments):
    delivery_id: DeliveryId


class _Acknowledge(_Arguments):
    delivery_id: DeliveryId
    result: Literal["delivered", "rejected"]
    receipt: Text200 = ""
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class _SendStatus(_Arguments):
    message_ref: str | None = None
    status: StatusHeader

    @field_validator("status", mode="before")
    @classmethod
    def _as_the_model_has_it(cls, status: Any) -> Any:
        """Most toolkits write xsd:dateTime and xsd:date with a zone; edXML has none."""
        if isinstance(status, dict):
            status = snake_keys(status)
            about, when = status.get("response_for"), status.get("timestamp")
            if isinstance(when, str):
                status = status | {"timestamp": _local(when)}
            if isinstance(about, dict) and isinstance(about.get("promulgation_date"), str):
                dated = about["promulgation_date"][:10]
                status = status | {"response_for": about | {"promulgation_date": dated}}
        return status


class _SearchAgencies(_Arguments):
    query: Text200 = ""
    limit: Page = 50
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


async def send_document(call: Call) -> Response:
    given = _read(_SendDocument, call)
    check_ref(given.message_ref, "messageRef")
    async with aclosing(call.request.packet()) as packet:
        accepted = await call.door.send(packet, ref=given.message_ref)
    return answers.answer(call.version, "SendDocument", {"receipt": answers.receipt(accepted)})


async def list_waiting(call: Call) -> Response:
    given = _read(_ListWaiting, call)
    found = await call.door.waiting(
        kind=given.kind,
        agency=given.agency,
        after=number_cursor(given.cursor),
        limit=given.limit,
    )
    following = next_cursor(found, given.limit, lambda each: str(each.delivery_id))
    page = {"delivery": [answers.delivery(each) for each in found], "next": following}
    return answers.answer(call.version, "ListWaiting", page)


async def fetch_document(call: Call) -> Response:
    given = _read(_FetchDocument, call)
    opening = call.door.fetch(given.delivery_id)
    waiting, pieces = await call.stack.enter_async_context(opening)
    write = answers.attached if call.request.mtom else answers.inline
    return write(call.version, waiting, pieces)


async def acknowledge(call: Call) -> Response:
    given = _read(_Acknowledge, call)
    state = await call.door.acknowledge(
        given.delivery_id,
        accepted=given.result == "delivered",
        receipt=given.receipt,
        reason=given.reason,
    )
    members = {"deliveryId": given.delivery_id, "state": state.value}
    return answers.answer(call.version, "Acknowledge", members)


async def send_status(call: Call) -> Response:
    given = _read(_SendStatus, call)
    check_ref(given.message_ref, "messageRef")
    accepted = await call.door.send(status_packet(given.status), ref=given.message_ref)
    return answers.answer(call.version, "SendStatus", {"receipt": answers.receipt(accepted)})


async def search_agencies(call: Call) -> Response:
    given = _read(_SearchAgencies, call)
    found = call.door.agencies(given.query, after=given.cursor, limit=given.limit)
    following = next_cursor(found, given.limit, lambda each: each.code)
    page = {"agency": [answers.agency(each) for each in found], "next": following}
    return answers.answer(call.version, "SearchAgencies", page)


OPERATIONS: Mapping[str, Callable[[Call], Awaitable[Response]]] = MappingProxyType(
    {
        "SendDocument": send_document,
        "ListWaiting": list_waiting,
        "FetchDocument": fetch_document,
        "Acknowledge": acknowledge,
        "SendStatus": send_status,
        "SearchAgencies": search_agencies,
    }
)


def _local(moment: str) -> str:
    """A time with a zone in that of Vietnam, without one; anything else as it is."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment  # the model names the field
    return moment if read.tzinfo is None else f"{read.astimezone(VIETNAM):%Y-%m-%dT%H:%M:%S}"


def _read(model: type[Model], call: Call) -> Model:
    arguments: dict[str, Any] = call.request.envelope.arguments
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        raise problems.from_validation(error.errors(include_input=False)) from None
