"""Where the baselines deliver to: tells what came, and when. `python -m tests.bench.sink`."""

from __future__ import annotations

import argparse
import hashlib
import time

import uvloop
from aiohttp import web


def application() -> web.Application:
    arrivals: list[tuple[str, float]] = []  # SHA-256, seconds since 1970

    async def take(request: web.Request) -> web.Response:
        digest = hashlib.sha256(await request.read()).hexdigest()
        arrivals.append((digest, time.time()))
        return web.json_response({"receipt": str(len(arrivals))})

    async def count(_request: web.Request) -> web.Response:
        return web.json_response(len(arrivals))

    async def list_arrivals(_request: web.Request) -> web.Response:
        return web.json_response(arrivals)

    app = web.Application()
    app.router.add_post("/documents", take)
    app.router.add_get("/count", count)
    app.router.add_get("/arrivals", list_arrivals)
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=parser.parse_args().port, print=None)


if __name__ == "__main__":
    main()
