"""What the reader refuses: always naming the element and the line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from schemas.edxml import (
    DocumentPacket,
    Element,
    Kept,
    Packet,
    PacketLimits,
    StatusPacket,
    read,
    write,
    write_status,
)
from schemas.edxml.model import MESSAGE
from schemas.edxml.reader import SMALL
from schemas.errors import MalformedPacket, TooLarge

Vector = Callable[[str], bytes]
Read = Callable[[bytes], object]


def streamed(data: bytes) -> object:
    """Read through the incremental parser, however small: white space makes it large."""
    return read(data.rstrip() + b"\n" * (SMALL + 1))


@pytest.fixture(params=[read, streamed], ids=["tree", "stream"])
def reading(request: pytest.FixtureRequest) -> Read:
    function: Read = request.param
    return function


def as_document(packet: Packet) -> DocumentPacket:
    assert isinstance(packet, DocumentPacket)
    return packet


def without(data: bytes, element: str) -> bytes:
    """The first `element` and all in it cut out, its lines kept."""
    found = re.search(rf"<edXML:{element}>.*?</edXML:{element}>".encode(), data, re.DOTALL)
    assert found is not None
    return data.replace(found[0], b"\n" * found[0].count(b"\n"), 1)


@pytest.mark.parametrize(
    ("cut", "element", "line"),
    [
        ("new_java From", "MessageHeader/From/OrganId", 5),
        ("new_java OrganId", "MessageHeader/From/OrganId", 6),
        ("new_java To To", "MessageHeader/To", 5),
        ("new_java DocumentId Code", "MessageHeader/DocumentId", 5),
        ("status_01 From", "MessageHeader/From/OrganId", 5),
        ("status_01 ResponseFor", "MessageHeader/ResponseFor/OrganId", 5),
        ("status_01 StatusCode", "MessageHeader/StatusCode", 5),
        ("status_01 MessageHeader", "MessageHeader", 4),
    ],
)
def test_missing_for_routing(
    vector: Vector, reading: Read, cut: str, element: str, line: int
) -> None:
    vector_name, *names = cut.split()
    data = vector(vector_name)
    for name in names:
        data = without(data, name)
    with pytest.raises(MalformedPacket) as caught:
        reading(data)
    assert caught.value.context == {"element": element, "line": line}
    assert f"line {line}" in caught.value.detail.en
    assert f"dòng {line}" in caught.value.detail.vi


def test_receiver_without_a_code_is_counted(vector: Vector, reading: Read) -> None:
    data = vector("new_java").replace(b"<edXML:OrganId>T90.31.07</edXML:OrganId>", b"", 1)
    with pytest.raises(MalformedPacket) as caught:
        reading(data)
    assert caught.value.context == {"element": "MessageHeader/To[2]/OrganId", "line": 24}


def test_status_about_nothing(vector: Vector, reading: Read) -> None:
    data = without(without(vector("status_01"), "DocumentId"), "Code")
    with pytest.raises(MalformedPacket) as caught:
        reading(data)
    assert caught.value.context["element"] == "MessageHeader/ResponseFor/DocumentId"


@pytest.mark.parametrize("code", [b"ab", b"123", "०१".encode()])
def test_status_code_that_is_none(vector: Vector, reading: Read, code: bytes) -> None:
    with pytest.raises(MalformedPacket, match="StatusCode"):
        reading(vector("status_01").replace(b">01<", b">" + code + b"<"))


@pytest.mark.parametrize("element", ["From", "DocumentId", "Code"])
def test_ambiguous_packet(vector: Vector, reading: Read, element: str) -> None:
    data = vector("new_java")
    found = re.search(rf"<edXML:{element}>.*?</edXML:{element}>".encode(), data, re.DOTALL)
    assert found is not None
    with pytest.raises(MalformedPacket, match=f"{element} occurs more than once"):
        reading(data.replace(found[0], found[0] * 2, 1))


def test_harmless_repetition_is_only_noted(vector: Vector) -> None:
    subject = "<edXML:Subject>Khác</edXML:Subject></edXML:MessageHeader>".encode()
    packet = read(vector("new_java").replace(b"</edXML:MessageHeader>", subject))
    assert packet.warnings == ("repeated:Subject",)


@pytest.mark.parametrize(
    "root",
    [
        b'<EdXMLEnvelope xmlns="http://www.go.vn/eDoc"><MessageHeader/></EdXMLEnvelope>',
        b'<edXML xmlns="http://www.e-doc.vn/Schema/"/>',
        b"<edXML/>",
    ],
)
def test_other_formats(reading: Read, root: bytes) -> None:
    with pytest.raises(MalformedPacket, match="QCVN 102:2016 is expected"):
        reading(root)


@pytest.mark.parametrize(
    "damage",
    [b"*", b"A", "đ".encode(), b"=", b"AA==AAAA", b"<a/>", b"AAAA=", b"\xe2\x80\x8b"],
)
def test_invalid_base64(vector: Vector, reading: Read, damage: bytes) -> None:
    end = b"</edXML:ContentTransferEncoded>"
    with pytest.raises(MalformedPacket) as caught:
        reading(vector("new_java").replace(end, damage + end))
    assert caught.value.context["element"] == "ContentTransferEncoded"
    assert caught.value.context["line"] == 127


def test_base64_broken_into_lines_is_fine(vector: Vector, reading: Read) -> None:
    data = vector("new_java")
    found = re.search(rb">([A-Za-z0-9+/=]{200,})</edXML:ContentTransferEncoded>", data)
    assert found is not None
    broken = b"\r\n ".join(found[1][i : i + 76] for i in range(0, len(found[1]), 76))
    assert reading(data.replace(found[1], b"\n" + broken + b"\t")) == read(data)


def test_too_large(vector: Vector) -> None:
    with pytest.raises(TooLarge):
        read(vector("new_java"), limits=PacketLimits(size=1_000))


def test_header_without_end(vector: Vector) -> None:
    endless = b"<edXML:Subject>" + b"x" * 300_000
    with pytest.raises(TooLarge, match="outside of the attachments"):
        read(
            vector("new_java").replace(b"<edXML:Subject>", endless),
            limits=PacketLimits(header=200_000),
        )


def test_too_many_attachments(vector: Vector) -> None:
    data = vector("several_attachments")
    assert read(data, limits=PacketLimits(attachments=3))
    with pytest.raises(TooLarge, match="more than 2 attachments") as caught:
        read(data, limits=PacketLimits(attachments=2))
    assert caught.value.context == {"limit": 2, "what": "attachments"}


def test_what_is_kept_for_an_element_that_is_not_there_is_not_written(vector: Vector) -> None:
    packet = as_document(read(vector("new_java")))
    lost = packet.model_copy(update={"kept": {f"{MESSAGE}/To[3]": Kept({"a": "b"})}})
    with pytest.raises(MalformedPacket, match=r"To\[3\]"):
        write(lost, [[b"%PDF"]])


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a:b", "{urn:x", "{urn: x}a", "urn:x}a", "a/><b"]
)
def test_names_that_are_none_are_not_written(vector: Vector, name: str) -> None:
    packet = as_document(read(vector("new_java")))
    for kept in (Kept({name: "x"}), Kept({}, (Element(name),))):
        with pytest.raises(MalformedPacket, match="not a name of XML"):
            write(packet.model_copy(update={"kept": {MESSAGE: kept}}), [[b"%PDF"]])


def test_a_status_code_that_is_none_of_the_nine_is_not_written(vector: Vector) -> None:
    packet = read(vector("status_03").replace(b">03<", b">07<"))
    assert isinstance(packet, StatusPacket)
    with pytest.raises(MalformedPacket, match="none of 01, 02"):
        write_status(packet)
