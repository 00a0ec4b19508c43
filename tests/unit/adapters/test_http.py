"""Outbound HTTP: bounded answers, no redirects, and what each failure means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from adapters.http import (
    FAILURES,
    MAX_ANSWER,
    MAX_PAUSE,
    Answer,
    exchange,
    failure_outcome,
    open_session,
    retry_after,
)
from schemas.adapter import Outcome, Result

LIMIT = aiohttp.ClientTimeout(total=1, connect=0.5, ceil_threshold=float("inf"))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[URL]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield URL(f"http://127.0.0.1:{site.port}/")
    await runner.cleanup()


async def get(url: URL, **options: object) -> Answer:
    async with open_session() as http:
        return await exchange(http, "GET", url, headers={}, timeout=LIMIT, **options)  # type: ignore[arg-type]


async def failing(url: URL) -> Outcome:
    with pytest.raises(FAILURES) as caught:
        await get(url)
    assert isinstance(caught.value, Exception)
    return failure_outcome(caught.value)


async def test_an_endless_answer_is_cut_at_the_limit() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10_000)

    async with serving(endless) as url:
        answer = await get(url)
    assert (answer.status, len(answer.body)) == (500, MAX_ANSWER)
    assert answer.text == "x" * 2000


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    paths = []

    async def move(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with serving(move) as url:
        assert (await get(url)).status == 302
    assert paths == ["/"]


async def test_cookies_and_compression_are_not_asked_for() -> None:
    seen = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers)
        response = web.Response()
        response.set_cookie("session", "1")
        return response

    async with serving(note) as url, open_session() as http:
        for _ in range(2):
            await exchange(http, "GET", url, headers={}, timeout=LIMIT)
    assert "Cookie" not in seen[1]
    assert seen[1]["Accept-Encoding"] == "identity"


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def hello(_: web.Request) -> web.StreamResponse:
        return web.Response(text="hello")

    async with serving(hello) as url:
        assert (await get(url)).text == "hello"


async def test_a_closed_port_is_not_reached(unused_tcp_port: int) -> None:
    outcome = await failing(URL(f"http://127.0.0.1:{unused_tcp_port}/"))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "partner-unavailable")
    assert "refused" in outcome.detail


async def test_a_name_that_does_not_exist_is_not_reached() -> None:
    class NoName(aiohttp.abc.AbstractResolver):
        async def resolve(self, *_: object, **__: object) -> list[aiohttp.abc.ResolveResult]:
            raise OSError("Name or service not known")

        async def close(self) -> None: ...

    url = URL("http://does-not-exist.invalid/")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoName())) as http:
        with pytest.raises(FAILURES) as caught:
            await exchange(http, "GET", url, headers={}, timeout=LIMIT)
    assert isinstance(caught.value, Exception)
    outcome = failure_outcome(caught.value)
    assert outcome.result is Result.TRANSIENT
    assert "name" in outcome.detail


async def test_a_plain_server_behind_https_is_not_reached() -> None:
    async def hello(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serving(hello) as url:
        outcome = await failing(url.with_scheme("https"))
    assert outcome.result is Result.TRANSIENT
    assert "TLS" in outcome.detail


@asynccontextmanager
async def speaking(said: bytes | None) -> AsyncIterator[URL]:
    """A server below HTTP: says this and closes, or (None) says nothing until the client leaves."""
    finished = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if said is None:
            await reader.read()
        else:
            writer.write(said)
        writer.close()
        await writer.wait_closed()
        finished.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await finished.wait()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "partner-garbage"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "partner-timeout"),
        (b"", "partner-timeout"),
        (None, "partner-timeout"),
    ],
)
async def test_an_answer_that_is_not_http_or_not_whole_is_unknown(
    said: bytes | None, code: str
) -> None:
    async with speaking(said) as url:
        outcome = await failing(url)
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, code)


def test_connecting_too_slowly_is_not_reached() -> None:
    outcome = failure_outcome(aiohttp.ConnectionTimeoutError())
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "partner-unavailable")


def test_a_certificate_of_a_stranger_is_not_reached() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    error = aiohttp.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError())
    assert failure_outcome(error).result is Result.TRANSIENT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("999999999", MAX_PAUSE),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    headers = CIMultiDictProxy(CIMultiDict({"Retry-After": value}))
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date_ahead() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    seconds = retry_after(CIMultiDictProxy(CIMultiDict({"Retry-After": when})))
    assert seconds is not None
    assert 80 < seconds <= 90
