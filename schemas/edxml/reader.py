"""Reads packets of any size in flat memory.

A small packet is parsed as a tree at once.  A larger one is parsed in pieces, and the texts of
ContentTransferEncoded never enter the tree: they flow through base64 into a sink.  What is left is
the same small tree, and one function (extract.packet_of) makes the packet of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from schemas.edxml.content import Base64Reader, Sink
from schemas.edxml.extract import packet_of
from schemas.edxml.files import encoded_elements
from schemas.edxml.groups import ENCODED
from schemas.edxml.model import Packet
from schemas.edxml.plan import qualified, tags
from schemas.edxml.tree import Warnings
from schemas.errors import MalformedPacket, TooLarge
from schemas.xml import Events, Limits, parse

OpenSink = Callable[[int], Sink]

SMALL = 131_072  # bytes up to which a packet is parsed whole
MAX_HEADER = 4_000_000  # characters of everything that is not an attachment's content
PACKET_LIMITS = Limits(size=1_000_000_000, elements=100_000, attributes=100_000)

_BOM = b"\xef\xbb\xbf"
_AROUND = (frozenset({qualified("edXML")}), tags("AttachmentEncoded"), tags("Attachment"))


class PacketReader:
    """Feed the bytes of one packet, then `close` to get it.

    `open_sink(index)` is asked for a place for the bytes of each attachment (from 0, after base64,
    not unzipped); without it they are only measured.  After an error, raised by either method, the
    reader is of no further use and its sinks are not closed: what they hold must be thrown away.
    """

    def __init__(
        self, *, open_sink: OpenSink | None = None, limits: Limits = PACKET_LIMITS
    ) -> None:
        self._open_sink = open_sink
        self._limits = limits
        self._held: list[bytes] = []
        self._size = 0
        self._stream: _Stream | None = None

    def feed(self, chunk: bytes) -> None:
        """Raises MalformedXml, MalformedPacket or TooLarge as soon as it is certain."""
        if self._stream is not None:
            self._stream.feed(chunk)
            return
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size > SMALL:
            beginning = b"".join(self._held)
            self._held.clear()
            self._stream = _Stream(self._open_sink, self._limits, _start_warnings(beginning))
            self._stream.feed(beginning)

    def close(self) -> Packet:
        """The packet. Raises MalformedXml, MalformedPacket or TooLarge."""
        if self._stream is not None:
            return self._stream.close()
        return _read_small(b"".join(self._held), self._open_sink, self._limits)


def read(
    data: bytes, *, open_sink: OpenSink | None = None, limits: Limits = PACKET_LIMITS
) -> Packet:
    """The packet in `data`. Raises MalformedXml, MalformedPacket or TooLarge."""
    if len(data) <= SMALL:
        return _read_small(data, open_sink, limits)
    reader = PacketReader(open_sink=open_sink, limits=limits)
    reader.feed(data)
    return reader.close()


def _read_small(data: bytes, open_sink: OpenSink | None, limits: Limits) -> Packet:
    root = parse(data, limits)
    contents = []
    for index, element in enumerate(encoded_elements(root)):
        if len(element):
            raise _nested(element.sourceline or 0)
        content = _open(index, element.sourceline or 0, open_sink)
        content.write(element.text or "")
        content.close()
        contents.append(content)
    return packet_of(root, contents, _start_warnings(data))


class _Stream:
    """Handler of the incremental parser: builds the tree without the attachments' contents."""

    def __init__(self, open_sink: OpenSink | None, limits: Limits, warnings: Warnings) -> None:
        self._open_sink = open_sink
        self._events = Events(self, limits)
        self._builder: Any = etree.TreeBuilder()  # its stub forgets what start() returns
        self._path: list[str] = []
        self._content: Base64Reader | None = None
        self._contents: list[Base64Reader] = []
        self._kept = 0
        self._warnings = warnings

    def feed(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    def close(self) -> Packet:
        self._events.close()
        return packet_of(self._builder.close(), self._contents, self._warnings)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        line = self._events.line
        if self._content is not None:
            raise _nested(line)
        self._keep(sum(map(len, attributes.values())))
        element = self._builder.start(tag, dict(attributes))
        element.sourceline = line
        if tag in ENCODED and self._inside_attachment():
            self._content = _open(len(self._contents), line, self._open_sink)
        self._path.append(tag)

    def end(self, tag: str) -> None:
        self._path.pop()
        if self._content is not None:
            self._content.close()
            self._contents.append(self._content)
            self._content = None
        self._builder.end(tag)

    def text(self, piece: str) -> None:
        if self._content is not None:
            self._content.write(piece)
            return
        self._keep(len(piece))
        self._builder.data(piece)

    def _inside_attachment(self) -> bool:
        return len(self._path) == len(_AROUND) and all(
            tag in accepted for tag, accepted in zip(self._path, _AROUND, strict=True)
        )

    def _keep(self, characters: int) -> None:
        self._kept += characters
        if self._kept > MAX_HEADER:
            raise TooLarge(
                f"more than {MAX_HEADER:,} characters outside of the attachments",
                vi=f"Hơn {MAX_HEADER:,} ký tự ngoài tệp đính kèm",
                limit=MAX_HEADER,
            )


def _start_warnings(beginning: bytes) -> Warnings:
    warnings = Warnings()
    if beginning.startswith(_BOM):
        warnings.add("bom")
    return warnings


def _open(index: int, line: int, open_sink: OpenSink | None) -> Base64Reader:
    return Base64Reader(index, line, open_sink(index) if open_sink is not None else None)


def _nested(line: int) -> MalformedPacket:
    return MalformedPacket(
        f"ContentTransferEncoded must hold text only (line {line})",
        vi=f"ContentTransferEncoded chỉ được chứa văn bản (dòng {line})",
        element="ContentTransferEncoded",
        line=line,
    )
