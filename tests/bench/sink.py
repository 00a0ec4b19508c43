"""Where the baseline delivers to: counts, and tells how many came. `python -m tests.bench.sink`."""

from __future__ import annotations

import argparse

import uvloop
from aiohttp import web


def application() -> web.Application:
    seen = [0]

    async def take(request: web.Request) -> web.Response:
        await request.read()
        seen[0] += 1
        return web.json_response({"receipt": str(seen[0])})

    async def count(_request: web.Request) -> web.Response:
        return web.json_response(seen[0])

    app = web.Application()
    app.router.add_post("/documents", take)
    app.router.add_get("/count", count)
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=parser.parse_args().port, print=None)


if __name__ == "__main__":
    main()
