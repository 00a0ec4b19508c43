"""The harness of mailbox: its routes in miniature on a real server, and the simulated client."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from adapters.http import open_session
from adapters.mailbox.sandbox import Account, MailboxClient, SimulatedCrash
from adapters.receipts import ReceiptBook
from tests.contract.adapter_conformance import PullHarness

ACCOUNT = Account(agency="H38.02", client_id="h38-02", client_secret="client-secret-of-h38-02")


@dataclass
class Waiting:
    """One delivery in the mailbox."""

    id: int
    message_id: str
    packet: bytes
    kind: str = "document"
    sha256: str = ""  # as listed; wrong on purpose in one test
    ack: dict[str, str] | None = None


class MailboxServer:
    """The bus's side of the protocol of adapters/mailbox/README.md."""

    def __init__(self) -> None:
        self.mailbox: list[Waiting] = []
        self.documents: dict[str, bytes] = {}  # by Idempotency-Key
        self.tokens: set[str] = set()
        self.fetches = 0
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.2)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.port}"

    async def close(self) -> None:
        await self._runner.cleanup()

    def put(self, packet: bytes, *, kind: str = "document", sha256: str = "") -> Waiting:
        digest = sha256 or hashlib.sha256(packet).hexdigest()
        item = Waiting(len(self.mailbox) + 1, str(uuid.uuid4()), packet, kind, digest)
        self.mailbox.append(item)
        return item

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/v1/token", self._token)
        app.router.add_get("/api/v1/mailbox", self._list)
        app.router.add_get("/api/v1/mailbox/{id}/content", self._content)
        app.router.add_post("/api/v1/mailbox/{id}/ack", self._ack)
        app.router.add_post("/api/v1/documents", self._accept)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = (form["grant_type"], form["client_id"], form["client_secret"])
        if given != ("client_credentials", ACCOUNT.client_id, ACCOUNT.client_secret):
            raise web.HTTPUnauthorized
        token = uuid.uuid4().hex
        self.tokens.add(token)
        return web.json_response({"access_token": token, "expires_in": 3600})

    def _authorise(self, request: web.Request) -> None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise web.HTTPUnauthorized

    def _find(self, request: web.Request) -> Waiting:
        self._authorise(request)
        number = int(request.match_info["id"])
        return next(each for each in self.mailbox if each.id == number)

    async def _list(self, request: web.Request) -> web.Response:
        self._authorise(request)
        if request.query["agency"] != ACCOUNT.agency:
            raise web.HTTPForbidden
        limit, after = int(request.query["limit"]), int(request.query.get("cursor") or 0)
        waiting = [each for each in self.mailbox if each.ack is None and each.id > after]
        page = waiting[:limit]
        return web.json_response(
            {
                "items": [_listed(each) for each in page],
                "next": str(page[-1].id) if len(waiting) > limit else None,
            }
        )

    async def _content(self, request: web.Request) -> web.Response:
        self.fetches += 1
        return web.Response(body=self._find(request).packet, content_type="application/xml")

    async def _ack(self, request: web.Request) -> web.Response:
        item = self._find(request)
        item.ack = await request.json()
        return web.json_response({})

    async def _accept(self, request: web.Request) -> web.Response:
        self._authorise(request)
        self.documents[request.headers["Idempotency-Key"]] = await request.read()
        return web.json_response({}, status=202)


def _listed(item: Waiting) -> dict[str, object]:
    return {
        "deliveryId": item.id,
        "messageId": item.message_id,
        "kind": item.kind,
        "sender": "H38.01",
        "receiver": ACCOUNT.agency,
        "size": len(item.packet),
        "sha256": item.sha256,
        "acceptedAt": "2026-12-01T01:02:03.000004+00:00",
        "lane": "normal",
        "subject": "Báo cáo",
    }


class MailboxHarness(PullHarness):
    def __init__(self) -> None:
        self.config = {}
        self.server = MailboxServer()
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / "arrivals.ndjson"
        self._book = ReceiptBook(self._log)
        self._http: aiohttp.ClientSession | None = None
        self._crash = ""

    async def start(self) -> None:
        await self.server.start()
        self._http = open_session()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
        await self.server.close()
        self._book.close()
        self._folder.cleanup()

    async def put(self, packet: bytes) -> str:
        return self.server.put(packet).message_id

    async def poll(self) -> int:
        assert self._http is not None
        client = MailboxClient(self.server.url, ACCOUNT, self._book, self._http)
        client.crash, self._crash = self._crash, ""
        try:
            return await client.poll()
        except SimulatedCrash:  # all that a restarted system still has is its file
            self._book.close()
            self._book = ReceiptBook(self._log)
            return 0

    def crash_next(self, place: str) -> None:
        self._crash = place

    def effects(self, message_id: str) -> int:
        return sum(each.first and each.message_id == message_id for each in self._book.received)

    def acknowledged(self, message_id: str) -> bool:
        return any(
            each.message_id == message_id and each.ack is not None for each in self.server.mailbox
        )
