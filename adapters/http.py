"""The one place where outbound HTTP is configured: pooled, bounded in time, bounded in size.

Every adapter of a process shares one session from `open_session()` and makes every call through
`exchange()`.  Redirects are never followed and proxies of the environment never used: an endpoint
is the address an administrator declared and nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ssl import SSLContext, SSLError

import aiohttp
from aiohttp.payload import Payload
from multidict import CIMultiDictProxy
from yarl import URL

from schemas.adapter import Outcome, Result
from schemas.errors import (
    ConfigurationError,
    LgspError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read; what comes after them is never looked at."""

MAX_PAUSE = 3600.0
"""Seconds; a partner cannot ask for a longer pause than this with Retry-After."""

SAFETY_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
"""For a call that gives no timeout of its own; adapters give theirs."""

FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What `exchange()` raises; `failure_outcome()` says what each one means."""

HEADERS = {
    "User-Agent": "lgsp-bus",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
"""Of every request."""

KEEP_SECONDS = 15.0
"""How long an idle connection is kept."""

LOST_SECONDS = 20
"""After so long without a sign of life from the partner's machine a connection is given up: a power
cut or a pulled cable tells nobody, and each attempt would otherwise wait for its whole time."""
PROBE_SECONDS = 5  # a connection on which nothing moves is asked so often


class NotReached(OSError):
    """No connection came about; nothing has left."""


class NotHttp(OSError):
    """What the partner answered is not HTTP."""


_NOT_REACHED = (NotReached, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the partner answered, its body cut to `MAX_ANSWER` bytes."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as `Outcome.answer` keeps it: at most 2,000 characters, never failing."""
        return self.body[:8000].decode(errors="replace")[:2000]


def watch_for_loss(connection: socket.socket) -> None:
    """Let the kernel find out that the other machine is gone (tcp(7), RFC 5482)."""
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_SECONDS),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_SECONDS),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_SECONDS * 1000),
    ):
        connection.setsockopt(level, option, value)


def _watched(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    watch_for_loss(made)
    return made


def open_session() -> aiohttp.ClientSession:
    """The session of this process; whoever opens it closes it, after the last adapter.

    The pool itself has no limit: the engine bounds the concurrency of each endpoint, and a shared
    limit would let a hanging partner starve the others.  Idle connections are dropped after 15 s,
    before most servers drop them, so that a stale one is rarely taken.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=0, keepalive_timeout=KEEP_SECONDS, socket_factory=_watched
        ),
        timeout=SAFETY_TIMEOUT,
        headers=HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def exchange(
    http: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    headers: Mapping[str, str],
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own, it also bounds the connect
    data: bytes | Payload | None = None,
    tls: SSLContext | bool = True,
) -> Answer:
    """One request and its answer. `timeout.total` bounds the whole, slow answers included.

    Raises one of `FAILURES`.
    """
    async with open_answer(
        http, method, url, headers=headers, data=data, timeout=timeout, tls=tls
    ) as response:
        return await read_answer(response)


@asynccontextmanager
async def open_answer(
    http: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    headers: Mapping[str, str],
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own, it also bounds the connect
    data: bytes | Payload | None = None,
    tls: SSLContext | bool = True,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The same for an answer that is read in pieces."""
    async with http.request(
        method, url, headers=headers, data=data, timeout=timeout, ssl=tls, allow_redirects=False
    ) as response:
        yield response


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    return Answer(response.status, response.headers, await _read_capped(response.content))


async def read_whole(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """A body that must be read to its end. Raises PartnerGarbage beyond `limit` bytes."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise PartnerGarbage(
                f"the partner's answer is larger than {limit:,} bytes",
                vi=f"Trả lời của đối tác lớn hơn {limit:,} byte",
            )
    return bytes(body)


async def _read_capped(content: aiohttp.StreamReader) -> bytes:
    body = await content.readany()
    while len(body) <= MAX_ANSWER and not content.at_eof():
        body += await content.readany()
    return body[:MAX_ANSWER]


def failure_outcome(error: Exception) -> Outcome:
    """What an exception of `exchange()` says about the delivery: not reached, or unknown."""
    if isinstance(error, _NOT_REACHED):
        detail = f"The partner's system was not reached ({_cause(error)})."
        return Outcome(Result.TRANSIENT, code=PartnerUnavailable.code, detail=detail)
    if isinstance(error, TimeoutError):
        detail = "The partner did not answer completely within the time allowed."
        return Outcome(Result.UNKNOWN, code=PartnerTimeout.code, detail=detail)
    if isinstance(error, (NotHttp, aiohttp.ClientResponseError)):
        detail = "The partner's answer is not HTTP."
        return Outcome(Result.UNKNOWN, code=PartnerGarbage.code, detail=detail)
    if isinstance(error, (aiohttp.ClientError, OSError)):
        detail = f"The connection broke before a complete answer ({type(error).__name__})."
        return Outcome(Result.UNKNOWN, code=PartnerTimeout.code, detail=detail)
    # ValueError: aiohttp refuses to write a header with a line break; nothing has left
    detail = "The request could not be written as HTTP: a header holds a forbidden character."
    return Outcome(Result.TRANSIENT, code=ConfigurationError.code, detail=detail)


def failure_error(error: Exception) -> LgspError:
    """The same as an error, for calls that are answered at once: PartnerError or
    ConfigurationError.
    """
    outcome = failure_outcome(error)
    kind, vi = _ERRORS[outcome.code]
    return kind(outcome.detail, vi=vi)


_ERRORS: dict[str, tuple[type[LgspError], str]] = {
    PartnerUnavailable.code: (PartnerUnavailable, "Không kết nối được hệ thống của đối tác."),
    PartnerTimeout.code: (PartnerTimeout, "Đối tác không trả lời trọn vẹn trong thời hạn."),
    PartnerGarbage.code: (PartnerGarbage, "Đối tác trả lời không phải HTTP."),
    ConfigurationError.code: (ConfigurationError, "Tiêu đề HTTP có ký tự không gửi được."),
}


def _cause(error: Exception) -> str:
    """Names the kind of failure; the text of the error may hold addresses, so it is left out."""
    match error.__cause__ if isinstance(error, NotReached) else error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "its name could not be resolved"
        case aiohttp.ClientSSLError() | SSLError():
            return "TLS could not be agreed"
        case aiohttp.ConnectionTimeoutError() | TimeoutError():
            return "connecting took too long"
        case _:
            return "the connection was refused or has no route"


def retry_after(headers: CIMultiDictProxy[str]) -> float | None:
    """Retry-After in seconds, as a number or a date (RFC 9110 §10.2.3), within `MAX_PAUSE`."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_PAUSE)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:  # "-0000" leaves the zone open; HTTP dates are GMT
        when = when.replace(tzinfo=UTC)
    return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), MAX_PAUSE)
