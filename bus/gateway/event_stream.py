"""Server-sent events (WHATWG HTML §9.2): an answer that goes on until one side ends it."""

from __future__ import annotations

import asyncio

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bus.gateway.access import Caller
from bus.gateway.feed import Batch, Feed, Follows
from bus.gateway.gate import Gate
from bus.gateway.problems import StatusError

log = structlog.get_logger("gateway")

HEARTBEAT = 15.0  # seconds of silence after which the client hears that the stream lives
SLOW = 30.0  # seconds a client may take to accept what is sent
LONGEST = 3600.0  # seconds; then the client comes again, with a token that is still good
RETRY = 2000  # milliseconds a client waits before it comes again

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(Response):
    """Events behind a cursor, for one subscriber.

    Memory: one batch of the feed, and what the server buffers before it makes `send` wait.  A
    client that does not take it in `SLOW` seconds is dropped; it comes again with `Last-Event-ID`
    and misses nothing.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, gate: Gate, caller: Caller, after: int) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._feed = feed
        self._gate = gate
        self._caller = caller
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        with self._feed.stream():
            telling = asyncio.create_task(self._tell(send))
            leaving = asyncio.create_task(_until_gone(receive))
            try:
                await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (telling, leaving):
                    task.cancel()
                await asyncio.wait({telling, leaving})
            if not telling.cancelled() and (error := telling.exception()) is not None:
                raise error

    async def _tell(self, send: Send) -> None:
        """Raises ClientDisconnect when the client is too slow."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            await _send(send, f"retry: {RETRY}\n\n".encode())
            ends = asyncio.get_running_loop().time() + LONGEST
            batches = self._feed.batches(self._after, self._follows, silence=HEARTBEAT)
            async for batch in batches:
                await _send(send, _written(batch))
                if asyncio.get_running_loop().time() >= ends:
                    break
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info("stream.client_too_slow", client=self._caller.id)
            raise ClientDisconnect from None

    def _follows(self) -> Follows | None:
        """As the configuration has it now: a client that is suspended hears nothing more."""
        caller = self._gate.again(self._caller.id)
        return None if caller is None else caller.follows


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SLOW):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while True:
        try:
            message = await receive()
        except StatusError:  # nothing came for a while: there is no body to come
            continue
        if message["type"] == "http.disconnect":
            return


def _written(batch: Batch) -> bytes:
    """The last line moves the client's cursor past what is not for it; no event is made of it."""
    lines = [
        b"id: %d\nevent: %s\ndata: %s\n\n" % (each.position, each.kind.encode(), each.content)
        for each in batch.events
    ]
    if not batch.events or batch.events[-1].position != batch.last:
        lines.append(b": heartbeat\nid: %d\n\n" % batch.last)
    return b"".join(lines)
