"""Reading bodies: bounded in size and in silence, whichever way they arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from bus.gateway.body import Pieces, bounded
from bus.gateway.exchange import Exchange
from bus.gateway.problems import StatusError


def exchange(length: int | None = None) -> Exchange:
    async def send(_message: Message) -> None: ...

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Exchange({"type": "http", "headers": headers}, send)


def arriving(*pieces: bytes, pause: float | None = None, end: bool = True) -> Receive:
    """Says the pieces; with `pause` each only after so many seconds (0: the next turn)."""
    waiting = list(pieces)

    async def receive() -> Message:
        if pause is not None:
            await asyncio.sleep(pause)
        if not waiting:
            return {"type": "http.disconnect"}
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or not end}

    return receive


async def read(receive: Receive, *, limit: int = 100, idle: float = 5, **given: Any) -> bytes:
    pieces = Pieces(receive, exchange(**given), limit=limit, idle=idle)
    return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("pause", [None, 0, 0.001], ids=["there", "next turn", "later"])
async def test_all_pieces_in_order(pause: float | None) -> None:
    assert await read(arriving(b"ab", b"", b"c", pause=pause)) == b"abc"


async def test_empty_body() -> None:
    assert await read(arriving(b"")) == b""


@pytest.mark.parametrize("pause", [None, 0])
async def test_hanging_up_is_not_the_end_of_a_body(pause: float | None) -> None:
    with pytest.raises(ClientDisconnect):
        await read(arriving(b"ab", pause=pause, end=False))


@pytest.mark.parametrize("length", [101, None], ids=["declared", "found out"])
async def test_too_large(length: int | None) -> None:
    with pytest.raises(StatusError) as caught:
        await read(arriving(b"x" * 60, b"x" * 41), length=length)
    assert caught.value.status_code == 413
    assert (b"connection", b"close") in caught.value.extra


async def test_exactly_the_limit_is_allowed() -> None:
    assert len(await read(arriving(b"x" * 60, b"x" * 40), length=100)) == 100


async def test_silence_is_given_up() -> None:
    with pytest.raises(StatusError) as caught:
        await read(arriving(b"x", pause=60), idle=0.01)
    assert caught.value.status_code == 408


async def test_error_of_the_server_passes_through() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await read(receive)


async def test_cancellation_reaches_the_one_who_waits() -> None:
    cancelled = asyncio.Event()

    async def receive() -> Message:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    task = asyncio.create_task(read(receive))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_plain_awaitables_work_too() -> None:
    def receive() -> asyncio.Future[Message]:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        future.set_result({"type": "http.request", "body": b"x"})
        return future

    assert await read(receive) == b"x"


async def test_the_same_bounds_for_a_body_read_by_others() -> None:
    receive = bounded(arriving(b"x" * 60, b"x" * 60), exchange(), limit=100, idle=5)
    assert (await receive())["more_body"]
    with pytest.raises(StatusError):
        await receive()
