"""The receiving systems of a province in one process: each keeps a book of all that arrives.

`python -m tests.proof.receivers FOLDER NAME=PORT … [--tls NAME=FOLDER]` writes FOLDER/NAME.ndjson.
They know what the protocol of `rest-push` asks of a receiver (each message id takes effect once)
and read edXML by hand: no code of the bus judges what arrived.  How they fail is the sandboxes'
(`POST /_sandbox/fault`).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import ssl
import time
from pathlib import Path

import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, FaultyServer, Mode, misbehave
from tests.proof import packets

HEAD = 64 * 1024  # bytes of a packet that are looked into


class Receiver:
    def __init__(self, name: str, port: int, book: Path, tls: ssl.SSLContext | None) -> None:
        self.name = name
        self._book = book.open("a")
        self._known = {json.loads(line)["message_id"] for line in book.read_text().splitlines()}
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/documents", self._receive)
        app.router.add_get("/documents/{message_id}", self._look_up)
        app.router.add_post("/_sandbox/fault", self._control)
        self.server = FaultyServer(app, port=port, ssl_context=tls)

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self.server.control(request)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        mode = self.server.switch.draw()
        digest, size, head = hashlib.sha256(), 0, b""
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
            if len(head) < HEAD:
                head += piece
        if mode not in KEEPS_MESSAGE:
            return await self._misbehave(request, mode, b"")
        message_id = request.headers["LGSP-Message-Id"]
        self._note(message_id, request.headers.get("LGSP-Kind", ""), digest.hexdigest(), size, head)
        answer = {"messageId": message_id, "receipt": "1", "sha256": digest.hexdigest()}
        body = json.dumps(answer).encode()
        if mode is not Mode.OK:
            return await self._misbehave(request, mode, body)
        return web.Response(body=body, content_type="application/json")

    def _note(self, message_id: str, kind: str, sha256: str, size: int, head: bytes) -> None:
        line = {
            "message_id": message_id,
            "sha256": sha256,
            "first": message_id not in self._known,
            "size": size,
            "at": time.time(),
        }
        self._known.add(message_id)
        if kind in {"dossier", "step"}:
            line["sha256"] = packets.says(json.loads(head))
        elif kind == "status":
            line["status"] = packets.status_of(head)
        self._book.write(json.dumps(line) + "\n")
        self._book.flush()

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        mode = self.server.switch.draw()
        message_id = request.match_info["message_id"]
        if mode not in {Mode.OK, Mode.REJECT}:
            return await self._misbehave(request, mode, b"{}")
        if message_id not in self._known:
            return web.json_response({"status": 404}, status=404)
        return web.json_response({"messageId": message_id, "receipt": "1"})

    async def _misbehave(
        self, request: web.Request, mode: Mode, answer: bytes
    ) -> web.StreamResponse:
        return await misbehave(request, mode, answer, self.server.switch, _refusal)


def _refusal() -> web.Response:
    return web.json_response({"status": 422, "code": "not-ours"}, status=422)


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    secured = dict(each.split("=", 1) for each in options.tls)
    receivers = []
    for each in options.systems:
        name, port = each.split("=")
        context = None
        if name in secured:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(
                Path(secured[name]) / "cert.pem", Path(secured[name]) / "key.pem"
            )
        receivers.append(Receiver(name, int(port), options.folder / f"{name}.ndjson", context))
    for receiver in receivers:
        await receiver.server.start()
    await stop.wait()
    for receiver in receivers:
        await receiver.server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.receivers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("systems", nargs="+", help="NAME=PORT")
    parser.add_argument("--tls", action="append", default=[], help="NAME=FOLDER of cert.pem")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
