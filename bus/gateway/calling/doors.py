"""The doors of the services: JSON, SOAP, and what can be read about them.

`/services/{service}` is the version marked current; `/services/{service}@{version}` is one of
several that stand side by side.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bus.engine.live import LiveConfig
from bus.gateway import problems
from bus.gateway.body import Pieces, too_large
from bus.gateway.calling import as_of, describe, on_behalf, policy, soap_door, wsdl
from bus.gateway.calling.calls import Calls
from bus.gateway.calling.catalogue import MAX_MESSAGE, Catalogue, Served
from bus.gateway.calling.describe import Descriptions
from bus.gateway.calling.policy import Rights
from bus.gateway.calling.strangers import without_strangers
from bus.gateway.door import BusDoor, BusDoors
from bus.gateway.exchange import Exchange
from bus.gateway.limits import GatewayLimits
from bus.gateway.services import Entered, Using
from bus.gateway.soap import refuse as soap_refuse
from bus.gateway.soap.faults import SEEN
from bus.gateway.translate import ServiceFault
from schemas.door import Refusal
from schemas.errors import InvalidContract, NotFound, Unauthenticated
from schemas.maintenance import Maintenance
from schemas.multipart import MediaType
from schemas.service import Service

log = structlog.get_logger("gateway")
router = APIRouter(include_in_schema=False)

ROOT = "/services"
SERVICE = f"{ROOT}/{{service}}"
OPERATION = f"{SERVICE}/{{operation}}"
OPENAPI = f"{SERVICE}/openapi.json"
MAINTENANCE = "Lgsp-Maintenance"
"""Header of answers: an interval of ISO 8601, where maintenance is announced."""

PUBLIC = frozenset({f"GET {SERVICE}", OPENAPI})
"""What a contract says is no secret, and tools read it before they have a token."""


@router.get(ROOT)
async def list_services(services: Using, door: Entered) -> Response:
    """What the caller may call, and when it is away."""
    catalogue, snapshot = services.catalogue, services.deps.live.snapshot
    items = []
    for service in catalogue.services:
        try:
            served = await catalogue.find(service.id)
        except (InvalidContract, NotFound) as error:  # the others can be called
            log.warning("contract_unusable", service=service.id, why=error.detail.vi)
            continue
        names = [key for key, each in served.operations.items() if not each.problems]
        operations = services.rights.operations(door.caller, snapshot, service, names)
        if operations:
            items.append(_item(service, operations, current=_is_current(catalogue, service)))
    return JSONResponse({"items": items}, headers={"Cache-Control": "no-store"})


@router.get(SERVICE)
async def read_service(request: Request, services: Using, service: str) -> Response:
    """With ?wsdl the contract, with ?doc one document of it, else a page."""
    served = await services.catalogue.find(service)
    address = str(request.url.replace(query="", fragment=""))
    asked = {key.lower(): value for key, value in request.query_params.items()}
    if "wsdl" in asked or "doc" in asked:
        document = wsdl.published(served.compiled, address, asked.get("doc", ""))
        return Response(document, media_type="text/xml; charset=utf-8")
    path = f"{ROOT}/{service}"
    return describe.page(served, path, await _described(request, served, path))


@router.get(OPENAPI)
async def read_openapi(request: Request, services: Using, service: str) -> Response:
    served = await services.catalogue.find(service)
    document = await _described(request, served, f"{ROOT}/{service}")
    return Response(orjson.dumps(document), media_type="application/json")


async def _described(request: Request, served: Served, path: str) -> dict[str, Any]:
    """Kept in `app.state.descriptions`."""
    descriptions: Descriptions = request.app.state.descriptions
    return await asyncio.to_thread(descriptions.openapi, served, path)


class JsonServices:
    """POST /services/{service}/{operation}, as ASGI: JSON in, JSON out."""

    def __init__(
        self,
        doors: BusDoors,
        live: LiveConfig,
        catalogue: Catalogue,
        rights: Rights,
        calls: Calls,
        limits: GatewayLimits,
    ) -> None:
        self._doors = doors
        self._live = live
        self._catalogue = catalogue
        self._rights = rights
        self._calls = calls
        self._idle = limits.body_idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        door = await self._doors.bearer(scope)
        asked = scope["path_params"]
        served = await self._catalogue.find(asked["service"])
        operation = served.operation(asked["operation"])
        body: bytes | dict[str, Any] | None = None
        said = on_behalf.NOTHING
        if on_behalf.may_say(operation):
            said, body = on_behalf.taken(await self._question(receive, exchange))
        asker = self._rights.admit(
            door.caller, exchange, self._live.snapshot, served.service, operation.name, said
        )
        if body is None:
            body = await self._question(receive, exchange)
        if (day := as_of.asked(QueryParams(scope["query_string"]))) is not None:
            body = as_of.placed(served.service, operation.name, body, day)
        reply = await self._calls.serve(served, operation, body, asker)
        headers = {"Cache-Control": "no-store"} | _notice(served.service)
        if operation.one_way:
            response = Response(status_code=202, headers=headers)
        else:
            response = Response(orjson.dumps(reply), 200, headers, "application/json")
        await response(scope, receive, send)

    async def _question(self, receive: Receive, exchange: Exchange) -> bytes:
        return await _whole(receive, exchange, MAX_MESSAGE, self._idle) or b"{}"


class SoapServices:
    """POST /services/{service}, as ASGI: the caller is known only when the envelope is read."""

    def __init__(
        self,
        doors: BusDoors,
        live: LiveConfig,
        catalogue: Catalogue,
        rights: Rights,
        calls: Calls,
        limits: GatewayLimits,
    ) -> None:
        self._limits = limits
        self._doors = doors
        self._live = live
        self._catalogue = catalogue
        self._rights = rights
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(scope, receive)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        exchange: Exchange = scope["exchange"]
        served = await self._catalogue.find(scope["path_params"]["service"])
        bearer = exchange.headers.get(b"authorization", b"").lower().startswith(b"bearer ")
        door = await self._doors.bearer(scope) if bearer else None
        content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
        # of somebody who is not known yet, no more is read than of any other request
        limit = MAX_MESSAGE if bearer else self._limits.max_json
        body = await _whole(receive, exchange, limit, self._limits.body_idle)
        envelope, version = soap_door.version_of(body, content_type)
        scope[SEEN] = version
        asked = soap_door.opened(envelope, version, served, _action(exchange))
        if door is None:
            door = await self._by_key(scope, asked)
        snapshot = self._live.snapshot
        name = asked.operation.name
        asker = self._rights.admit(door.caller, exchange, snapshot, served.service, name)
        value = without_strangers(asked.operation.request.to_json(body, content_type))
        try:
            reply = await self._calls.serve(served, asked.operation, value, asker)
        except ServiceFault as fault:
            return soap_door.fault(asked, fault)
        response = soap_door.reply(asked, reply)
        response.headers.update(_notice(served.service))
        return response

    async def _by_key(self, scope: Scope, asked: soap_door.Opened) -> BusDoor:
        if not asked.username or not asked.password:
            raise Unauthenticated(
                "an access token (Authorization: Bearer) or a WS-Security UsernameToken is needed",
                vi="Cần mã truy cập (Authorization: Bearer) hoặc UsernameToken của WS-Security",
            )
        return await self._doors.key(scope, asked.username, asked.password)


def refuse(refusal: Refusal) -> Response:
    """A fault where SOAP was asked in, a problem everywhere else."""
    path = refusal.scope["path"]
    if refusal.scope["method"] == "POST" and path.strip("/").count("/") == 1:
        return soap_refuse(refusal)
    exchange: Exchange = refusal.scope["exchange"]
    body = problems.body(
        refusal.error,
        status=refusal.status,
        path=path,
        correlation_id=refusal.correlation_id,
        lang=exchange.language,
    )
    response = Response(orjson.dumps(body), refusal.status)
    response.raw_headers += problems.headers(refusal.error, exchange.language)
    return response


def _action(exchange: Exchange) -> str:
    """SOAPAction (1.1) or the parameter `action` (1.2)."""
    header = exchange.headers.get(b"soapaction", b"").decode("latin-1").strip().strip('"')
    media = MediaType.of(exchange.headers.get(b"content-type", b""))
    return header or media.parameters.get("action", "")


async def whole(request: Request, limit: int = MAX_MESSAGE) -> bytes:
    """The body. Raises StatusError (larger than `limit` bytes)."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


async def _whole(receive: Receive, exchange: Exchange, limit: int, idle: float) -> bytes:
    """`limit`: bytes; `idle`: seconds of silence."""
    return b"".join([piece async for piece in Pieces(receive, exchange, limit=limit, idle=idle)])


def _notice(service: Service) -> dict[str, str]:
    """To consumers, with every answer: the next announced maintenance."""
    away = policy.coming(service)
    if not away:
        return {}
    return {MAINTENANCE: f"{away[0].begins.isoformat()}/{away[0].ends.isoformat()}"}


def _is_current(catalogue: Catalogue, service: Service) -> bool:
    try:
        return catalogue.declared(service.name).id == service.id
    except NotFound:
        return False


def _item(
    service: Service, operations: dict[str, tuple[str, ...]], *, current: bool
) -> dict[str, Any]:
    path = f"{ROOT}/{service.id}"
    return {
        "name": service.name,
        "version": service.version,
        "current": current,
        "titleVi": service.title_vi,
        "titleEn": service.title_en,
        "path": path,
        "openapi": f"{path}/openapi.json",
        "wsdl": f"{path}?wsdl",
        "suspended": service.suspended,
        "maintenance": [_away(each) for each in policy.coming(service)],
        "operations": [
            {
                "name": name,
                "fields": list(fields),
                "personal": service.settings(name).personal is not None,
                "purposeRequired": service.settings(name).needs_purpose,
            }
            for name, fields in operations.items()
        ],
    }


def _away(each: Maintenance) -> dict[str, str]:
    return {
        "begins": each.begins.isoformat(),
        "ends": each.ends.isoformat(),
        "reason": each.reason,
    }
