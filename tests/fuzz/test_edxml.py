"""Damaged packets: read alike in both ways or refused by an error of ours, never anything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.edxml import (
    PACKET_LIMITS,
    DocumentPacket,
    Packet,
    StatusPacket,
    addressing,
    cut_recipients,
    read,
    to_body,
    write,
    write_status,
)
from schemas.edxml.reader import _Contents, _first_notes, _Stream
from schemas.errors import LgspError, MalformedPacket
from tests.fuzz.damage import PROFILE, TIMEOUT, damaged, edits
from tests.unit.schemas.edxml.equivalence import Kept

VECTORS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "vectors" / "edxml").glob("*.edxml"))
]
NAMES = sorted({name for data in VECTORS for name in re.findall(rb"<(?:edXML:)?(\w+)", data)})
TAGS = [tag % name for name in NAMES for tag in (b"<edXML:%s>", b"</edXML:%s>", b"<%s/>")]
WHOLE = [b"<edXML:%s>x1</edXML:%s>" % (name, name) for name in NAMES]
SPITE = [
    *(b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x ?>", b"&amp;", b"&#0;", b"&#xD800;", b"&x;"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xef\xbf\xbd", b"null", b"-1", b"9" * 30, b"="),
    *(b' a="1"', b' xml:lang="vi"', b' xmlns="urn:x"', b" xmlns:edXML='urn:x'", b"<!DOCTYPE a>"),
    *(b"2026/02/30", b"31/12/2026", b"UEsDBBQAAAAIAA==", b" ", b"\r\n", "ư".encode()),
]

harm = st.sampled_from(SPITE) | st.sampled_from(TAGS) | st.binary(max_size=8)
damage = edits(harm, WHOLE)


def streamed(data: bytes) -> Packet:
    stream = _Stream(_Contents(None, PACKET_LIMITS), PACKET_LIMITS, _first_notes(data))
    middle = len(data) // 2
    for piece in (data[:middle], data[middle:]):
        stream.feed(piece)
    return stream.close()


def outcome(reading: object, data: bytes) -> Packet | None:
    """The packet, or None when it was refused."""
    assert callable(reading)
    try:
        packet: Packet = reading(data)
    except LgspError as error:
        assert error.code in {"malformed-xml", "malformed-packet", "too-large"}  # noqa: PT017 - reading may succeed
        assert error.detail.vi != error.title.vi  # noqa: PT017 - each says what happened this time
        return None
    return packet


def same(one: Packet, other: Packet) -> bool:
    """Equal but for what was put up with."""
    return one.model_copy(update={"warnings": ()}) == other.model_copy(update={"warnings": ()})


@pytest.mark.timeout(TIMEOUT)
@PROFILE
@given(damaged(VECTORS, damage))
def test_damaged_packets_are_read_or_refused(data: bytes) -> None:
    sinks: dict[int, Kept] = {}
    packet = outcome(lambda d: read(d, open_sink=lambda i: sinks.setdefault(i, Kept())), data)
    assert outcome(streamed, data) == packet
    if packet is None:
        return
    to_body(packet)
    try:
        addressing(packet)
        if isinstance(packet, StatusPacket):
            written = write_status(packet)
        else:
            contents = [sinks[index].pieces for index in range(len(packet.attachments))]
            written = b"".join(write(packet, contents))
    except MalformedPacket:
        return  # it cannot be sent on: no address, no ContentId, no such status code
    assert same(read(written), packet)
    if isinstance(packet, DocumentPacket):
        chosen = packet.header.receivers[0].organ_id
        cut = read(b"".join(cut_recipients([data], [chosen])))
        assert {to.organ_id.upper() for to in cut.header.receivers} == {chosen.upper()}  # type: ignore[union-attr] # still a document
