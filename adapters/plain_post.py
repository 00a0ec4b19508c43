"""Small POSTs to one address over connections that are kept: a quarter of aiohttp's price.

Only what a hot path needs: the body is in memory and written at once, the answer is read whole or
cut at `MAX_ANSWER`.  Everything else (uploads in pieces, look-ups, other methods) goes through
`adapters.http.exchange`, whose rules hold here, too: no redirect, no proxy, everything bounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast

import httptools
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from adapters.http import (
    HEADERS,
    KEEP_SECONDS,
    MAX_ANSWER,
    Answer,
    NotHttp,
    NotReached,
    watch_for_loss,
)


class PlainPost:
    """Connections to one address. Safe for many calls at once; whoever makes it closes it."""

    def __init__(self, url: URL, *, tls: ssl.SSLContext | bool, connect_seconds: float) -> None:
        self._host, self._port = url.raw_host or "", url.port or 0
        self._tls: ssl.SSLContext | None = None
        if url.scheme == "https":
            self._tls = tls if isinstance(tls, ssl.SSLContext) else ssl.create_default_context()
        self._connect_seconds = connect_seconds
        own = {"Host": url.host_port_subcomponent or "", **HEADERS}
        self._head = f"POST {url.raw_path_qs} HTTP/1.1\r\n" + _lines(own)
        self._idle: list[_Connection] = []
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(self, headers: Mapping[str, str], body: bytes, *, seconds: float) -> Answer:
        """The answer, complete within `seconds` of the writing.

        Raises NotReached, NotHttp, TimeoutError, OSError (it broke), ValueError (a header cannot be
        written; nothing has left).
        """
        head = f"{self._head}{_lines(headers)}Content-Length: {len(body)}\r\n\r\n".encode()
        connection = self._kept() or await self._connect()
        answer = await connection.ask(head + body, seconds)
        if connection.usable:
            self._keep(connection)
        return answer

    @property
    def kept(self) -> int:
        """Idle connections that can be used."""
        return sum(connection.usable for connection in self._idle)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    def _keep(self, connection: _Connection) -> None:
        self._idle.append(connection)
        if self._sweeping is None:
            loop = asyncio.get_running_loop()
            self._sweeping = loop.call_later(KEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Drop what has been idle for long, before the partner does."""
        loop = asyncio.get_running_loop()
        stale = loop.time() - KEEP_SECONDS
        for connection in self._idle:
            if connection.used_at <= stale:
                connection.close()
        self._idle = [each for each in self._idle if each.usable]
        again = self._idle[0].used_at + KEEP_SECONDS if self._idle else None
        self._sweeping = loop.call_at(again, self._sweep) if again is not None else None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    _Connection, self._host, self._port, ssl=self._tls
                )
        except TimeoutError as error:
            raise NotReached("connecting took too long") from error
        except OSError as error:  # ssl.SSLError and socket.gaierror are some
            raise NotReached from error
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time. `httptools` calls the methods named `on_…`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._body = bytearray()
        self._to_the_end = False  # of the connection: the body has no length of its own
        self.used_at = 0.0

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, seconds: float) -> Answer:
        transport = self._transport
        if transport is None or not self.usable:  # just made, and gone already
            raise ConnectionResetError
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body = CIMultiDict(), bytearray()
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        timer = self._loop.call_later(seconds, self._fail, TimeoutError())
        transport.write(request)
        try:
            return await answer
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._answer = None
            self.used_at = self._loop.time()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: BaseException) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # --- the transport --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        watch_for_loss(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():  # nobody has asked
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(NotHttp())

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if error is None and self._to_the_end:
            self._done(keep=False)
        else:
            self._fail(error if isinstance(error, OSError) else ConnectionResetError())

    # --- the parser -----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():  # a second answer
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        known = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
        status = self._parser.get_status_code()
        self._to_the_end = not known and status >= 200 and status not in {204, 304}

    def on_body(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) >= MAX_ANSWER:
            self._done(keep=False)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # the answer itself comes behind it
            self._headers.clear()
            return
        self._done(keep=self._parser.should_keep_alive())

    def _done(self, *, keep: bool) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        headers = CIMultiDictProxy(self._headers)
        body = bytes(self._body[:MAX_ANSWER])
        answer.set_result(Answer(self._parser.get_status_code(), headers, body))
        if not keep:
            self.close()


def _lines(headers: Mapping[str, str]) -> str:
    """Raises ValueError when a value would end its line."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError("a header holds a line break or NUL")
    return text
