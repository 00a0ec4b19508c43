"""Answers that are too long to hold: lists of rows and packets in base64, taken as they come."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from adapters.vxp.codec import Reply, parse_reply
from schemas.errors import PartnerGarbage

MAX_ENVELOPE = 64 * 1024
"""Bytes of everything around `data`."""

MAX_ROW = 256 * 1024  # characters

_LIST = re.compile(r'(?<!\\)"data"\s*:\s*\[')
_TEXT = re.compile(rb'(?<!\\)"data"\s*:\s*"')
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|([/rnt]))")
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


class Rows:
    """The rows of `data`, one at a time; then `reply` holds the envelope.

    Memory is that of one row and one piece, whatever the length of the list.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0  # what is before it has been looked at
        self._undecoded = b""
        self._ended = False
        self.reply: Reply | None = None

    async def __aiter__(self) -> AsyncGenerator[Mapping[str, Any], None]:
        """Raises PartnerGarbage when it is no such answer, or ends too early."""
        head = await self._head()
        if head is None:
            self._finish(self._text)
            return
        while (row := await self._row()) is not None:
            yield row
        await self._rest()
        self._finish(f"{head}null{self._text}")

    async def _more(self) -> bool:
        if self._ended:
            return False
        piece = await anext(self._pieces, b"")
        self._ended = not piece
        data = self._undecoded + piece
        try:
            text = data.decode()
        except UnicodeDecodeError as error:  # a character cut in two, or no UTF-8 at all
            if error.start < len(data) - 3 or self._ended:
                raise _garbage("not UTF-8") from None
            text = data[: error.start].decode()
        self._undecoded = data[len(text.encode()) :]
        self._text += text
        return not self._ended

    async def _head(self) -> str | None:
        """Everything up to the list; None when the answer ended without one."""
        while True:
            found = _LIST.search(self._text)
            if found is not None:
                self._at = found.end()
                return self._text[: found.end() - 1]
            if len(self._text) > MAX_ENVELOPE:
                raise _garbage("no list where one is expected")
            if not await self._more():
                return None

    async def _row(self) -> Mapping[str, Any] | None:
        while True:
            between = _BETWEEN.match(self._text, self._at)
            start = between.end() if between else self._at
            if self._text.startswith("]", start):
                self._text, self._at = self._text[start + 1 :], 0
                return None
            try:
                row, self._at = _DECODER.raw_decode(self._text, start)
            except ValueError:
                self._text, self._at = self._text[start:], 0
                if len(self._text) > MAX_ROW or not await self._more():
                    raise _garbage("a row that cannot be read") from None
                continue
            except RecursionError:
                raise _garbage("a row of endless nesting") from None
            if not isinstance(row, dict):
                raise _garbage("a row that is no object")
            return row

    async def _rest(self) -> None:
        while await self._more():
            if len(self._text) > MAX_ENVELOPE:
                raise _garbage("too much behind the list")

    def _finish(self, envelope: str) -> None:
        self.reply = parse_reply(envelope.encode())
        if self.reply is None:
            raise _garbage("not an answer of the document axis")


async def base64_data(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The bytes of `data`, which holds base64, in pieces: what /getEdoc answers.

    Raises PartnerGarbage when there is no such text, it is cut off, or it is not base64 to its end.
    """
    buffer = b""
    padded = False
    async with aclosing(_until_data(pieces)) as texts:
        async for text in texts:
            buffer += text
            whole = len(buffer) - len(buffer) % 4
            if whole:
                if padded:
                    raise _garbage("base64 that goes on after its end")
                padded = buffer[:whole].endswith(b"=")
                yield _decoded(buffer[:whole])
                buffer = buffer[whole:]
    if buffer:
        raise _garbage("base64 that is cut off")


async def _until_data(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The text of `data` without escapes, up to its closing quote."""
    held, inside = b"", False
    async for piece in pieces:
        held += piece
        if not inside:
            found = _TEXT.search(held)
            if found is None:
                if len(held) > MAX_ENVELOPE:
                    break
                continue
            held, inside = held[found.end() :], True
        text, quote, _ = held.partition(b'"')
        if quote:
            yield _plain(text)
            return
        escape = held.rfind(b"\\", -6)  # perhaps not all of an escape is here
        cut = len(held) if escape < 0 else escape
        if cut:
            yield _plain(held[:cut])
        held = held[cut:]
    raise _garbage("an answer without a packet")


def _plain(text: bytes) -> bytes:
    """Without JSON's escapes and the line ends that some encoders put into base64."""
    if b"\\" in text:
        text = _ESCAPE.sub(_meant, text)
    return text


def _meant(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return chr(int(escape[1], 16)).encode("utf-8", "replace").strip()
    return b"/" if escape[2] == b"/" else b""


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise _garbage("base64 that cannot be read") from None


def _garbage(what: str) -> PartnerGarbage:
    return PartnerGarbage(
        f"the axis answered {what}", vi=f"Trục quốc gia trả lời sai giao thức ({what})"
    )
