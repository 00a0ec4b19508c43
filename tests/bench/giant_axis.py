"""A national document axis with one packet of any size, never whole in its memory, for the bench.

It keeps nothing: what it does with a bus is only long.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from aiohttp import web

from adapters.vxp import codec
from adapters.vxp.codec import MessageType, Transport
from adapters.vxp.signing import Signed, verify
from tests.bench.soap_vxp import as_base64

SYSTEM, SECRET_NAME, SECRET = "00.99.W00", "axis", b"secret-of-the-bench"  # of the bus there
REMOTE = "H98.14"  # an agency beyond the axis

Packet = Callable[[], Iterable[bytes]]


class GiantAxis:
    """Use as `async with GiantAxis() as axis`."""

    def __init__(self) -> None:
        self.has_download = True  # False: an axis that only has /getEdoc
        self.uploaded = 0  # bytes of all uploads
        self.url = ""
        self._offered: dict[str, Packet] = {}  # by docId, until the bus has said done
        self._runner = web.AppRunner(self._app(), access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.port}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    def offer(self, doc_id: str, packet: Packet) -> None:
        self._offered[doc_id] = packet

    def declared(self) -> dict[str, object]:
        """What the bus declares to reach it."""
        config = {"url": self.url, "systemid": SYSTEM, "secret": SECRET_NAME, "poll_seconds": 0.2}
        return {
            "endpoints": [{"name": "truc", "kind": "vxp", "config": config}],
            "agencies": [{"code": REMOTE, "name": "Sở Xây dựng tỉnh bạn", "endpoint": "truc"}],
        }

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=0)
        app.router.add_post("/sendEdoc", self._send)
        app.router.add_post("/getReceivedEdocList", self._list)
        app.router.add_get("/downloadEdoc", self._download)
        app.router.add_post("/getEdoc", self._get)
        app.router.add_post("/updateStatus", self._update)
        return app

    async def _send(self, request: web.Request) -> web.Response:
        async for piece in request.content.iter_chunked(1 << 18):
            self.uploaded += len(piece)
        return _good({"DocId": "giant"})

    async def _list(self, request: web.Request) -> web.Response:
        edoc = _signed(request).get("messagetype") == MessageType.EDOC.value
        rows = [{"docId": each, "from": REMOTE} for each in self._offered if edoc]
        return _good({"data": rows})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if not self.has_download:
            return web.Response(status=404)
        return await _streamed(request, self._offered[_signed(request).get("docid")]())

    async def _get(self, request: web.Request) -> web.StreamResponse:
        head, _, tail = codec.reply({"data": "@"}).partition(b"@")
        packet = as_base64(self._offered[_signed(request).get("docid")]())
        return await _streamed(request, itertools.chain((head,), packet, (tail,)))

    async def _update(self, request: web.Request) -> web.Response:
        signed = _signed(request)
        assert signed.get("status") == Transport.DONE.value, "the bus refused the packet"
        self._offered.pop(signed.get("docid"), None)
        return _good()


async def _streamed(request: web.Request, pieces: Iterable[bytes]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):  # the bus hangs up on what is too long to fetch ahead
        for piece in pieces:
            await response.write(piece)
    return response


def _signed(request: web.Request) -> Signed:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return verify(headers, SECRET, datetime.now(UTC))


def _good(fields: dict[str, object] | None = None) -> web.Response:
    return web.Response(body=codec.reply(fields), content_type=codec.JSON)
