"""Large originals towards receivers that do not wait for their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from adapters.http import open_session
from adapters.registry import create
from adapters.rest_push.codec import MESSAGE_ID
from schemas.adapter import Adapter, Result
from tests.contract.adapter_conformance import idle, large
from tests.waiting import wait_until

SIZE = 20_000_000  # more than the socket buffers hold


def connect(http: aiohttp.ClientSession, port: int) -> Adapter:
    config = {
        "url": f"http://127.0.0.1:{port}/",
        "secret": "s",
        "connect_seconds": 0.5,
        "answer_seconds": 0.3,
        "min_upload_rate": 100_000_000,
    }
    return create("rest-push", config, http=http, secrets=lambda _: b"secret of 16 bytes and more")


@asynccontextmanager
async def answering(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    """A receiver that answers without having read the body."""
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site.port
    await runner.cleanup()


async def test_an_ack_before_the_end_of_the_body_does_not_count() -> None:
    async def hasty(request: web.BaseRequest) -> web.StreamResponse:
        ack = {"messageId": request.headers[MESSAGE_ID], "receipt": "VB-1"}
        return web.json_response(ack)

    delivery, original = large(SIZE)
    async with answering(hasty) as port, open_session() as http:
        outcome = await connect(http, port).deliver(delivery)
        await wait_until(lambda: original.open_now == 0, what="the original closed")
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, "partner-garbage")


async def test_a_refusal_before_the_end_of_the_body_is_heard() -> None:
    async def too_large(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=413)

    delivery, original = large(SIZE)
    async with answering(too_large) as port, open_session() as http:
        outcome = await connect(http, port).deliver(delivery)
        await wait_until(lambda: original.open_now == 0, what="the original closed")
    assert (outcome.result, outcome.code) == (Result.REJECTED, "partner-refused")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_receiver_that_stops_reading_holds_nothing(cancelled: bool) -> None:
    left = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await left.wait()
        writer.close()

    delivery, original = large(SIZE)
    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with server, open_session() as http:
        adapter = connect(http, server.sockets[0].getsockname()[1])
        start = time.monotonic()
        task = asyncio.create_task(adapter.deliver(delivery))
        if cancelled:
            await wait_until(lambda: original.open_now, what="the upload begun")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            outcome = await task
            assert (outcome.result, outcome.code) == (Result.UNKNOWN, "partner-timeout")
            assert time.monotonic() - start < 0.5 + 0.3 + 0.2 + 2  # the rest is for a busy machine
        await wait_until(lambda: original.open_now == 0, what="the original closed")
        await wait_until(lambda: idle(http), what="no connection held")
        left.set()
        await wait_until(lambda: len(asyncio.all_tasks()) == 1, what="no task left")
