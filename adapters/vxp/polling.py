"""From the axis: lists, fetches, and says done or fail only after the inbox has spoken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import aiohttp
import structlog

from adapters.http import Answer, read_answer
from adapters.vxp import codec
from adapters.vxp.client import AxisClient, good, pieces_of
from adapters.vxp.codec import MessageType, Transport
from adapters.vxp.rows import base64_data
from schemas.adapter import Inbox
from schemas.errors import PartnerError, PartnerGarbage

log = structlog.get_logger(__name__)

_NO_DOWNLOAD = frozenset({404, 405, 501})
PATIENCE = 5
"""Packets that may fail to come before a round ends early."""


async def poll(client: AxisClient, inbox: Inbox) -> int:
    """One round. A packet that does not come is left for the next round and stops no other.

    Raises the first such failure when nothing came at all: an axis that fails now and then is
    asked again at its usual pace, a sick one is given time.
    """
    taken = 0
    failures: list[PartnerError] = []
    for kind in MessageType:
        for doc_id in await _waiting(client, kind):
            try:
                await _take(client, inbox, doc_id)
            except PartnerError as error:
                failures.append(error)
                log.warning("vxp.packet_not_fetched", doc_id=doc_id, code=error.code)
                if len(failures) >= PATIENCE:
                    return _round(taken, failures)
            else:
                taken += 1
    return _round(taken, failures)


def _round(taken: int, failures: list[PartnerError]) -> int:
    if failures and not taken:
        raise failures[0]
    return taken


async def _waiting(client: AxisClient, kind: MessageType) -> list[str]:
    """DocIds in the order of the list; one that several of our agencies receive stands once."""
    fields = {"servicetype": codec.SERVICE, "messagetype": kind.value}
    found: dict[str, None] = {}
    async for row in client.rows("getReceivedEdocList", fields):
        if doc_id := codec.doc_id(row):
            found[doc_id] = None
    return list(found)


async def _take(client: AxisClient, inbox: Inbox, doc_id: str) -> None:
    async with _packet(client, doc_id) as pieces:
        taken = await inbox.take(doc_id, pieces)
    state = Transport.DONE if taken.accepted else Transport.FAIL
    await client.call("updateStatus", {"docId": doc_id, "status": state.value}, b"{}")


@asynccontextmanager
async def _packet(client: AxisClient, doc_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """The packet in pieces: /downloadEdoc, or /getEdoc where the axis is older than that."""
    fields = {"docId": doc_id, "filePath": ""}
    async with client.open("downloadEdoc", fields, method="GET") as response:
        if response.status not in _NO_DOWNLOAD:
            async with aclosing(_raw(response)) as pieces:
                yield pieces
            return
    async with client.open("getEdoc", fields, b"{}") as response:
        if response.status != HTTPStatus.OK:
            good("getEdoc", await read_answer(response))
        async with aclosing(base64_data(pieces_of(response))) as pieces:
            yield pieces


async def _raw(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """Raises PartnerError when it is a refusal instead of a packet."""
    if response.status != HTTPStatus.OK:
        good("downloadEdoc", await read_answer(response))
    first = True
    async for piece in pieces_of(response):
        if first and piece.lstrip().startswith(b"{"):
            good("downloadEdoc", Answer(response.status, response.headers, piece))
            raise PartnerGarbage("the axis answered /downloadEdoc with JSON instead of a packet")
        first = False
        yield piece
