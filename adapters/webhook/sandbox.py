"""A simulated portal that publishes the progress of dossiers.

`python -m adapters.webhook.sandbox --port 9103 --secret-file key` runs it as a process.
It verifies what it gets, keeps each event once, publishes a page for each dossier, and misbehaves
on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave
from adapters.receipts import Receipt, ReceiptBook
from adapters.webhook import codec

MAX_EVENT = 16 * 1024 * 1024
"""Bytes of a body that are taken."""


class Portal:
    """The simulated portal. Use as `async with Portal(...) as portal`, then `portal.url`."""

    def __init__(
        self,
        *,
        secrets: tuple[bytes, ...],
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        """`port` 0 takes a free one; `log` is the NDJSON file of all arrivals."""
        self.secrets = secrets  # replace them to rotate
        self.book = ReceiptBook(log)
        self.events: dict[str, dict[str, Any]] = {}  # by id, in order of arrival
        self._server = FaultyServer(self._app(), host=host, port=port)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.close()
        self.book.close()

    @property
    def url(self) -> str:
        """Where events are posted."""
        return f"{self._server.url}/hooks/dossiers"

    def progress_of(self, code: str) -> list[dict[str, Any]]:
        """What is published of a dossier, in order of arrival."""
        return [each for each in self.events.values() if each["code"] == code]

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_EVENT)
        app.router.add_post("/hooks/dossiers", self._receive)
        app.router.add_get("/dossiers/{code}", self._publish)
        app.router.add_post("/_sandbox/fault", self._control)
        app.router.add_get("/_sandbox/received", self._report)
        return app

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        mode = self._server.switch.draw()
        body = await request.read()
        if not codec.verify(request.headers, body, self.secrets, time.time()):
            return _problem(401, "bad-signature")
        told = orjson.loads(body)
        event_id = request.headers[codec.ID]
        if told["id"] != event_id:
            return _problem(422, "another-id")
        if mode not in KEEPS_MESSAGE:
            return await self._misbehave(request, mode, b"")
        known = self.book.effects.get(event_id)
        receipt = self._keep(event_id, body, told)
        answer = orjson.dumps({"id": event_id, "receipt": receipt.receipt})
        if mode is not Mode.OK:
            return await self._misbehave(request, mode, answer)
        status = 200 if known is None else 409
        return web.Response(status=status, body=answer, content_type=codec.JSON)

    def _keep(self, event_id: str, body: bytes, told: dict[str, Any]) -> Receipt:
        self.events.setdefault(event_id, told)
        marks = {"step": "id", "dossier": "status", "change": "change"}
        mark = told["data"].get(marks[told["kind"]])
        return self.book.record(
            message_id=event_id,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            sender=told["agency"],
            kind=told["kind"],
            attempt=0,  # an event does not say
            identity=f"{told['code']} {told['kind']} {mark}",
        )

    async def _publish(self, request: web.Request) -> web.Response:
        """Trang tra cứu: what anybody may read of a dossier."""
        found = self.progress_of(request.match_info["code"])
        if not found:
            return _problem(404, "unknown-dossier")
        return web.Response(body=orjson.dumps(found), content_type=codec.JSON)

    async def _misbehave(
        self, request: web.Request, mode: Mode, answer: bytes
    ) -> web.StreamResponse:
        return await misbehave(request, mode, answer, self._server.switch, _refusal)

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _report(self, request: web.Request) -> web.Response:
        """Counts, and the arrivals after number `since`."""
        since = int(request.query.get("since", "0"))
        report = {
            "events": len(self.book.effects),
            "repeats": self.book.repeats,
            "items": [each._asdict() for each in self.book.received[since:]],
        }
        return web.Response(body=orjson.dumps(report), content_type=codec.JSON)


def _refusal() -> web.Response:
    return _problem(422, "not-published-here")


def _problem(status: int, code: str) -> web.Response:
    body = orjson.dumps({"status": status, "code": code})
    return web.Response(status=status, body=body, content_type="application/problem+json")


async def _serve(options: argparse.Namespace) -> None:
    secrets = tuple(path.read_bytes().strip() for path in options.secret_file)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with Portal(
        secrets=secrets, host=options.host, port=options.port, log=options.log
    ) as portal:
        print(portal.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.webhook.sandbox")
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
