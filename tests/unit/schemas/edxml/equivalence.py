"""When two packets say the same: every value at its place, whatever the order of elements.

`said(data)` is what a packet says, as pairs (place, value), where a place is the way of local names
with the position among siblings of the same name.  `tolerated` applies to it what the reader puts
up with by contract (schemas/edxml/README.md): nothing else may differ between a packet and what the
writer makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

from schemas.edxml import DocumentPacket, StatusPacket, read, write, write_status
from schemas.edxml.values import read_date, read_timestamp, write_date, write_timestamp
from schemas.xml import parse

Said = dict[str, str]
_POSITION = re.compile(r"\[\d+\]")


class Kept:
    """A sink that keeps the bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        pass


def rewritten(data: bytes) -> bytes:
    """write(read(data)), the attachments taken along."""
    sinks: dict[int, Kept] = {}
    packet = read(data, open_sink=lambda index: sinks.setdefault(index, Kept()))
    if isinstance(packet, StatusPacket):
        return write_status(packet)
    assert isinstance(packet, DocumentPacket)
    contents = [sinks[index].pieces for index in range(len(packet.attachments))]
    return b"".join(write(packet, contents))


def said(data: bytes) -> Said:
    root = parse(data)
    return dict(_values(root, "/edXML"))


def _values(element: etree._Element, place: str) -> list[tuple[str, str]]:
    values = [(f"{place}/@{name}", str(value)) for name, value in element.items()]
    text = "".join(str(piece) for piece in element.xpath("text()")).strip()
    if text:
        values.append((place, text))
    counts: dict[str, int] = {}
    for child in element:
        name = etree.QName(child).localname
        counts[name] = counts.get(name, 0) + 1
        values += _values(child, f"{place}/{name}[{counts[name]}]")
    return values


def tolerated(original: Said) -> Said:
    """What the writer is to say of it."""
    result: Said = {}
    for place, value in original.items():
        name = _POSITION.sub("", place.rpartition("/")[2])
        corrected = re.sub(r"/Business(?=Doc|\[)", "/Bussiness", place)
        written = _value(name, value)
        if written or name.startswith("@"):
            result[corrected] = written
    result.update(_implied(original))
    return result


def _value(name: str, value: str) -> str:
    if name in {"PromulgationDate", "DueDate"}:
        day, _ = read_date(value)
        return write_date(day) if day else ""
    if name == "Timestamp":
        moment, _ = read_timestamp(value)
        return write_timestamp(moment) if moment else ""
    if name == "OrganId" and value.lower() == "null":
        return ""
    if name == "ContentId":
        return f"cid:{value.removeprefix('cid:')}"
    if name == "ContentTransferEncoded":
        return "".join(value.split())
    return value


def _implied(original: Mapping[str, str]) -> Said:
    """Said without being asked: the version of the manifest."""
    place = "/edXML/edXMLEnvelope[1]/edXMLBody[1]/edXMLManifest[1]/@version"
    document = any("/To[1]/" in name for name in original)
    return {place: original.get(place, "1.0")} if document else {}
