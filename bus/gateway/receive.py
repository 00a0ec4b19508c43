"""POST /api/v1/documents: the hot route, a bare ASGI application.

Raw edXML goes from the socket into the intake in pieces; a form is turned into edXML on the way.
No framework stands between: authentication is a look into memory, the answer is written by hand.
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from bus.gateway import receipts
from bus.gateway.body import Pieces
from bus.gateway.door import BusDoors, check_ref
from bus.gateway.exchange import Exchange
from bus.gateway.forms import open_form
from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
from schemas.errors import InvalidRequest

PATH = "/api/v1/documents"
RAW_TYPES = ("application/xml", "application/edxml+xml", "application/octet-stream")
FORM_TYPE = "multipart/form-data"
_RAW = frozenset(name.encode() for name in RAW_TYPES)


class ReceiveDocument:
    """The ASGI application of the route."""

    def __init__(self, doors: BusDoors, limits: GatewayLimits) -> None:
        self._doors = doors
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        door = await self._doors.bearer(scope)
        ref = sender_ref_of(exchange)
        media = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        limits = self._limits
        if media in _RAW:
            raw = Pieces(receive, exchange, limit=limits.max_packet, idle=limits.body_idle)
            accepted = await door.send(raw, ref=ref)
        elif media == FORM_TYPE.encode():
            async with open_form(receive, exchange, limits) as packet:
                accepted = await door.send(packet, ref=ref)
        else:
            raise _unsupported()
        await receipts.response(accepted)(scope, receive, send)


def sender_ref_of(exchange: Exchange) -> str | None:
    """The sender's own id of the message, if it gives one. Raises InvalidRequest."""
    value = exchange.headers.get(b"idempotency-key")
    if value is None:
        return None
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        text = ""
    check_ref(text, "Idempotency-Key")
    return text


def _unsupported() -> StatusError:
    served = ", ".join((*RAW_TYPES, FORM_TYPE))
    error = InvalidRequest(
        f"Content-Type must be one of {served}", vi=f"Content-Type phải là một trong: {served}"
    )
    return StatusError(error, 415, [(b"accept-post", served.encode())])
