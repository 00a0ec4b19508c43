"""/soap/documents: POST is a SOAP request, GET the WSDL."""

from __future__ import annotations

from contextlib import AsyncExitStack

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bus.gateway.body import Pieces
from bus.gateway.door import BusDoor, BusDoors
from bus.gateway.exchange import Exchange
from bus.gateway.limits import GatewayLimits
from bus.gateway.soap.envelope import Envelope
from bus.gateway.soap.faults import SEEN
from bus.gateway.soap.operations import OPERATIONS, Call
from bus.gateway.soap.request import opened
from schemas.errors import InvalidRequest, Unauthenticated
from schemas.multipart import MediaType
from schemas.soap import NAMESPACE, wsdl

PATH = "/soap/documents"


class SoapDocuments:
    """The ASGI application of the route. Errors are raised; the edge asks faults.refuse."""

    def __init__(self, doors: BusDoors, limits: GatewayLimits) -> None:
        self._doors = doors
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        limits = self._limits
        media = MediaType.of(exchange.headers.get(b"content-type", b""))
        # base64 in lines of 76 takes 37 bytes for 27 (RFC 2045); the packet's own limit is kept
        # where it is taken in
        most = limits.max_packet * 37 // 27 + limits.max_json
        body = Pieces(receive, exchange, limit=most, idle=limits.body_idle)
        async with AsyncExitStack() as stack:
            request = await stack.enter_async_context(opened(body, media, limits))
            envelope = request.envelope
            try:
                await request.begin()
            finally:
                scope[SEEN] = envelope.version
            operation = OPERATIONS.get(envelope.operation)
            if operation is None:
                raise _unknown(envelope.operation)
            _check_action(envelope.operation, media, exchange)
            exchange.route = f"{PATH}#{envelope.operation}"
            door = await self._enter(scope, envelope)
            assert envelope.version is not None, "an operation stands in an envelope"  # noqa: S101
            response = await operation(Call(door, request, envelope.version, stack))
            await response(scope, receive, send)

    async def _enter(self, scope: Scope, envelope: Envelope) -> BusDoor:
        """By the token in the HTTP header; without one by the UsernameToken."""
        exchange: Exchange = scope["exchange"]
        if exchange.headers.get(b"authorization", b"").lower().startswith(b"bearer "):
            return await self._doors.bearer(scope)
        if not envelope.username or not envelope.password:
            raise Unauthenticated(
                "an access token (Authorization: Bearer) or a WS-Security UsernameToken is needed",
                vi="Cần mã truy cập (Authorization: Bearer) hoặc UsernameToken của WS-Security",
            )
        return await self._doors.key(scope, envelope.username, envelope.password)


async def read_wsdl(request: HttpRequest) -> Response:
    """GET, with ?wsdl as most tools ask, or without."""
    address = str(request.url.replace(query="", fragment=""))
    return Response(wsdl(address), media_type="text/xml; charset=utf-8")


def _check_action(operation: str, media: MediaType, exchange: Exchange) -> None:
    """SOAPAction (1.1) or `action` (1.2) may be left out, and may not contradict the body."""
    header = exchange.headers.get(b"soapaction", b"").decode("latin-1")
    for action in (header.strip().strip('"'), media.parameters.get("action", "")):
        if action not in ("", f"{NAMESPACE}#{operation}"):
            raise InvalidRequest(
                f"SOAPAction is not that of {operation}: {NAMESPACE}#{operation}",
                vi=f"SOAPAction không khớp thao tác {operation}: {NAMESPACE}#{operation}",
                field="SOAPAction",
            )


def _unknown(operation: str) -> InvalidRequest:
    known = ", ".join(OPERATIONS)
    return InvalidRequest(
        f"no operation {operation[:50]}; there are {known}",
        vi=f"Không có thao tác {operation[:50]}; các thao tác: {known}",
    )
