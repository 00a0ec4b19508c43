"""multipart/related (RFC 2387) in pieces, in and out: how MTOM/XOP carries binary parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from schemas.errors import InvalidRequest

_PLAIN = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type, taken apart."""

    name: str
    parameters: dict[str, str]

    @classmethod
    def of(cls, header: bytes) -> MediaType:
        name, parameters = parse_options_header(header)
        return cls(
            name.decode("latin-1").lower(),
            {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in parameters.items()},
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of one part; its bytes follow."""

    content_id: str = ""  # without the angle brackets


Item = Part | bytes | Literal["end"]
"""A part's beginning, its bytes, its end."""


async def whole(body: AsyncIterator[bytes]) -> AsyncIterator[Item]:
    """A body that is not multipart: its one part."""
    yield Part()
    async for piece in body:
        yield piece
    yield "end"


async def parts(body: AsyncIterator[bytes], boundary: str) -> AsyncIterator[Item]:
    """Raises InvalidRequest for what is not multipart, or ends too early."""
    reader = _Reader(boundary)
    async for piece in body:
        for item in reader.feed(piece):
            yield item
    if not reader.ended:
        raise _malformed("the last boundary is missing")


class _Reader:
    def __init__(self, boundary: str) -> None:
        self.ended = False
        self._items: list[Item] = []
        self._headers: dict[str, str] = {}
        self._field = self._value = b""
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1"),
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": lambda: self._items.append("end"),
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def feed(self, piece: bytes) -> list[Item]:
        self._items = []
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed(str(error)) from None
        return self._items

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        name = self._field.decode("latin-1").lower()
        self._headers[name] = self._value.decode("latin-1").strip()
        self._field = self._value = b""

    def _on_headers(self) -> None:
        encoding = self._headers.get("content-transfer-encoding", "").lower()
        if encoding not in _PLAIN:
            raise _malformed(f"a part in {encoding[:40]}; send it as binary")
        named = self._headers.get("content-id", "")
        self._items.append(Part(named.removeprefix("<").removesuffix(">")))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._items.append(data[start:end])

    def _on_end(self) -> None:
        self.ended = True


def _malformed(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"multipart/related that cannot be read: {reason}"[:300],
        vi="Không đọc được multipart/related",
    )
