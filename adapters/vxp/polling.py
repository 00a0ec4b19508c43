"""From the axis: lists, fetches, and says done or fail only after the inbox has spoken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any, NamedTuple, Self, TypeVar

import aiohttp
import structlog

from adapters.http import Answer, read_answer
from adapters.vxp import codec
from adapters.vxp.client import AxisClient, good, pieces_of
from adapters.vxp.codec import MessageType, Transport
from adapters.vxp.rows import base64_data
from schemas.adapter import Inbox
from schemas.errors import ConfigurationError, PartnerError, PartnerGarbage, PartnerRefused

log = structlog.get_logger(__name__)

_NO_DOWNLOAD = frozenset({404, 405, 501})
PATIENCE = 5
"""Packets that may fail to come before a round ends early."""

AHEAD = 8
"""Packets that are fetched, and as many that are acknowledged, while another is being taken."""

AHEAD_BYTES = 256 * 1024
"""A longer packet is not fetched ahead, but in pieces when its turn has come."""

HELD_ROUNDS = 20
"""Rounds for which a packet that does not come holds back what its sender has sent after it."""

Value = TypeVar("Value")


class Waiting(NamedTuple):
    """A packet in the axis's list."""

    doc_id: str
    sender: str


class Fetcher:
    """Fetches for one endpoint, round after round; packets are taken one by one, in order."""

    def __init__(self, client: AxisClient) -> None:
        self._client = client
        self._missed: Counter[str] = Counter()  # by docId: rounds in which it did not come

    async def poll(self, inbox: Inbox) -> int:
        """One round. A packet that does not come is left for the next, and what its sender has
        sent after it, too: a correction must not be here before its document.

        Raises the first failure when nothing came at all: an axis that fails now and then is
        asked again at its usual pace, a sick one is given time.
        """
        async with _Tasks() as tasks:
            current = _Round(self._client, inbox, tasks, self._missed)
            await current.run()
            await tasks.finished()
        if current.failures and not current.taken:
            raise current.failures[0]
        return current.taken


class _Tasks:
    """Tasks that do not outlive the round."""

    def __init__(self) -> None:
        self._all: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._all:
            task.cancel()
        await asyncio.gather(*self._all, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        task = asyncio.create_task(work)
        self._all.add(task)
        return task

    async def finished(self) -> None:
        """Raises what the first of them to fail has raised."""
        await asyncio.gather(*self._all)


class _Round:
    def __init__(
        self, client: AxisClient, inbox: Inbox, tasks: _Tasks, missed: Counter[str]
    ) -> None:
        self.taken = 0
        self.failures: list[PartnerError | ConfigurationError] = []
        self._client = client
        self._inbox = inbox
        self._tasks = tasks
        self._missed = missed
        self._held: set[str] = set()  # senders
        self._answering = asyncio.Semaphore(AHEAD)

    async def run(self) -> None:
        for kind in MessageType:
            try:
                waiting = await _list(self._client, kind)
            except PartnerError as error:
                self.failures.append(error)
                return
            await self._take_all(waiting)
            if len(self.failures) >= PATIENCE:
                return

    async def _take_all(self, waiting: Sequence[Waiting]) -> None:
        ahead: dict[str, asyncio.Task[bytes | None]] = {}
        for place, packet in enumerate(waiting):
            for each in waiting[place : place + AHEAD]:
                if each.doc_id not in ahead and each.sender not in self._held:
                    ahead[each.doc_id] = self._tasks.start(_short(self._client, each.doc_id))
            if packet.sender in self._held:
                continue
            await self._take(packet, await ahead.pop(packet.doc_id))
            if len(self.failures) >= PATIENCE:
                return

    async def _take(self, packet: Waiting, fetched: bytes | None) -> None:
        try:
            if fetched is None:
                async with _packet(self._client, packet.doc_id) as pieces:
                    taken = await self._inbox.take(packet.doc_id, pieces)
            else:
                taken = await self._inbox.take(packet.doc_id, _whole(fetched))
        except (PartnerError, ConfigurationError) as error:
            self._miss(packet, error)
            return
        self.taken += 1
        self._missed.pop(packet.doc_id, None)
        state = Transport.DONE if taken.accepted else Transport.FAIL
        await self._answering.acquire()
        self._tasks.start(self._answer(packet.doc_id, state))

    def _miss(self, packet: Waiting, error: PartnerError | ConfigurationError) -> None:
        """A proxy that will not let one packet pass (HTTP 403) must not stop the others, either."""
        self.failures.append(error)
        self._missed[packet.doc_id] += 1
        rounds = self._missed[packet.doc_id]
        if not isinstance(error, PartnerRefused) and rounds <= HELD_ROUNDS:
            self._held.add(packet.sender)
        log.warning("vxp.packet_not_fetched", doc_id=packet.doc_id, code=error.code, rounds=rounds)

    async def _answer(self, doc_id: str, state: Transport) -> None:
        """One that is not heard of comes again and is recognised."""
        try:
            await self._client.call("updateStatus", {"docId": doc_id, "status": state.value}, b"{}")
        except PartnerError as error:
            self.failures.append(error)
            log.warning("vxp.packet_not_acknowledged", doc_id=doc_id, code=error.code)
        finally:
            self._answering.release()


async def _list(client: AxisClient, kind: MessageType) -> list[Waiting]:
    """In the axis's order; a packet that several of our agencies receive stands once."""
    fields = {"servicetype": codec.SERVICE, "messagetype": kind.value}
    found: dict[str, Waiting] = {}
    async for row in client.rows("getReceivedEdocList", fields):
        if doc_id := codec.doc_id(row):
            found.setdefault(doc_id, Waiting(doc_id, str(row.get("from", ""))))
    return list(found.values())


async def _short(client: AxisClient, doc_id: str) -> bytes | None:
    """The packet; None when it is longer than `AHEAD_BYTES` or did not come: it is asked for
    again when its turn has come.
    """
    content = bytearray()
    try:
        async with _packet(client, doc_id) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) > AHEAD_BYTES:
                    return None
    except (PartnerError, ConfigurationError):
        return None
    return bytes(content)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


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
    if response.content_type == "text/html":
        raise _web_page()
    first = True
    async for piece in pieces_of(response):
        if first and piece.lstrip().startswith(b"{"):
            good("downloadEdoc", Answer(response.status, response.headers, piece))
            raise PartnerGarbage("the axis answered /downloadEdoc with JSON instead of a packet")
        if first and piece.lstrip()[:14].lower().startswith((b"<html", b"<!doctype html")):
            raise _web_page()
        first = False
        yield piece


def _web_page() -> PartnerGarbage:
    """Of a proxy in front of the axis, which gives it under 200: no packet, and no reason to tell
    the axis that its packet failed.
    """
    return PartnerGarbage(
        "/downloadEdoc: a web page instead of a packet",
        vi="/downloadEdoc: nhận được trang web thay vì gói tin",
    )
