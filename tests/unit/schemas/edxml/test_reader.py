"""Golden packets: what the reader makes of them, and what it puts up with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

import pytest

from schemas.edxml import (
    Business,
    Code,
    DocumentPacket,
    Organ,
    OtherInfo,
    Packet,
    PacketReader,
    ResponseFor,
    StaffInfo,
    StatusPacket,
    TraceHeader,
    read,
)
from schemas.edxml.reader import SMALL
from schemas.errors import MalformedPacket

Vector = Callable[[str], bytes]
PacketT = TypeVar("PacketT", DocumentPacket, StatusPacket)


def as_kind(packet: Packet, kind: type[PacketT]) -> PacketT:
    assert isinstance(packet, kind)
    return packet


class Collector:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = 0

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.data += data

    def close(self) -> None:
        self.closed += 1


def test_new_document_of_the_java_client(vector: Vector) -> None:
    packet = as_kind(read(vector("new_java")), DocumentPacket)
    header = packet.header
    assert packet.warnings == ()
    assert header.sender.organ_id == "000.00.11.T90"
    assert header.sender.organ_add == "Số 5, đường Ví Dụ, thành phố Mẫu"
    assert [to.organ_id for to in header.receivers] == ["000.00.31.T90", "T90.31.07"]
    assert header.document_id == "000.00.11.T90,2026/03/02,101/SKHM-VP"
    assert header.code == Code(number="101", notation="SKHM-VP")
    assert header.promulgation_info.promulgation_date == date(2026, 3, 2)
    assert (header.document_type.type, header.document_type.type_name) == (1, "Công văn")
    assert header.subject == "V/v báo cáo tiến độ số hóa năm 2026"
    assert header.signer_info.full_name == "Trần Thị Ví Dụ"
    assert header.due_date == date(2026, 3, 20)
    assert header.other_info == OtherInfo(
        priority=0,
        sphere_of_promulgation="Trong tỉnh",
        typer_notation="VPA",
        promulgation_amount=2,
        page_amount=4,
        direction=False,
        appendixes=("Phụ lục I", "Phụ lục II"),
    )
    assert header.to_places == ("Như trên", "Lưu: VT")
    assert packet.trace.trace_headers == (
        TraceHeader(organ_id="000.00.11.T90", timestamp=datetime(2026, 3, 2, 8, 15)),  # noqa: DTZ001 - the wire has no zone
    )
    staff = StaffInfo(
        department="Văn phòng",
        staff="Lê Văn Mẫu",
        email="mau.le@songmau.example",
        mobile="0900000001",
    )
    assert packet.trace.business == Business(
        doc_type=0, doc_reason="Văn bản điện tử mới", paper=0, staff_info=(staff,)
    )


def test_bytes_of_the_attachment_reach_the_sink(vector: Vector) -> None:
    sinks: dict[int, Collector] = {}
    packet = read(
        vector("several_attachments"), open_sink=lambda i: sinks.setdefault(i, Collector())
    )
    attachments = as_kind(packet, DocumentPacket).attachments
    assert [a.info.attachment_name for a in attachments] == [
        "du_thao.docx",
        "so_do.png",
        "103_SKHM-VP.pdf",
    ]
    assert [a.info.content_id for a in attachments] == ["a1", "a2", "a3"]
    assert [a.content.media_type.rpartition(".")[2] for a in attachments] == [
        "document",
        "image/png",
        "application/pdf",
    ]
    assert sorted(sinks) == [0, 1, 2]
    for index, attachment in enumerate(attachments):
        sink = sinks[index]
        assert sink.closed == 1
        assert attachment.content.size == len(sink.data)
        assert attachment.content.sha256 == hashlib.sha256(sink.data).hexdigest()
        assert attachment.unzipped is None
    assert sinks[1].data.startswith(b"\x89PNG")


def test_dotnet_builder(vector: Vector) -> None:
    packet = as_kind(read(vector("new_dotnet")), DocumentPacket)
    assert packet.warnings == ("content-id-form",)
    assert packet.header.document_type.type == 18
    assert packet.header.content == ""
    assert packet.header.steering_type == 0
    assert packet.header.response_for == (
        ResponseFor(
            organ_id="000.00.11.T90",
            code="101/SKHM-VP",
            promulgation_date=date(2026, 3, 2),
            document_id="000.00.11.T90,2026/03/02,101/SKHM-VP",
        ),
    )
    assert packet.trace.business == Business(doc_type=0, paper=1)
    (attachment,) = packet.attachments
    assert attachment.info.content_id == "f1"
    assert attachment.content.media_type == "application/pdf"


@pytest.mark.parametrize("name", ["new_java", "status_01"])
def test_repr_shows_no_values(vector: Vector, name: str) -> None:
    packet = read(vector(name))
    shown = f"{packet!r} {packet} {packet.header!r} {packet.header.sender!r}"
    assert "organ_id" in shown
    for private in ("T90", "Sông Mẫu", "0200", "songmau.example", "Ví Dụ"):
        assert private not in shown


def test_urgent(vector: Vector) -> None:
    packet = as_kind(read(vector("urgent")), DocumentPacket)
    assert packet.header.other_info.priority == 3


def test_zip_wrapped_files_are_measured_inside(vector: Vector) -> None:
    pdf = as_kind(read(vector("new_java")), DocumentPacket).attachments[0].content
    docx = as_kind(read(vector("several_attachments")), DocumentPacket).attachments[0].content
    first, second = as_kind(read(vector("zipped")), DocumentPacket).attachments
    assert first.content.media_type == "application/zip"
    assert first.unzipped == pdf
    assert second.unzipped == docx


def test_binary_that_was_decoded_as_text_is_refused_with_the_reason(vector: Vector) -> None:
    with pytest.raises(MalformedPacket, match=r"attachment 1, line 119: .*EF BF BD") as caught:
        read(vector("spoiled"))
    assert caught.value.context["reason"] == "binary-spoiled"


def test_oddities_are_put_up_with_and_named(vector: Vector) -> None:
    packet = as_kind(read(vector("oddities")), DocumentPacket)
    header = packet.header
    assert header.sender == Organ(organ_id="T90.31.07", organ_name="UBND xã Suối Giả")
    assert header.subject == "Giấy mời họp <trực tuyến> & trực tiếp"
    assert header.document_id == "T90.31.07-2026-77"
    assert header.content == "Nội dung"
    assert header.document_type.type_name == "Giấy mời"
    assert header.document_type.type is None
    assert header.due_date is None
    assert header.promulgation_info.promulgation_date == date(2026, 3, 6)
    assert packet.trace.business == Business(doc_type=0, doc_reason="Văn bản mới")
    first, second = packet.trace.trace_headers
    assert (first.organ_id, second.organ_id) == ("", "")
    assert str(second.timestamp) == "2026-03-06 07:00:05"
    assert set(packet.warnings) == {
        "bom",
        "business-spelling",
        "date-form:PromulgationDate",
        "date-unreadable:DueDate",
        "namespace-missing",
        "number-unreadable:Type",
        "organ-id-unreadable:OrganId",
        "receiver-repeated",
        "timestamp-form:Timestamp",
        "unknown-element",
    }


@pytest.mark.parametrize("code", ["01", "02", "03", "13"])
def test_statuses(vector: Vector, code: str) -> None:
    header = as_kind(read(vector(f"status_{code}")), StatusPacket).header
    recall = code == "13"
    assert header.status_code == code
    assert header.sender.organ_id == ("000.00.11.T90" if recall else "000.00.31.T90")
    assert header.response_for.organ_id == ("000.00.31.T90" if recall else "000.00.11.T90")
    assert header.response_for.code == "101/SKHM-VP"
    assert header.response_for.document_id == "000.00.11.T90,2026/03/02,101/SKHM-VP"
    assert header.staff_info.staff == "Đỗ Thị Thí Điểm"
    assert header.description
    assert header.timestamp is not None
    assert header.timestamp.tzinfo is None


@pytest.mark.parametrize(
    ("written", "meant", "warning"),
    [("3", "03", "status-code-form"), ("07", "07", "status-code-unknown")],
)
def test_odd_status_codes(vector: Vector, written: str, meant: str, warning: str) -> None:
    data = vector("status_03").replace(b">03<", f">{written}<".encode())
    packet = as_kind(read(data), StatusPacket)
    assert packet.header.status_code == meant
    assert packet.warnings == (warning,)


def test_manifest_fills_in_what_the_attachment_lacks(vector: Vector) -> None:
    data = vector("new_java")
    name = b"<AttachmentName>101_SKHM-VP.pdf</AttachmentName>"
    (attachment,) = as_kind(read(data.replace(name, b"")), DocumentPacket).attachments
    assert attachment.info.attachment_name == "101_SKHM-VP.pdf"


def test_manifest_and_attachments_that_do_not_match(vector: Vector) -> None:
    data = vector("new_java").replace(b"<ContentId>cid:209<", b"<ContentId>cid:210<")
    packet = as_kind(read(data), DocumentPacket)
    assert packet.warnings == ("reference-without-attachment", "attachment-without-reference")
    assert [info.content_id for info in packet.references] == ["209"]
    assert packet.attachments[0].info.content_id == "210"


def test_a_large_packet_reads_the_same_as_a_small_one(vector: Vector) -> None:
    small = vector("new_java")
    padding = b"\n" * (SMALL + 1)
    large = small.replace(b"</edXML>", padding + b"</edXML>")
    assert read(large) == read(small)
    in_base64 = small.replace(b"</edXML:ContentTransfer", padding + b"</edXML:ContentTransfer")
    reader = PacketReader()
    reader.feed(in_base64)
    assert reader.close() == read(small)
