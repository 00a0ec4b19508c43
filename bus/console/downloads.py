"""Originals for the browser to keep: a ticket that is good once, for its session, for a minute.

What gives the ticket has asked whether the person may, and has written down why.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from bus.console.door import VISITOR
from bus.console.visitor import Visitor
from bus.ledger.ledger import Ledger

GOOD_SECONDS = 60.0
MOST = 1_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    session: bytes
    message_id: str
    until: float


class Downloads:
    """One per console process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tickets: dict[str, _Ticket] = {}

    def ticket(self, visitor: Visitor, message_id: str) -> str:
        """The address under which the browser fetches it."""
        now = time.monotonic()
        self._tickets = {k: t for k, t in self._tickets.items() if t.until > now}
        if len(self._tickets) >= MOST:
            self._tickets.clear()
        number = secrets.token_urlsafe(24)
        self._tickets[number] = _Ticket(visitor.session.hash, message_id, now + GOOD_SECONDS)
        return f"/download/{number}"

    async def serve(self, request: Request) -> Response:
        visitor: Visitor | None = request.scope[VISITOR]
        ticket = self._tickets.pop(request.path_params["ticket"], None)
        if (
            ticket is None
            or visitor is None
            or ticket.session != visitor.session.hash
            or ticket.until < time.monotonic()
        ):
            return PlainTextResponse("this address was good once", 404)
        stack = AsyncExitStack()
        pieces = await stack.enter_async_context(self._ledger.original(ticket.message_id))
        headers = {"Content-Disposition": f'attachment; filename="{ticket.message_id}.bin"'}
        return StreamingResponse(
            _closing(pieces, stack), media_type="application/octet-stream", headers=headers
        )


async def _closing(pieces: AsyncIterator[bytes], stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for piece in pieces:
            yield piece
