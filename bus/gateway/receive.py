"""POST /api/v1/documents: the hot route, a bare ASGI application.

Raw edXML goes from the socket into the intake in pieces; a form is turned into edXML on the way.
No framework stands between: authentication is a look into memory, the answer is written by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.types import Receive, Scope, Send

from bus.engine.accept import Acceptor
from bus.gateway import receipts
from bus.gateway.access import Caller
from bus.gateway.body import Pieces
from bus.gateway.exchange import Exchange
from bus.gateway.forms import open_form
from bus.gateway.gate import Gate
from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
from bus.ledger.records import Receipt
from schemas.errors import InvalidRequest

PATH = "/api/v1/documents"
RAW_TYPES = ("application/xml", "application/edxml+xml", "application/octet-stream")
FORM_TYPE = "multipart/form-data"
MAX_REF = 200  # characters of an Idempotency-Key
_RAW = frozenset(name.encode() for name in RAW_TYPES)


class Receiving:
    """What every way in shares: the bytes of a packet in, a receipt out."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor

    async def take(
        self, packet: AsyncIterator[bytes], caller: Caller, exchange: Exchange
    ) -> Receipt:
        """Accepts one packet. Raises what the intake raises, and Forbidden for another's packet."""
        sender_ref = sender_ref_of(exchange)
        intake = self._acceptor.intake()
        try:
            async for piece in packet:
                await intake.feed(piece)
            read = await intake.close()
            caller.require_sends_as(read.header.sender.organ_id)
            return await intake.accept(
                client=caller.id, sender_ref=sender_ref, trace=exchange.trace
            )
        finally:
            await intake.abort()


class ReceiveDocument:
    """The ASGI application of the route."""

    def __init__(self, gate: Gate, receiving: Receiving, limits: GatewayLimits) -> None:
        self._gate = gate
        self._receiving = receiving
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        caller = await self._gate.admit(scope)
        media = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        limits = self._limits
        if media in _RAW:
            raw = Pieces(receive, exchange, limit=limits.max_packet, idle=limits.body_idle)
            receipt = await self._receiving.take(raw, caller, exchange)
        elif media == FORM_TYPE.encode():
            async with open_form(scope, receive, exchange, limits) as packet:
                receipt = await self._receiving.take(packet, caller, exchange)
        else:
            raise _unsupported()
        await receipts.response(receipt)(scope, receive, send)


def sender_ref_of(exchange: Exchange) -> str | None:
    """The sender's own id of the message, if it gives one. Raises InvalidRequest."""
    value = exchange.headers.get(b"idempotency-key")
    if value is None:
        return None
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > MAX_REF or not text.isprintable():
        raise InvalidRequest(
            f"Idempotency-Key must be 1 to {MAX_REF} printable characters",
            vi=f"Idempotency-Key phải có từ 1 đến {MAX_REF} ký tự in được",
            field="Idempotency-Key",
        )
    return text


def _unsupported() -> StatusError:
    served = ", ".join((*RAW_TYPES, FORM_TYPE))
    error = InvalidRequest(
        f"Content-Type must be one of {served}", vi=f"Content-Type phải là một trong: {served}"
    )
    return StatusError(error, 415, [(b"accept-post", served.encode())])
