"""The gateway in front of simulated national services: tokens, adapter headers, faults.

A caller proves itself with a token of `/token` (client `lgsp`, secret `sandbox-secret`), or with
the headers of a VXP adapter (the same user and secret).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol, Self

from aiohttp import web

from adapters.faults import Fault, FaultyServer, Mode, misbehave

USER, SECRET = "lgsp", "sandbox-secret"
_WINDOW = 300  # seconds that a timestamp may be off


class Desk(Protocol):
    """One simulated service."""

    name: str
    guarded: bool  # by the gateway; else it looks itself who is calling

    async def answer(self, request: web.Request, path: str, body: bytes) -> web.Response:
        """`path` is what follows the service's name."""
        ...


class NationalSandbox:
    """Use as `async with NationalSandbox([...]) as sandbox`; `sandbox.url` has no end slash."""

    def __init__(self, desks: Iterable[Desk], *, host: str = "127.0.0.1", port: int = 0) -> None:
        """`port` 0 takes a free one."""
        self.desks = {desk.name: desk for desk in desks}
        self.asked: Counter[str] = Counter()  # requests let in, by service
        self.tokens: dict[str, float] = {}  # token → when it ends, of time.monotonic()
        self.token_seconds = 3600.0
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

    @property
    def url(self) -> str:
        return self._server.url

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/token", self._token)
        app.router.add_post("/_sandbox/fault", self._control)
        app.router.add_get("/_sandbox/asked", self._tell)
        app.router.add_route("*", "/{service}", self._serve)
        app.router.add_route("*", "/{service}/{path:.*}", self._serve)
        return app

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _tell(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self.asked)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        known = b64encode(f"{USER}:{SECRET}".encode()).decode()
        if not _same(request.headers.get("Authorization", ""), f"Basic {known}"):
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        token = secrets.token_hex(16)
        self.tokens[token] = time.monotonic() + self.token_seconds
        return web.json_response(
            {
                "access_token": token,
                "scope": "am_application_scope default",
                "token_type": "Bearer",
                "expires_in": int(self.token_seconds),
            }
        )

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        desk = self.desks.get(request.match_info["service"])
        if desk is None:
            return web.json_response({"fault": {"code": 404}}, status=404)
        if desk.guarded and not self._lets_in(request):
            return web.json_response({"fault": {"code": 900901}}, status=401)
        self.asked[desk.name] += 1
        body = await request.read()
        mode = self._server.switch.draw()
        if mode is Mode.REJECT:
            return _forbidden()
        answer = await desk.answer(request, request.match_info.get("path", ""), body)
        if mode is Mode.OK:
            return answer
        content = answer.body if isinstance(answer.body, bytes) else b""
        return await misbehave(request, mode, content, self._server.switch, _forbidden)

    def _lets_in(self, request: web.Request) -> bool:
        scheme, _, proof = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            return self.tokens.get(proof, 0.0) > time.monotonic()
        stamp = request.headers.get("Timestamp", "")
        if not stamp.isdigit() or abs(int(stamp) / 1000 - time.time()) > _WINDOW:
            return False
        text = f"{self.url}{request.raw_path}{USER}{stamp}{SECRET}"
        known = f"{USER}:{hashlib.sha256(text.encode()).hexdigest()}"
        return bool(request.headers.get("X-Road-Client")) and _same(
            proof, b64encode(known.encode()).decode()
        )


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _forbidden() -> web.Response:
    return web.json_response({"fault": {"code": 900908}}, status=403)
