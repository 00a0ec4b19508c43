"""Multipart bodies as they arrive: multipart/related (RFC 2387), multipart/form-data (RFC 7578).

Nothing is kept here: a part is handed on in pieces, whatever its size. A body that ends before its
last boundary is an error, never a body with fewer parts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
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
    content_type: str = ""
    name: str = ""  # of a field in a form
    filename: str | None = None  # None: the field is no file


Item = Part | bytes | Literal["end"]
"""A part's beginning, its bytes, its end."""


async def whole(body: AsyncIterator[bytes]) -> AsyncGenerator[Item]:
    """A body that is not multipart: its one part."""
    yield Part()
    async for piece in body:
        yield piece
    yield "end"


async def parts(body: AsyncIterator[bytes], media: MediaType) -> AsyncGenerator[Item]:
    """Raises InvalidRequest for what is not multipart, or ends too early."""
    reader = _Reader(media.parameters.get("boundary", ""))
    async for piece in body:
        for item in reader.feed(piece):
            yield item
    if not reader.ended:
        raise _malformed(
            "the last boundary is missing: the body was cut short",
            "thiếu dấu phân cách cuối, nội dung đã bị cắt ngắn",
        )


class _Reader:
    """One header may have some 4,000 bytes, a part eight headers: the parser's own bounds."""

    def __init__(self, boundary: str) -> None:
        self.ended = False
        self._begun = False
        self._items: list[Item] = []
        self._data: list[bytes] = []  # of the part at hand; the parser cuts it at each line's end
        self._headers: dict[str, bytes] = {}
        self._field = self._value = b""
        if not boundary:
            raise _malformed("no boundary is given", "Content-Type thiếu boundary")
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
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(str(error), "sai cấu trúc") from None

    def feed(self, piece: bytes) -> list[Item]:
        self._items = []
        if not self._begun:  # .NET begins with an empty line, of which the parser is not sure
            piece = piece.lstrip(b"\r\n")
            self._begun = bool(piece)
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed(str(error), "sai cấu trúc") from None
        self._flush()
        return self._items

    def _flush(self) -> None:
        if self._data:
            self._items.append(b"".join(self._data))
            self._data.clear()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.strip()
        self._field = self._value = b""

    def _on_headers(self) -> None:
        encoding = self._text("content-transfer-encoding").lower()
        if encoding not in _PLAIN:
            raise _malformed(
                f"a part in {encoding[:40]}; send it as binary",
                f"một phần ở dạng {encoding[:40]}; hãy gửi dạng binary",
            )
        _, about = parse_options_header(self._headers.get("content-disposition", b""))
        filename = about.get(b"filename")
        self._items.append(
            Part(
                content_id=self._text("content-id").removeprefix("<").removesuffix(">"),
                content_type=self._text("content-type"),
                name=_decoded(about.get(b"name", b"")),
                filename=None if filename is None else _decoded(filename),
            )
        )

    def _text(self, header: str) -> str:
        return self._headers.get(header, b"").decode("latin-1")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _on_part_end(self) -> None:
        self._flush()
        self._items.append("end")

    def _on_end(self) -> None:
        self.ended = True


def _decoded(text: bytes) -> str:
    """RFC 7578 §5.1: UTF-8 today; what is not, as the bytes stand."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _malformed(en: str, vi: str) -> InvalidRequest:
    return InvalidRequest(
        f"multipart that cannot be read: {en}"[:300], vi=f"Không đọc được multipart: {vi}"
    )
