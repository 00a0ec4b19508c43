"""A large original as the body of a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

PIECE = 256 * 1024
"""Bytes written at once; a larger piece is cut so that others get their turn."""


class Upload(Payload):
    """Reads pieces inside aiohttp's writer, so that ending the request in any way also ends the
    reading and closes the original.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], size: int, media_type: str) -> None:
        """`size` in bytes is what the pieces must come to."""
        super().__init__(pieces, content_type=media_type)
        self._size = size  # becomes Content-Length: servers of the field break on chunked bodies
        self._pieces = pieces
        self._expected = size
        self.written = 0  # bytes handed to the connection
        self.fault = ""  # why the original could not be read: a fault of this side

    def decode(
        self,
        encoding: str = "utf-8",  # noqa: ARG002 - aiohttp's signature
        errors: str = "strict",  # noqa: ARG002 - aiohttp's signature
    ) -> str:
        raise TypeError("an original is sent as bytes and never decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        async with aclosing(self._checked()) as pieces:
            async for piece in pieces:
                self.written += len(piece)
                await writer.write(piece)

    async def _checked(self) -> AsyncGenerator[bytes, None]:
        """The pieces; notes a fault when they cannot be read or are not as many as promised."""
        total = 0
        try:
            async with aclosing(self._pieces) as pieces:
                async for piece in cut(pieces):
                    total += len(piece)
                    if total > self._expected:
                        break
                    yield piece
        except Exception as error:
            self.fault = f"The original could not be read ({type(error).__name__})."
            raise
        if total != self._expected:
            self.fault = "The original does not have the size that the ledger says."
            raise ValueError(self.fault)


async def cut(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        for start in range(0, len(piece), PIECE):
            yield piece[start : start + PIECE]
