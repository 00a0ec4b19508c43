"""What the bus works with: body, sender, receivers, order key, lane."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from schemas.edxml import DocumentPacket, addressing, read, to_body
from schemas.errors import MalformedPacket, TooLarge
from schemas.message import DocumentBody, Lane, StatusBody

Vector = Callable[[str], bytes]
DOCUMENT_ID = "000.00.11.T90,2026/03/02,101/SKHM-VP"


def without_document_id(data: bytes) -> bytes:
    return data.replace(f"<edXML:DocumentId>{DOCUMENT_ID}</edXML:DocumentId>".encode(), b"")


def test_document(vector: Vector) -> None:
    packet = read(vector("new_java"))
    assert addressing(packet) == (
        "000.00.11.T90",
        ("000.00.31.T90", "T90.31.07"),
        DOCUMENT_ID,
        Lane.NORMAL,
    )
    body = to_body(packet)
    assert isinstance(body, DocumentBody)
    assert (body.document_id, body.code) == (DOCUMENT_ID, "101/SKHM-VP")
    assert body.type_name == "Công văn"
    assert (body.promulgated, body.due) == (date(2026, 3, 2), date(2026, 3, 20))
    assert (body.priority, body.business, body.steering_type) == (0, 0, 1)
    assert body.signer == "Trần Thị Ví Dụ"
    (attachment,) = body.attachments
    assert (attachment.content_id, attachment.name) == ("209", "101_SKHM-VP.pdf")
    assert attachment.media_type == "application/pdf"


def test_attachments_are_described_as_unzipped(vector: Vector) -> None:
    plain, zipped = to_body(read(vector("new_java"))), to_body(read(vector("zipped")))
    assert isinstance(plain, DocumentBody)
    assert isinstance(zipped, DocumentBody)
    inside, outside = zipped.attachments[0], plain.attachments[0]
    assert (inside.sha256, inside.size, inside.media_type) == (
        outside.sha256,
        outside.size,
        "application/pdf",
    )


@pytest.mark.parametrize("priority", [1, 2, 3, 4])
def test_urgent_lane(vector: Vector, priority: int) -> None:
    data = vector("urgent").replace(b"Priority>3<", f"Priority>{priority}<".encode())
    assert addressing(read(data)).lane is Lane.URGENT


@pytest.mark.parametrize("code", ["01", "02", "03"])
def test_status_goes_back_to_the_sender(vector: Vector, code: str) -> None:
    packet = read(vector(f"status_{code}"))
    assert addressing(packet) == (
        "000.00.31.T90",
        ("000.00.11.T90",),
        f"{DOCUMENT_ID}|000.00.31.T90",
        Lane.NORMAL,
    )
    body = to_body(packet)
    assert isinstance(body, StatusBody)
    assert (body.document_id, body.code, body.status) == (DOCUMENT_ID, "101/SKHM-VP", code)
    assert body.promulgated == date(2026, 3, 2)
    assert body.timestamp is not None


@pytest.mark.parametrize("prepare", [bytes, without_document_id])
def test_recall_keeps_behind_its_document(
    vector: Vector, prepare: Callable[[bytes], bytes]
) -> None:
    document = addressing(read(prepare(vector("new_java"))))
    recall = addressing(read(prepare(vector("status_13"))))
    assert recall.order_key == document.order_key
    assert recall.sender == document.sender
    assert recall.receivers == ("000.00.31.T90",)
    assert recall.lane is Lane.URGENT


def test_fallback_key_names_document_and_sender(vector: Vector) -> None:
    packet = read(without_document_id(vector("new_java")))
    assert addressing(packet).order_key == "101/SKHM-VP|000.00.11.T90"


def test_codes_are_normalised(vector: Vector) -> None:
    packet = read(vector("new_java").replace(b"T90.31.07<", b" t90.31.07 <", 1))
    assert "T90.31.07" in addressing(packet).receivers


@pytest.mark.parametrize(
    ("old", "new", "element"),
    [
        (b"<edXML:OrganId>T90.31.07<", b"<edXML:OrganId>N/A<", "To/OrganId"),
        (b"<edXML:OrganId>000.00.11.T90<", b"<edXML:OrganId>7<", "From/OrganId"),
        (b"<edXML:DocumentId>", b"<edXML:DocumentId>" + b"x" * 256, "DocumentId"),
        (b"<edXML:CodeNumber>", b"<edXML:CodeNumber>" + b"1" * 256, "Code"),
    ],
)
def test_what_cannot_be_addressed(vector: Vector, old: bytes, new: bytes, element: str) -> None:
    packet = read(vector("new_java").replace(old, new, 1))
    with pytest.raises(MalformedPacket) as caught:
        addressing(packet)
    assert caught.value.context == {"element": element}


def test_a_packet_names_a_bounded_number_of_receivers(vector: Vector) -> None:
    packet = read(vector("new_java"))
    assert isinstance(packet, DocumentPacket)
    (one, *_) = packet.header.receivers
    many = tuple(one.model_copy(update={"organ_id": f"H99.{n}"}) for n in range(2_001))
    header = packet.header.model_copy(update={"receivers": many})
    with pytest.raises(TooLarge, match="2001 receivers"):
        addressing(packet.model_copy(update={"header": header}))
