"""Reads packets of any size in flat memory.

A small packet is parsed as a tree at once.  A larger one is parsed in pieces, and the texts of
ContentTransferEncoded never enter the tree: they flow through base64 into a sink.  What is left is
the same small tree, and one function (extract.packet_of) makes the packet of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from schemas.edxml.content import Base64Reader, Sink
from schemas.edxml.extract import packet_of
from schemas.edxml.groups import ENCODED
from schemas.edxml.model import Packet
from schemas.edxml.plan import qualified, tags
from schemas.edxml.tree import Notes
from schemas.errors import MalformedPacket, TooLarge
from schemas.xml import Events, Limits, parse

OpenSink = Callable[[int], Sink]

SMALL = 131_072  # bytes up to which a packet is parsed whole


@dataclass(frozen=True, slots=True)
class PacketLimits(Limits):
    """What one packet may cost."""

    size: int = 2_000_000_000  # bytes
    elements: int = 20_000  # the largest seen has 125; each receiver named in full adds nine
    attributes: int = 20_000
    header: int = 4_000_000  # characters of everything that is not an attachment's content
    attachments: int = 100
    unzipped: int = 1_000_000_000  # bytes that may come out of all its ZIP wrappings together


PACKET_LIMITS = PacketLimits()

_BOM = b"\xef\xbb\xbf"
_AROUND = (frozenset({qualified("edXML")}), tags("AttachmentEncoded"), tags("Attachment"))


class PacketReader:
    """Feed the bytes of one packet, then `close` to get it.

    `open_sink(index)` is asked for a place for the bytes of each attachment (from 0, after base64,
    not unzipped); without it they are only measured.  After an error, raised by either method, the
    reader is of no further use and its sinks are not closed: what they hold must be thrown away.
    """

    def __init__(
        self, *, open_sink: OpenSink | None = None, limits: PacketLimits = PACKET_LIMITS
    ) -> None:
        self._contents = _Contents(open_sink, limits)
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
            self._stream = _Stream(self._contents, self._limits, _first_notes(beginning))
            self._stream.feed(beginning)

    def close(self) -> Packet:
        """The packet. Raises MalformedXml, MalformedPacket or TooLarge."""
        if self._stream is not None:
            return self._stream.close()
        return _read_small(b"".join(self._held), self._contents, self._limits)


def read(
    data: bytes, *, open_sink: OpenSink | None = None, limits: PacketLimits = PACKET_LIMITS
) -> Packet:
    """The packet in `data`. Raises MalformedXml, MalformedPacket or TooLarge."""
    if len(data) <= SMALL:
        return _read_small(data, _Contents(open_sink, limits), limits)
    reader = PacketReader(open_sink=open_sink, limits=limits)
    reader.feed(data)
    return reader.close()


def _read_small(data: bytes, contents: _Contents, limits: Limits) -> Packet:
    return packet_of(parse(data, limits), contents.decode, _first_notes(data))


class _Contents:
    """The attachments' bytes, one after the other."""

    def __init__(self, open_sink: OpenSink | None, limits: PacketLimits) -> None:
        self._open_sink = open_sink
        self._limits = limits
        self._count = 0
        self._unzipped = 0
        self._closed: list[Base64Reader] = []

    def open(self, line: int) -> Base64Reader:
        """Raises TooLarge when there are too many."""
        index = self._count
        self._count += 1
        if self._count > self._limits.attachments:
            raise _too_large("attachments", "tệp đính kèm", self._limits.attachments)
        sink = self._open_sink(index) if self._open_sink is not None else None
        return Base64Reader(index, line, sink, self._limits.unzipped - self._unzipped)

    def close(self, content: Base64Reader) -> None:
        content.close()
        self._unzipped += content.entry.written
        self._closed.append(content)

    def decode(self, element: etree._Element) -> Base64Reader:
        """The content of a parsed element."""
        line = element.sourceline or 0
        if len(element):
            raise _nested(line)
        content = self.open(line)
        content.write(element.text or "")
        self.close(content)
        return content

    def next(self, _element: etree._Element) -> Base64Reader:
        """The first of those closed already, in document order."""
        return self._closed.pop(0)


class _Stream:
    """Handler of the incremental parser: builds the tree without the attachments' contents."""

    def __init__(self, contents: _Contents, limits: PacketLimits, notes: Notes) -> None:
        self._contents = contents
        self._limits = limits
        self._notes = notes
        self._events = Events(self, limits)
        self._builder: Any = etree.TreeBuilder()  # its stub forgets what start() returns
        self._path: list[str] = []
        self._content: Base64Reader | None = None
        self._kept = 0

    def feed(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    def close(self) -> Packet:
        self._events.close()
        return packet_of(self._builder.close(), self._contents.next, self._notes)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        line = self._events.line
        if self._content is not None:
            raise _nested(line)
        self._keep(len(tag) + sum(map(len, attributes)) + sum(map(len, attributes.values())))
        element = self._builder.start(tag, dict(attributes))
        element.sourceline = line
        if tag in ENCODED and self._inside_attachment():
            self._content = self._contents.open(line)
        self._path.append(tag)

    def end(self, tag: str) -> None:
        self._path.pop()
        if self._content is not None:
            self._contents.close(self._content)
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
        if self._kept > self._limits.header:
            raise _too_large(
                "characters outside of the attachments",
                "ký tự ngoài tệp đính kèm",
                self._limits.header,
            )


def _first_notes(beginning: bytes) -> Notes:
    notes = Notes()
    if beginning.startswith(_BOM):
        notes.warn("bom")
    return notes


def _too_large(what: str, what_vi: str, limit: int) -> TooLarge:
    return TooLarge(
        f"more than {limit:,} {what}", vi=f"Hơn {limit:,} {what_vi}", limit=limit, what=what
    )


def _nested(line: int) -> MalformedPacket:
    return MalformedPacket(
        f"ContentTransferEncoded must hold text only (line {line})",
        vi=f"ContentTransferEncoded chỉ được chứa văn bản (dòng {line})",
        element="ContentTransferEncoded",
        line=line,
    )
