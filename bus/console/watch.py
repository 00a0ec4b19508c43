"""Pages stay open for hours: this closes them once their session has ended."""

from __future__ import annotations

import asyncio

import structlog
from nicegui import Client

from bus.console.desk import Desk
from bus.console.door import VISITOR
from bus.console.visitor import Visitor
from schemas.errors import LedgerUnavailable

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
GOODBYE_SECONDS = 2.0  # for the browser to hear of it; acts are refused from now on
PURGE_ROUNDS = 120


def visitor_of_client(client: Client) -> Visitor | None:
    found: Visitor | None = client.request.scope.get(VISITOR)
    return found


def owns(client_id: str, session: bytes) -> bool:
    """Whether the page with this live connection was opened in this session."""
    client = Client.instances.get(client_id)
    visitor = None if client is None else visitor_of_client(client)
    return visitor is not None and visitor.session.hash == session


async def follow(desk: Desk) -> None:
    """Until cancelled."""
    rounds = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        rounds += 1
        try:
            await _look(desk)
            if rounds % PURGE_ROUNDS == 0:
                await desk.ledger.accounts.purge(now=desk.ledger.clock())
        except LedgerUnavailable:
            log.debug("console.ledger_away")


async def _look(desk: Desk) -> None:
    opened: dict[bytes, list[Client]] = {}
    for client in list(Client.instances.values()):
        if client.has_socket_connection and (visitor := visitor_of_client(client)) is not None:
            opened.setdefault(visitor.session.hash, []).append(client)
    for session, clients in opened.items():
        found = await desk.still(session)
        for client in clients:
            visitor = visitor_of_client(client)
            if found is None or visitor is None or found[1].role != visitor.account.role:
                client.open("/login")
                asyncio.get_running_loop().call_later(GOODBYE_SECONDS, client.delete)
