"""How the simulated agency misbehaves on demand."""

from __future__ import annotations

import asyncio
import random
import time
from enum import StrEnum

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field


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


async def misbehave(
    request: web.Request, mode: Mode, answer: bytes, switch: FaultSwitch
) -> web.StreamResponse:
    """The answer of a request that met `mode`; `answer` is what a healthy sandbox would say."""
    match mode:
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
        case Mode.REJECT:
            return web.json_response(
                {"title": "Văn bản bị từ chối", "status": 422, "code": "not-ours"},
                status=422,
                content_type="application/problem+json",
            )
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
