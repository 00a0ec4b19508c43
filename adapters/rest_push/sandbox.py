"""A simulated agency document system that accepts rest-push messages.

`python -m adapters.rest_push.sandbox --port 9101 --secret-file key` runs it as a process.
It checks what a real receiver must check, keeps each message once, and misbehaves on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import time
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import orjson
import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave
from adapters.identity import IdentityReader
from adapters.receipts import Receipt, ReceiptBook
from adapters.rest_push import codec

_JSON = "application/json"


class Sandbox:
    """The simulated system. Use as `async with Sandbox(...) as sandbox`, then `sandbox.url`."""

    def __init__(
        self,
        *,
        secrets: tuple[bytes, ...],
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
        keep_bodies: bool = False,
        ssl_context: SSLContext | None = None,
    ) -> None:
        """`port` 0 takes a free one; `log` is the NDJSON file of all arrivals."""
        self.book = ReceiptBook(log)
        self.bodies: dict[str, bytes] = {}  # by message id, when keep_bodies
        self.lookups = 0
        self._secrets = secrets
        self._keep_bodies = keep_bodies
        self._server = FaultyServer(self._app(), host=host, port=port, ssl_context=ssl_context)
        self._switch = self._server.switch

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Where messages are posted; `{url}/{messageId}` is the look-up."""
        return f"{self._server.url}/documents"

    @property
    def received(self) -> list[Receipt]:
        """Every arrival in order, repeats included."""
        return self.book.received

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        await self._server.close()
        self.book.close()

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/documents", self._receive)
        app.router.add_get("/documents/{message_id}", self._look_up)
        app.router.add_post("/_sandbox/fault", self._control)
        app.router.add_get("/_sandbox/received", self._report)
        return app

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        mode = self._switch.draw()
        headers = request.headers
        message_id = headers.get(codec.MESSAGE_ID, "")
        signed = codec.verify("POST", headers, self._secrets, time.time())
        digest, size, body, identity = await self._read(request)
        if not message_id or not signed:
            return _problem(401, "bad-signature")
        if digest != headers.get(codec.DIGEST):
            return _problem(401, "bad-digest")
        if mode not in KEEPS_MESSAGE:
            return await self._misbehave(request, mode, b"")
        known = self.book.effects.get(message_id)
        if self._keep_bodies and known is None:
            self.bodies[message_id] = body
        attempt = headers.get(codec.ATTEMPT, "")
        receipt = self.book.record(
            message_id=message_id,
            sha256=digest,
            size=size,
            sender=headers.get(codec.SENDER, ""),
            kind=headers.get(codec.KIND, ""),
            attempt=int(attempt) if attempt.isdecimal() else 0,
            identity=identity,
        )
        answer = _ack(known or receipt, duplicate=known is not None)
        if mode is not Mode.OK:
            return await self._misbehave(request, mode, answer)
        return web.Response(status=409 if known else 200, body=answer, content_type=_JSON)

    async def _read(self, request: web.Request) -> tuple[str, int, bytes, str]:
        """Digest and size of the body, the body itself when it is to be kept, and what it is."""
        digest, size, kept, packet = hashlib.sha256(), 0, [], IdentityReader()
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
            packet.feed(piece)
            if self._keep_bodies:
                kept.append(piece)
        return digest.hexdigest(), size, b"".join(kept), packet.close()

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        self.lookups += 1
        mode = self._switch.draw()
        message_id = request.match_info["message_id"]
        if request.headers.get(codec.MESSAGE_ID) != message_id or not codec.verify(
            "GET", request.headers, self._secrets, time.time()
        ):
            return _problem(401, "bad-signature")
        known = self.book.effects.get(message_id)
        if mode not in {Mode.OK, Mode.REJECT}:
            return await self._misbehave(request, mode, _ack(known) if known else b"{}")
        if known is None:
            return _problem(404, "unknown-message")
        return web.Response(body=_ack(known), content_type=_JSON)

    async def _misbehave(
        self, request: web.Request, mode: Mode, answer: bytes
    ) -> web.StreamResponse:
        return await misbehave(request, mode, answer, self._switch, _refusal)

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _report(self, request: web.Request) -> web.StreamResponse:
        """Counts, and the arrivals after number `since`."""
        since = int(request.query.get("since", "0"))
        report = {
            "messages": len(self.book.effects),
            "repeats": self.book.repeats,
            "lookups": self.lookups,
            "items": [each._asdict() for each in self.received[since:]],
        }
        return web.Response(body=orjson.dumps(report), content_type=_JSON)


def _ack(receipt: Receipt, *, duplicate: bool = False) -> bytes:
    fields = {
        "messageId": receipt.message_id,
        "receipt": receipt.receipt,
        "sha256": receipt.sha256,
    }
    return orjson.dumps(fields | {"status": "duplicate"} if duplicate else fields)


def _refusal() -> web.Response:
    return web.json_response(
        {"title": "Văn bản bị từ chối", "status": 422, "code": "not-ours"},
        status=422,
        content_type="application/problem+json",
    )


def _problem(status: int, code: str) -> web.Response:
    body = orjson.dumps({"status": status, "code": code})
    return web.Response(status=status, body=body, content_type="application/problem+json")


async def _serve(options: argparse.Namespace) -> None:
    secrets = tuple(path.read_bytes().strip() for path in options.secret_file)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Sandbox(
        secrets=secrets, host=options.host, port=options.port, log=options.log
    ) as sandbox:
        print(sandbox.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.rest_push.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="NDJSON file of all arrivals")
    parser.add_argument(
        "--secret-file",
        type=Path,
        action="append",
        required=True,
        help="file with a signing secret; twice while a secret is being replaced",
    )
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
