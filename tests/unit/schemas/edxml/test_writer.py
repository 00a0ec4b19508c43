"""The writer, byte for byte."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

import pytest

from schemas.edxml import (
    NAMESPACE,
    Content,
    DocumentPacket,
    FileInfo,
    MessageHeader,
    Organ,
    PacketAttachment,
    StatusPacket,
    read,
    write,
    write_status,
)
from schemas.errors import MalformedPacket

Vector = Callable[[str], bytes]
PDF = b"%PDF-1.4 thu nghiem"


def document(subject: str = "Thử", *files: FileInfo) -> DocumentPacket:
    content = Content(size=0, sha256="", media_type="")
    return DocumentPacket(
        header=MessageHeader(
            sender=Organ(organ_id="H38.01"),
            receivers=(Organ(organ_id="H38.02"),),
            document_id="D1",
            subject=subject,
        ),
        attachments=tuple(PacketAttachment(info=info, content=content) for info in files),
    )


def test_a_document_exactly() -> None:
    file = FileInfo(
        content_id="f1", content_type="application/pdf", description="Tệp", attachment_name="a.pdf"
    )
    written = b"".join(write(document("Giá < 5 & > 3", file), [[PDF[:5], PDF[5:]]])).decode()
    declare = f'xmlns:edXML="{NAMESPACE}"'
    assert written == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<edXML xmlns="{NAMESPACE}"><edXML:edXMLEnvelope {declare}><edXML:edXMLHeader>'
        "<edXML:MessageHeader>"
        "<edXML:From><edXML:OrganId>H38.01</edXML:OrganId></edXML:From>"
        "<edXML:To><edXML:OrganId>H38.02</edXML:OrganId></edXML:To>"
        "<edXML:DocumentId>D1</edXML:DocumentId>"
        "<edXML:Subject>Giá &lt; 5 &amp; &gt; 3</edXML:Subject>"
        "</edXML:MessageHeader></edXML:edXMLHeader>"
        '<edXML:edXMLBody><edXML:edXMLManifest version="1.0"><edXML:Reference>'
        "<edXML:ContentId>cid:f1</edXML:ContentId>"
        "<edXML:ContentType>application/pdf</edXML:ContentType>"
        "<edXML:Description>Tệp</edXML:Description>"
        "<edXML:AttachmentName>a.pdf</edXML:AttachmentName>"
        "</edXML:Reference></edXML:edXMLManifest></edXML:edXMLBody></edXML:edXMLEnvelope>"
        "<AttachmentEncoded><Attachment><ContentId>cid:f1</ContentId>"
        "<AttachmentName>a.pdf</AttachmentName><Description>Tệp</Description>"
        "<ContentType>application/pdf</ContentType>"
        f"<edXML:ContentTransferEncoded {declare}>{base64.b64encode(PDF).decode()}"
        "</edXML:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"
    )


@pytest.mark.parametrize("name", ["new_java", "status_13"])
def test_golden_bytes(vector: Vector, name: str) -> None:
    packet = read(vector(name))
    if isinstance(packet, StatusPacket):
        written = write_status(packet)
    else:
        written = b"".join(write(packet, [[PDF]]))
    assert written == vector(f"written_{name}")


def test_elements_come_in_the_order_of_the_java_client(vector: Vector) -> None:
    packet = read(vector("new_java"))
    assert isinstance(packet, DocumentPacket)
    header = next(iter(write(packet, [[PDF]]))).partition(b"</edXML:MessageHeader>")[0]
    places = [
        header.index(b"<edXML:%s>" % name)
        for name in b"From To DocumentId Code PromulgationInfo DocumentType Subject Content "
        b"SignerInfo DueDate OtherInfo SteeringType ToPlaces".split()
    ]
    assert places == sorted(places)


def test_every_element_of_the_envelope_has_the_literal_prefix(vector: Vector) -> None:
    packet = read(vector("several_attachments"))
    assert isinstance(packet, DocumentPacket)
    written = b"".join(write(packet, [[PDF]] * 3))
    written = re.sub(b"<Signature>.*</Signature>", b"", written, flags=re.DOTALL)  # kept as it was
    envelope, _, outside = written.partition(b"</edXML:edXMLEnvelope>")
    bare = set(re.findall(rb"</?([A-Za-z]\w*)[ >]", envelope))
    assert bare == {b"edXML"}
    assert set(re.findall(rb"<edXML:(\w+)", outside)) == {b"ContentTransferEncoded"}
    assert b"<edXML:Bussiness><edXML:BussinessDocType>0</edXML:BussinessDocType>" in envelope


def test_contents_are_read_as_they_are_written() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1_000

    pieces = write(document("", FileInfo(content_id="1")), [endless()])
    sizes = [len(next(pieces)) for _ in range(52)]
    assert taken == 50
    assert max(sizes[2:]) < 1_400


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_characters_that_xml_cannot_carry(character: str) -> None:
    with pytest.raises(MalformedPacket, match=f"Subject.*U\\+{ord(character):04X}"):
        write(document(f"a{character}b"))


@pytest.mark.parametrize(
    "files", [(FileInfo(),), (FileInfo(content_id="1"), FileInfo(content_id="1"))]
)
def test_attachments_need_ids_of_their_own(files: tuple[FileInfo, ...]) -> None:
    with pytest.raises(MalformedPacket, match="ContentId"):
        write(document("", *files), [[PDF]] * len(files))


def test_one_content_per_attachment() -> None:
    with pytest.raises(ValueError, match="0 attachments, 1 contents"):
        write(document(), [[PDF]])


def test_unroutable_packets_are_not_written() -> None:
    packet = document().model_copy(update={"header": MessageHeader(document_id="D1")})
    with pytest.raises(MalformedPacket, match="From/OrganId"):
        write(packet)
