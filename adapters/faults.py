"""How simulated partners misbehave on demand."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from enum import StrEnum
from ssl import SSLContext

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Mode(StrEnum):
    """What the sandbox does instead of answering properly."""

    OK = "ok"
    ERROR = "500"
    BUSY = "503"
    HANG = "hang"
    REFUSE = "refuse"
    GARBAGE = "garbage"
    SLOW = "slow"
    REJECT = "reject"
    CUT = "cut"
    HALF = "half"
    GONE = "410"
    UNSIGNED = "401"


KEEPS_MESSAGE = frozenset({Mode.OK, Mode.HANG, Mode.SLOW, Mode.CUT, Mode.HALF})
"""Modes in which the message takes effect although the bus may never hear of it."""


class Fault(BaseModel):
    """A fault switched on; the body of `POST /_sandbox/fault`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
    probability: float = Field(default=1.0, ge=0, le=1)  # share of the requests that meet it
    seconds: float | None = Field(default=None, gt=0)  # until it ends by itself; None: never
    retry_after: int = Field(default=1, ge=0)  # seconds, sent with 503


class FaultSwitch:
    """The fault that is on. Waiting requests are let go when it is switched or ends."""

    def __init__(self) -> None:
        self.fault = Fault(mode=Mode.OK)
        self._ends = float("inf")  # time.monotonic()
        self._released = asyncio.Event()

    def set(self, fault: Fault) -> None:
        self._released.set()
        self._released = asyncio.Event()
        self.fault = fault
        self._ends = time.monotonic() + fault.seconds if fault.seconds else float("inf")

    def draw(self) -> Mode:
        """What the next request meets."""
        if self.fault.mode is Mode.OK:
            return Mode.OK
        if time.monotonic() >= self._ends:
            self.set(Fault(mode=Mode.OK))
        hit = random.random() < self.fault.probability  # noqa: S311 - a dice for tests, no secret
        return self.fault.mode if hit else Mode.OK

    async def wait(self, at_most: float = float("inf")) -> bool:
        """Until the fault is over (True) or `at_most` seconds have passed (False)."""
        left = min(self._ends - time.monotonic(), at_most)
        try:
            async with asyncio.timeout(None if left == float("inf") else max(left, 0)):
                await self._released.wait()
        except TimeoutError:
            return left < at_most
        return True


class FaultyServer:
    """The HTTP server of a sandbox, with its switch; `refuse` closes the listening socket."""

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: SSLContext | None = None,
    ) -> None:
        """`port` 0 takes a free one."""
        self.switch = FaultSwitch()
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        self._site: web.TCPSite | None = None
        self._refusing: asyncio.Task[None] | None = None
        self._order: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self._ssl_context else "http"
        host, port = self._address
        return f"{scheme}://{host}:{port}"

    async def start(self) -> None:
        await self._runner.setup()
        await self._listen()

    async def close(self) -> None:
        self.switch.set(Fault(mode=Mode.OK))
        for task in (self._order, self._refusing):
            if task is not None:
                task.cancel()
        await self._runner.cleanup()

    async def apply(self, fault: Fault) -> None:
        self.switch.set(fault)
        if self._refusing is not None:
            self._refusing.cancel()
            self._refusing = None
        if fault.mode is not Mode.REFUSE:
            await self._listen()
            return
        await self._stop_listening()
        if fault.seconds:
            self._refusing = asyncio.create_task(self._listen_after(fault.seconds))

    async def control(self, request: web.Request) -> web.StreamResponse:
        """`POST /_sandbox/fault`."""
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            return _wrong_order("; ".join(each["msg"] for each in error.errors()))
        if fault.mode is Mode.REFUSE and fault.seconds is None:
            return _wrong_order("refuse needs seconds: a closed socket takes no more orders")
        if fault.mode is Mode.REFUSE:
            # in a task of its own, for it also closes this connection
            self._order = asyncio.create_task(self.apply(fault))
        else:
            await self.apply(fault)
        return web.json_response(fault.model_dump(mode="json"))

    async def _listen(self) -> None:
        if self._site is None:
            host, port = self._address
            self._site = web.TCPSite(
                self._runner, host, port, ssl_context=self._ssl_context, backlog=1024
            )
            await self._site.start()
            self._address = (host, self._site.port)

    async def _stop_listening(self) -> None:
        """No new connection is accepted, and the open ones are closed."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            if self._runner.server is not None:
                await self._runner.server.shutdown(timeout=0.2)

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.switch.set(Fault(mode=Mode.OK))
        await self._listen()


def _wrong_order(text: str) -> web.Response:
    return web.json_response({"status": 400, "detail": text}, status=400)


async def misbehave(
    request: web.Request,
    mode: Mode,
    answer: bytes,
    switch: FaultSwitch,
    refusal: Callable[[], web.Response],
) -> web.StreamResponse:
    """The answer of a request that met `mode`; `answer` is what a healthy sandbox would say,
    `refusal` makes what it says to a message that it will never take.
    """
    match mode:
        case Mode.REJECT:
            return refusal()
        case Mode.HANG:
            await switch.wait()
            return web.Response(body=answer, content_type="application/json")
        case Mode.SLOW:
            return await _drip(request, answer, switch)
        case Mode.HALF:
            return await _half(request, answer)
        case Mode.CUT | Mode.REFUSE:
            return _cut(request)
        case _:
            return _wrong(mode, switch.fault.retry_after)


def _wrong(mode: Mode, retry_after: int) -> web.Response:
    match mode:
        case Mode.ERROR:
            return web.Response(status=500, text="Internal Server Error")
        case Mode.BUSY:
            return web.Response(status=503, headers={"Retry-After": str(retry_after)})
        case Mode.GONE | Mode.UNSIGNED:
            return web.Response(status=int(mode))
        case _:
            return web.Response(text="<html>Cổng thông tin</html>", content_type="text/html")


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, answer: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = len(answer)
    await response.prepare(request)
    await response.write(answer[: len(answer) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _drip(request: web.Request, answer: bytes, switch: FaultSwitch) -> web.StreamResponse:
    """One byte every 50 ms: each arrives in time, the whole does not."""
    response = web.StreamResponse()
    response.content_length = len(answer)
    await response.prepare(request)
    for position in range(len(answer)):
        await response.write(answer[position : position + 1])
        await switch.wait(at_most=0.05)
    return response
