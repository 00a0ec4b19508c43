"""What goes wrong in the field, a test for each: a packet as seen, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

import pytest
from lxml import etree

from schemas.edxml import DocumentPacket, Packet, StatusPacket, addressing, read, to_body
from schemas.errors import MalformedPacket, MalformedXml
from schemas.message import DocumentBody
from schemas.xml import parse
from tests.unit.schemas.edxml.equivalence import Kept, rewritten

Vector = Callable[[str], bytes]


def document(packet: Packet) -> DocumentPacket:
    assert isinstance(packet, DocumentPacket)
    return packet


def test_a_dropped_prefix_is_read_and_the_literal_prefix_is_written(vector: Vector) -> None:
    packet = read(vector("prefix_dropped"))
    assert packet == read(vector("new_java"))
    written = rewritten(vector("prefix_dropped"))
    assert b"<edXML:edXMLHeader><edXML:MessageHeader><edXML:From><edXML:OrganId>" in written
    assert written == rewritten(vector("new_java"))


@pytest.mark.parametrize("name", ["flat", "e_doc_2015"])
def test_other_formats_are_refused_by_name_and_not_half_read(vector: Vector, name: str) -> None:
    with pytest.raises(MalformedPacket, match="edXML of QCVN 102:2016 is expected, not") as caught:
        read(vector(name))
    assert caught.value.context["line"] == 2


def test_stray_bytes_before_the_declaration_are_named_as_such(vector: Vector) -> None:
    with pytest.raises(MalformedXml, match="4 stray bytes before the XML declaration") as caught:
        read(vector("stray_bytes"))
    assert caught.value.context["reason"] == "stray-bytes"
    assert "4 byte thừa" in caught.value.detail.vi


def test_a_byte_order_mark_is_tolerated_and_noted(vector: Vector) -> None:
    packet = read(b"\xef\xbb\xbf" + vector("new_java"))
    assert packet.warnings == ("bom",)


def test_a_prefix_out_of_its_scope_is_refused_with_its_line(vector: Vector) -> None:
    with pytest.raises(MalformedXml, match="prefix edXML on AttachmentEncoded") as caught:
        read(vector("unbound_prefix"))
    assert caught.value.context["line"] == 121


def test_dates_of_other_forms_are_read_and_written_as_the_standard_wants(vector: Vector) -> None:
    packet = document(read(vector("dates")))
    assert packet.header.promulgation_info.promulgation_date == date(2026, 3, 2)
    moment = datetime(2026, 3, 2, 8, 15)  # noqa: DTZ001 - the wire has no zone
    assert packet.trace.trace_headers[0].timestamp == moment
    written = rewritten(vector("dates"))
    assert b"<edXML:PromulgationDate>2026/03/02<" in written
    assert b"<edXML:Timestamp>2026/03/02 08:15:00<" in written


def test_an_impossible_date_is_left_out_and_noted_and_never_bent(vector: Vector) -> None:
    packet = document(read(vector("dates")))
    assert packet.header.due_date is None
    assert "date-unreadable:DueDate" in packet.warnings
    assert b"DueDate" not in rewritten(vector("dates"))


def test_a_date_inside_a_document_id_is_not_touched(vector: Vector) -> None:
    packet = document(read(vector("dates")))
    assert packet.header.document_id == "000.00.11.T90,2026-03-02,101/SKHM-VP"


def test_a_document_id_may_be_a_uuid_or_hold_commas_slashes_and_letters(vector: Vector) -> None:
    assert addressing(read(vector("short_codes"))).order_key == (
        "8f7f2f0a-5c3e-4b1d-9a59-3a8a35a1c0de"
    )
    data = vector("new_java").replace(
        b"000.00.11.T90,2026/03/02,101/SKHM-VP", "T90, 2/3; Đề án/số 1 «a»".encode()
    )
    assert document(read(data)).header.document_id == "T90, 2/3; Đề án/số 1 «a»"
    assert "T90, 2/3; Đề án/số 1 «a»".encode() in rewritten(data)


def test_codes_of_two_to_four_groups_are_addresses(vector: Vector) -> None:
    assert addressing(read(vector("short_codes"))).receivers == ("31.07.T90", "T90.31.07")
    assert addressing(read(vector("short_codes"))).sender == "T90"
    assert addressing(read(vector("new_java"))).receivers[0] == "000.00.31.T90"


def test_a_hub_code_ending_in_w00_is_an_address(vector: Vector) -> None:
    data = vector("new_java").replace(b"000.00.31.T90", b"00.53.W00")
    assert addressing(read(data)).receivers[0] == "00.53.W00"


@pytest.mark.parametrize(
    ("name", "business"), [("new_java", 0), ("recall", 1), ("update", 2), ("replacement", 3)]
)
def test_every_kind_of_packet_is_read_and_addressed_alike(
    vector: Vector, name: str, business: int
) -> None:
    packet = document(read(vector(name)))
    assert packet.warnings == ()
    body = to_body(packet)
    assert isinstance(body, DocumentBody)
    assert body.business == business
    assert addressing(packet).receivers == ("000.00.31.T90", "T90.31.07")


def test_a_recall_names_its_document_for_each_receiver(vector: Vector) -> None:
    recalled = document(read(vector("recall"))).header.response_for
    assert [each.organ_id for each in recalled] == ["000.00.31.T90", "T90.31.07"]
    assert {each.document_id for each in recalled} == {"000.00.11.T90,2026/03/02,101/SKHM-VP"}


def test_an_update_says_who_left_and_who_joined_the_receivers(vector: Vector) -> None:
    business = document(read(vector("update"))).trace.business
    assert business.document_id == "000.00.11.T90,2026/03/02,101/SKHM-VP"
    info = business.document_info
    assert (info.document_info, info.document_receiver) == ("1", "1")
    assert [(each.organ_id, each.receiver_type) for each in info.receivers] == [
        ("T90.31.07", 0),
        ("000.00.12.T90", 1),
    ]


def test_a_replacement_lists_documents_and_receivers(vector: Vector) -> None:
    replaced = document(read(vector("replacement"))).trace.business.replacements
    assert [(each.document_id[-10:], each.organ_ids) for each in replaced] == [
        ("01/SKHM-VP", ("000.00.31.T90", "T90.31.07")),
        ("99/SKHM-VP", ("000.00.31.T90",)),
    ]


@pytest.mark.parametrize("code", ["01", "02", "03", "04", "05", "06", "13", "15", "16"])
def test_every_status_code_goes_to_the_organ_it_is_for(vector: Vector, code: str) -> None:
    packet = read(vector(f"status_{code}"))
    assert isinstance(packet, StatusPacket)
    assert packet.header.status_code == code
    assert packet.warnings == ()
    swapped = code == "13"  # lấy lại: from the document's sender to its receiver
    assert addressing(packet).receivers == ("000.00.31.T90" if swapped else "000.00.11.T90",)


def test_null_and_missing_organs_of_a_trace_are_no_agencies(vector: Vector) -> None:
    packet = document(read(vector("hub_trace")))
    assert [hop.organ_id for hop in packet.trace.trace_headers] == ["", ""]
    assert all(hop.timestamp for hop in packet.trace.trace_headers)
    assert packet.warnings == ("organ-id-unreadable:OrganId", "trace-without-organ")
    assert b"null" not in rewritten(vector("hub_trace"))


def test_empty_elements_are_as_good_as_missing_and_n_a_is_text(vector: Vector) -> None:
    packet = document(read(vector("hub_trace")))
    assert packet.header.sender.fax == ""
    assert packet.header.receivers[1].telephone == "N/A"
    written = rewritten(vector("hub_trace"))
    assert b"Fax" not in written
    assert b"<edXML:Telephone>N/A<" in written


def test_elements_in_any_order_say_the_same(vector: Vector) -> None:
    data = vector("new_java")
    root = parse(data)
    header = root[0][0]
    message = header[0]
    receivers = [child for child in message if str(child.tag).endswith("}To")]
    others = [child for child in message if child not in receivers]
    assert len(others) > 10
    message[:] = [*reversed(others), *receivers]
    groups = [each for each in others if not str(each.tag).endswith("}ToPlaces")]
    for group in (*groups, header, root[0], root):
        group[:] = list(reversed(group))
    shuffled = read(etree.tostring(root))
    assert shuffled == read(data)


def test_both_spellings_of_business_are_read_and_the_standards_is_written(vector: Vector) -> None:
    data = vector("update").replace(b"Bussiness", b"Business")
    packet = document(read(data))
    assert packet.warnings == ("business-spelling",)
    assert packet.trace == document(read(vector("update"))).trace
    assert rewritten(data) == rewritten(vector("update"))


def test_cid_on_one_side_only_still_matches_file_and_reference(vector: Vector) -> None:
    packet = document(read(vector("new_dotnet")))
    assert packet.references == ()
    (file,) = packet.attachments
    assert file.reference.content_id == file.info.content_id == "f1"
    written = rewritten(vector("new_dotnet"))
    assert written.count(b"ContentId>cid:f1<") == 2


def test_the_content_type_is_never_believed(vector: Vector) -> None:
    (file,) = document(read(vector("zip_slip"))).attachments
    assert (file.info.content_type, file.reference.content_type) == (
        "application/zip",
        "application/pdf",
    )
    assert file.unzipped is not None
    assert file.unzipped.media_type == "application/pdf"
    assert file.unzipped == document(read(vector("new_java"))).attachments[0].content


def test_the_name_of_a_zip_entry_is_never_used(vector: Vector) -> None:
    body = to_body(read(vector("zip_slip")))
    assert isinstance(body, DocumentBody)
    assert [each.name for each in body.attachments] == ["101_SKHM-VP.pdf"]
    assert "cron" not in body.model_dump_json()


def test_a_docx_is_no_wrapping_though_it_is_a_zip(vector: Vector) -> None:
    docx, *_ = document(read(vector("several_attachments"))).attachments
    assert docx.content.media_type.endswith("wordprocessingml.document")
    assert docx.unzipped is None


def test_a_binary_spoiled_by_text_decoding_is_refused_with_the_reason(vector: Vector) -> None:
    with pytest.raises(MalformedPacket, match="decoded as text") as caught:
        read(vector("spoiled"))
    assert caught.value.context["reason"] == "binary-spoiled"
    assert "giải mã như văn bản" in caught.value.detail.vi


def test_a_text_file_may_hold_replacement_characters(vector: Vector) -> None:
    kept = Kept()
    text = "ghi chú: \ufffd\ufffd".encode()
    data = re.sub(
        rb"(<edXML:ContentTransferEncoded[^>]*>)[^<]*",
        lambda found: found[1] + b"Z2hpIGNow7o6IO+/ve+/vQ==",
        vector("new_java"),
    )
    assert document(read(data, open_sink=lambda _: kept)).attachments[0].content.size == len(text)
    assert b"".join(kept.pieces) == text


def test_repeated_receivers_are_read_and_never_addressed(vector: Vector) -> None:
    """Read, so that an operator can look at it; refused where it would be sent on."""
    packet = read(vector("oddities"))
    assert "receiver-repeated" in packet.warnings
    with pytest.raises(MalformedPacket, match=r"000\.00\.11\.T90 stands there more than once"):
        addressing(packet)


def test_markup_inside_a_text_does_not_cut_it_short(vector: Vector) -> None:
    data = vector("new_java").replace("báo cáo tiến độ".encode(), "<b>báo cáo</b> tiến độ".encode())
    packet = document(read(data))
    assert packet.header.subject == "V/v báo cáo tiến độ số hóa năm 2026"
    assert "markup-in-text:Subject" in packet.warnings
