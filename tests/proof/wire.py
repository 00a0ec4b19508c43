"""A TCP proxy between the bus and what it talks to: cuts, silences, slows and garbles.

`async with Wire(port) as wire`, then connect to `wire.port`.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Literal, Self

Mode = Literal["open", "cut", "silent", "slow", "garbled"]
"""cut: connections are reset and none is taken; silent: they stay and nothing passes, as behind a
firewall that drops; slow: 100 ms for each piece; garbled: a byte of each piece is wrong."""

PIECE = 64 * 1024


class Wire:
    def __init__(self, port: int) -> None:
        """`port` is where the other side listens, on this machine."""
        self._to = port
        self._mode: Mode = "open"
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._generation = 0  # connections of earlier ones were forgotten
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.set("cut")
        await asyncio.sleep(0)

    async def set(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "silent":
            self._passes.clear()
        else:
            self._passes.set()
        if mode == "cut":
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in self._writers:
                writer.transport.abort()
        elif self._server is None:
            await self._listen()

    def forget(self) -> None:
        """What goes over the connections of this moment vanishes from now on, their ends as well;
        new ones are served. As after a firewall has lost its table, or the other side its machine.
        """
        self._generation += 1

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        born = self._generation
        try:
            with contextlib.suppress(OSError, RuntimeError):  # uvloop: the handler is closed
                there, back = await asyncio.open_connection("127.0.0.1", self._to)
                self._writers.add(back)
                try:
                    both = self._pass(reader, back, born), self._pass(there, writer, born)
                    await asyncio.gather(*both)
                finally:
                    self._writers.discard(back)
                    back.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, born: int
    ) -> None:
        while piece := await reader.read(PIECE):
            await self._passes.wait()
            if born < self._generation:
                continue
            if self._mode == "slow":
                await asyncio.sleep(0.1)
            if self._mode == "garbled":
                piece = piece[:-1] + bytes([piece[-1] ^ 0xFF])
            writer.write(piece)
            await writer.drain()
        if born == self._generation and writer.can_write_eof():
            writer.write_eof()
