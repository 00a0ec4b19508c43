"""A receiver that fails on the one message it cannot read, and takes all others."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.proof.judge import Book


class Picky:
    """Answers 500 to every message that contains `poison`, until that is None."""

    def __init__(self, path: Path, *, poison: str | None = None) -> None:
        self.book = Book(path)
        self.poison = poison
        self.refused = 0
        self.url = ""
        self._known: set[str] = set()
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/documents", self._receive)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.port}/documents"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.poison is not None and self.poison.encode() in body:
            self.refused += 1
            return web.Response(status=500)
        message_id = request.headers["LGSP-Message-Id"]
        digest = hashlib.sha256(body).hexdigest()
        first = message_id not in self._known
        self._known.add(message_id)
        line = {
            "message_id": message_id,
            "sha256": digest,
            "first": first,
            "at": time.time(),
        }
        with self.book.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return web.json_response({"messageId": message_id, "receipt": "1", "sha256": digest})
