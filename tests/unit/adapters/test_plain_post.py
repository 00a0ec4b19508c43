"""Small POSTs over kept connections: bounded like everything, and each failure means one thing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from yarl import URL

from adapters.http import FAILURES, MAX_ANSWER, failure_outcome
from adapters.plain_post import PlainPost
from schemas.adapter import Result
from tests.certificates import certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script, **options: object) -> AsyncIterator[URL]:
    """A server that does with each connection what `script` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    async with server:
        scheme = "https" if options else "http"
        yield URL(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/in?x=%C3%A1")


async def request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
    return head, await reader.readexactly(length)


@asynccontextmanager
async def posting(url: URL) -> AsyncIterator[PlainPost]:
    client = PlainPost(url, tls=True, connect_seconds=20)
    yield client
    client.close()


def answering(*pieces: bytes) -> Script:
    """Each piece on its own, then the end of the connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return script


async def meaning(url: URL, *, seconds: float = 10) -> tuple[Result, str]:
    async with posting(url) as client:
        with pytest.raises(FAILURES) as caught:
            await client.post({}, b"x", seconds=seconds)
    assert isinstance(caught.value, Exception)
    outcome = failure_outcome(caught.value)
    return outcome.result, outcome.detail


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_one_connection_serves_many_and_each_request_is_whole(run: Callable[..., None]) -> None:
    run(_many())


async def _many() -> None:
    got: list[tuple[str, bytes]] = []
    connections = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            got.append(await request(reader))
            writer.write(OK)

    async with serving(script) as url, posting(url) as client:
        for number in range(3):
            answer = await client.post({"A": "á"}, b"body %d" % number, seconds=10)
            assert (answer.status, answer.body) == (200, b"ok")
    assert connections == 1
    assert [body for _, body in got] == [b"body 0", b"body 1", b"body 2"]
    lines = got[0][0].split("\r\n")
    assert lines[0] == "POST /in?x=%C3%A1 HTTP/1.1"
    assert {f"Host: {url.host}:{url.port}", "A: á", "Accept-Encoding: identity"} < set(lines)


async def test_a_connection_that_the_partner_has_closed_is_not_used_again() -> None:
    async with serving(answering(OK)) as url, posting(url) as client:
        for _ in range(3):
            assert (await client.post({}, b"x", seconds=10)).body == b"ok"
            until = asyncio.get_running_loop().time() + 10
            while client.kept:
                assert asyncio.get_running_loop().time() < until
                await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((OK[:20], OK[20:]), b"ok"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), b"ok"),
        ((b"HTTP/1.1 200 OK\r\n\r\nto the", b" end"), b"to the end"),
        ((b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",), b"x"),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",),
            b"ab",
        ),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 500 No\r\nContent-Length: 999999999\r\n\r\n", b"x" * 200_000), None),
    ],
)
async def test_answers_of_every_form(pieces: tuple[bytes, ...], body: bytes | None) -> None:
    async with serving(answering(*pieces)) as url, posting(url) as client:
        answer = await client.post({}, b"x", seconds=10)
    assert answer.body == (b"x" * MAX_ANSWER if body is None else body)


async def test_a_second_answer_ends_the_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for word in (b"a", b"b"):
            await request(reader)
            writer.write((OK + OK).replace(b"ok", word * 2))

    async with serving(script) as url, posting(url) as client:
        assert [(await client.post({}, b"x", seconds=10)).body for _ in range(2)] == [b"aa"] * 2


async def test_what_each_failure_means() -> None:
    async with serving(answering(b"SMTP ready\r\n")) as url:
        assert await meaning(url) == (Result.UNKNOWN, "The partner's answer is not HTTP.")
    async with serving(answering(OK[:-1])) as url:
        result, detail = await meaning(url)
        assert (result, "broke" in detail) == (Result.UNKNOWN, True)
    async with serving(answering()) as url:
        result, detail = await meaning(url)
        assert (result, "broke" in detail) == (Result.UNKNOWN, True)
    result, detail = await meaning(url)  # the server is gone
    assert (result, "refused" in detail) == (Result.TRANSIENT, True)
    result, detail = await meaning(URL("http://khong-co.invalid/"))
    assert (result, "resolved" in detail) == (Result.TRANSIENT, True)


async def test_a_partner_that_is_silent_is_left_after_the_time_allowed() -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.read()
        gone.set()

    async with serving(silent) as url:
        result, detail = await meaning(url, seconds=0.05)
        assert (result, "time allowed" in detail) == (Result.UNKNOWN, True)
        async with asyncio.timeout(10):
            await gone.wait()


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(chain, key)
    async with serving(answering(OK), ssl=own) as url:
        result, detail = await meaning(url)
        assert (result, "TLS" in detail) == (Result.TRANSIENT, True)
        trusting = ssl.create_default_context(cafile=str(chain))
        client = PlainPost(url, tls=trusting, connect_seconds=10)
        assert (await client.post({}, b"x", seconds=10)).body == b"ok"
        client.close()


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b"])
async def test_no_value_becomes_another_header(value: str) -> None:
    async with posting(URL("http://127.0.0.1:9/")) as client:
        with pytest.raises(ValueError, match="line break"):
            await client.post({"A": value}, b"", seconds=1)
