"""The post behind the platform, simulated: tokens, orders, cancellations, tracking.

`python -m adapters.vnpost.sandbox --port 9301 --key truc --secret-file key` runs it as a process.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import uvloop
from aiohttp import web

from adapters.faults import KEEPS_MESSAGE, Fault, FaultyServer, Mode, misbehave

_REQUIRED = (
    "CustomerCode",
    "OrderNumber",
    "SenderProvince",
    "SenderAddress",
    "SenderName",
    "SenderTel",
    "ReceiverName",
    "ReceiverAddress",
    "ReceiverTel",
    "ReceiverProvince",
)


class PostSandbox:
    """The simulated post. Use as `async with PostSandbox(...) as post`."""

    def __init__(self, key: str, secret: bytes, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """`port` 0 takes a free one."""
        self.orders: dict[str, dict[str, Any]] = {}
        self.tracking: dict[str, list[dict[str, str]]] = {}
        self.arrivals: list[str] = []  # numbers of all orders that were read
        self.lookups = 0
        self._basic = "Basic " + base64.b64encode(key.encode() + b":" + secret).decode()
        self._tokens: set[str] = set()
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
        return f"{self._server.url}/apiVNPostNGSP/p1.0"

    @property
    def token_url(self) -> str:
        return f"{self._server.url}/token"

    async def set_fault(self, mode: Mode | str, **details: Any) -> None:
        """Switches a fault on (`ok` switches it off); details as the fields of `Fault`."""
        await self._server.apply(Fault(mode=Mode(mode), **details))

    def forget_tokens(self) -> None:
        """As when the platform was restarted."""
        self._tokens.clear()

    def move(self, number: str, status: str, title: str) -> None:
        """The parcel has come somewhere."""
        now = time.strftime("%d/%m/%Y %H:%M:%S")
        row = {"StatusCode": status, "StatusName": title, "Time": now, "Location": "Bưu cục Mẫu"}
        self.tracking.setdefault(number, []).append(row)

    def _app(self) -> web.Application:
        app = web.Application()
        base = "/apiVNPostNGSP/p1.0/order"
        app.router.add_post("/token", self._token)
        app.router.add_post(f"{base}/post", self._handler(self._place))
        app.router.add_post(f"{base}/cancel", self._handler(self._cancel))
        app.router.add_get(f"{base}/tracking", self._handler(self._track))
        app.router.add_post("/_sandbox/fault", self._control)
        return app

    async def _control(self, request: web.Request) -> web.StreamResponse:
        return await self._server.control(request)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != self._basic:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = secrets.token_hex(16)
        self._tokens.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return web.json_response(answer)

    def _handler(
        self, serve: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self._tokens:
                return web.json_response({"fault": "Invalid Credentials"}, status=401)
            given = orjson.loads(await request.read() or b"{}") | dict(request.query)
            if serve == self._place:
                self.arrivals.append(str(given.get("OrderNumber")))
            mode = self._server.switch.draw()
            if mode is Mode.OK:
                return web.Response(
                    body=orjson.dumps(serve(given)), content_type="application/json"
                )
            told = orjson.dumps(serve(given)) if mode in KEEPS_MESSAGE else b""
            return await misbehave(request, mode, told, self._server.switch, _refusal)

        return handle

    def _place(self, given: Mapping[str, Any]) -> dict[str, Any]:
        missing = next((name for name in _REQUIRED if not given.get(name)), None)
        if missing is not None:
            return {"code": "02", "message": f"Trường {missing} bắt buộc"}
        for name in ("SenderProvince", "ReceiverProvince"):
            if not isinstance(given[name], int):
                return {"code": "02", "message": f"Trường {name} không hợp lệ"}
        number = str(given["OrderNumber"])
        if number in self.orders:
            return {"code": "03", "message": f"Đơn hàng {number} đã tồn tại"}
        self.orders[number] = dict(given)
        self.move(number, "100", "Đã tiếp nhận yêu cầu")
        item = f"EM{len(self.orders):09d}VN"
        return {"code": "00", "message": "Thành công", "content": {"ItemCode": item}}

    def _cancel(self, given: Mapping[str, Any]) -> dict[str, Any]:
        number = str(given.get("OrderNumber"))
        if number not in self.orders:
            return {"code": "04", "message": f"Đơn hàng {number} không tồn tại"}
        last = self.tracking[number][-1]["StatusCode"]
        if last == "101":
            return {"code": "05", "message": f"Đơn hàng {number} đã hủy"}
        if last != "100":
            return {"code": "06", "message": "Không thể hủy đơn đã lấy hàng"}
        self.move(number, "101", "Đã hủy")
        return {"code": "00", "message": "Thành công"}

    def _track(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self.lookups += 1
        rows = self.tracking.get(str(given.get("OrderNumber")), [])
        return {"code": "00", "message": "Thành công", "content": rows}


def _refusal() -> web.Response:
    return web.json_response({"code": "02", "message": "Trường ReceiverTel không hợp lệ"})


async def _serve(options: argparse.Namespace) -> None:
    secret = options.secret_file.read_bytes().strip()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with PostSandbox(options.key, secret, host=options.host, port=options.port) as post:
        print(post.url, flush=True)  # noqa: T201 - the address is the program's output
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.vnpost.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", required=True, help="consumer key")
    parser.add_argument("--secret-file", type=Path, required=True, help="consumer secret")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
