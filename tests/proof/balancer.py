"""A small balancer before two gateways, which does what deploy/docs/balancer.md asks of a real one:
it asks each for /readyz, sends requests in turn to those that are ready, uses a connection to a
gateway for one request, and goes to the next gateway only when a connection could not be made.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

CHECK_SECONDS = 0.2
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host"})


class Balancer:
    """`async with Balancer(doors)`: its address is `url`."""

    def __init__(self, doors: Sequence[str]) -> None:
        self._doors = list(doors)
        self._turn = itertools.cycle(doors)
        self.ready: set[str] = set()
        self.served: Counter[str] = Counter()  # requests by door
        self.failed: list[str] = []  # requests that no gateway answered

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._http = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=120)
        )
        await asyncio.gather(*map(self._ask, self._doors))
        self._checks = [asyncio.create_task(self._check(door)) for door in self._doors]
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()

    async def _check(self, door: str) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._ask(door)

    async def _ask(self, door: str) -> None:
        try:
            async with self._http.get(f"{door}/readyz") as answer:
                up = answer.status == 200
        except (aiohttp.ClientError, OSError):
            up = False
        (self.ready.add if up else self.ready.discard)(door)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers["X-Forwarded-For"] = request.remote or ""
        for _ in self._doors:
            door = self._choose()
            try:
                async with self._http.request(
                    request.method, door + request.path_qs, data=body, headers=headers
                ) as answer:
                    content = await answer.read()
            except aiohttp.ClientConnectorError:
                self.ready.discard(door)
                continue
            except (aiohttp.ClientError, OSError) as error:
                self.failed.append(f"{request.method} {request.path} at {door}: {error!r}")
                return web.Response(status=502)
            self.served[door] += 1
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            kept.pop("Content-Length", None)
            return web.Response(body=content, status=answer.status, headers=kept)
        self.failed.append(f"{request.method} {request.path}: no gateway is ready")
        return web.Response(status=503)

    def _choose(self) -> str:
        for _ in self._doors:
            door = next(self._turn)
            if door in self.ready:
                return door
        return door
