"""Properties: what is written reads back equal, cutting does not matter, no input breaks in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas.edxml import (
    PACKET_LIMITS,
    DocumentPacket,
    MessageHeader,
    Packet,
    PacketReader,
    StatusHeader,
    StatusPacket,
    addressing,
    read,
    to_body,
    write,
    write_status,
)
from schemas.edxml.plan import plan_of
from schemas.edxml.reader import _Contents, _first_notes, _Stream
from schemas.errors import LgspError, MalformedPacket
from tests.unit.schemas.edxml.strategies import documents, statuses

VECTORS = {
    path.stem: path.read_bytes()
    for path in (Path(__file__).parents[3] / "vectors" / "edxml").glob("*.edxml")
    if path.stem != "spoiled"  # never a packet
}
PROFILE = settings(max_examples=150, deadline=None, database=None)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


def streamed(pieces: Sequence[bytes]) -> Packet:
    """What the incremental parser makes of the pieces, whatever their size."""
    contents = _Contents(None, PACKET_LIMITS)
    stream = _Stream(contents, PACKET_LIMITS, _first_notes(b"".join(pieces)))
    for piece in pieces:
        stream.feed(piece)
    return stream.close()


places = st.lists(st.integers(0, 100_000), max_size=6)


def without_warnings(packet: Packet) -> Packet:
    return packet.model_copy(update={"warnings": ()})


@PROFILE
@given(documents(), places)
def test_a_written_document_reads_back_equal(
    case: tuple[DocumentPacket, list[bytes]], places: list[int]
) -> None:
    packet, contents = case
    written = b"".join(write(packet, [[content] for content in contents]))
    assert without_warnings(read(written)) == packet
    assert without_warnings(streamed(cut(written, places))) == packet
    in_pieces = [[content[:i], content[i:]] for i, content in enumerate(contents)]
    assert b"".join(write(packet, in_pieces)) == written


@PROFILE
@given(statuses(), places)
def test_a_written_status_reads_back_equal(packet: StatusPacket, places: list[int]) -> None:
    written = write_status(packet)
    assert without_warnings(read(written)) == packet
    assert without_warnings(streamed(cut(written, places))) == packet


@PROFILE
@given(st.sampled_from(sorted(VECTORS)), places)
@example("oddities", [1, 2])
def test_cutting_does_not_matter(name: str, places: list[int]) -> None:
    data = VECTORS[name]
    expected = read(data)
    reader = PacketReader()
    for piece in cut(data, places):
        reader.feed(piece)
    assert reader.close() == expected
    assert streamed(cut(data, places)) == expected


def outcome(data: bytes) -> Packet | None:
    """The packet, or None when it was refused in one of the three ways."""
    results: list[Packet | None] = []
    for reading in (read, lambda d: streamed([d])):
        try:
            results.append(reading(data))
        except LgspError as error:
            assert error.code in {"malformed-xml", "malformed-packet", "too-large"}  # noqa: PT017 - both ways are compared
            results.append(None)
    assert results[0] == results[1]
    return results[0]


TAGS = [*sorted({slot.element for slot in plan_of(MessageHeader).slots}), "edXMLHeader"]
DAMAGE = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(TAGS).map(lambda tag: f"<edXML:{tag}>".encode()),
    st.sampled_from(TAGS).map(lambda tag: f"</edXML:{tag}>".encode()),
    st.sampled_from([b"<Subject/>", b"<!-- x -->", b"&#0;", b"null", b"-1", b"9" * 30, b"="]),
)


@settings(PROFILE, max_examples=400)
@given(st.sampled_from(sorted(VECTORS)), st.integers(0, 10_000), st.integers(0, 60), DAMAGE)
def test_damaged_packets_are_read_alike_or_refused(
    name: str, place: int, length: int, damage: bytes
) -> None:
    data = VECTORS[name]
    place %= len(data)
    packet = outcome(data[:place] + damage + data[place + length :])
    if packet is not None:
        to_body(packet)
        try:
            addressing(packet)
        except MalformedPacket as error:
            assert error.context["element"]  # noqa: PT017 - it may also succeed


@PROFILE
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assume(not data.startswith(b"<edXML"))
    assert outcome(data) is None


def test_dates_of_any_year_are_written_in_ten_characters() -> None:
    header = plan_of(MessageHeader)
    lexical = next(slot.lexical for slot in header.slots if slot.field == "due_date")
    assert lexical.write(date(1, 2, 3)) == "0001/02/03"
    stamp = next(s for s in plan_of(StatusHeader).slots if s.field == "timestamp").lexical
    moment = datetime(26, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the wire has no zone
    assert stamp.write(moment) == "0026/01/02 03:04:05"
