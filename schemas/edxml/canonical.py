"""From a packet to what the bus works with: the canonical body, and whom it concerns."""

from __future__ import annotations

from typing import NamedTuple

from schemas.agency import parse_code
from schemas.edxml.model import DocumentPacket, Packet, PacketAttachment, StatusPacket
from schemas.errors import MalformedPacket
from schemas.message import Attachment, DocumentBody, Lane, StatusBody

MAX_ID = 255  # characters of a DocumentId or Code; real ones have at most 200
TAKE_BACK = "13"  # lấy lại: the status by which a sender recalls its document


class Addressing(NamedTuple):
    """Who sends, who receives, in which order and how fast."""

    sender: str
    receivers: tuple[str, ...]
    order_key: str
    lane: Lane


def to_body(packet: Packet) -> DocumentBody | StatusBody:
    """The facts that routing, search and deadlines need."""
    if isinstance(packet, StatusPacket):
        return _status_body(packet)
    return _document_body(packet)


def addressing(packet: Packet) -> Addressing:
    """Raises MalformedPacket when an OrganId is not an agency code or a DocumentId is overlong.

    The recall of a document (status 13) has the document's own order key and the urgent lane; the
    other statuses of one receiver about one document are ordered among themselves.
    """
    sender = _agency(packet.header.sender.organ_id, "From/OrganId")
    if isinstance(packet, StatusPacket):
        return _of_status(packet, sender)
    header = packet.header
    receivers = dict.fromkeys(_agency(to.organ_id, "To/OrganId") for to in header.receivers)
    document_id = _bounded(header.document_id, "DocumentId")
    code = _bounded(f"{header.code.number}/{header.code.notation}", "Code")
    urgent = (header.other_info.priority or 0) >= 1
    return Addressing(
        sender=sender,
        receivers=tuple(receivers),
        order_key=document_id or f"{code}|{sender}",
        lane=Lane.URGENT if urgent else Lane.NORMAL,
    )


def _of_status(packet: StatusPacket, sender: str) -> Addressing:
    about = packet.header.response_for
    receiver = _agency(about.organ_id, "ResponseFor/OrganId")
    document_id = _bounded(about.document_id, "ResponseFor/DocumentId")
    by_code = f"{_bounded(about.code, 'ResponseFor/Code')}|{sender}"
    if packet.header.status_code == TAKE_BACK:
        key, lane = document_id or by_code, Lane.URGENT
    else:
        key, lane = f"{document_id}|{sender}" if document_id else by_code, Lane.NORMAL
    return Addressing(sender=sender, receivers=(receiver,), order_key=key, lane=lane)


def _document_body(packet: DocumentPacket) -> DocumentBody:
    header = packet.header
    return DocumentBody(
        document_id=header.document_id,
        number=header.code.number,
        notation=header.code.notation,
        subject=header.subject,
        type_name=header.document_type.type_name,
        promulgated=header.promulgation_info.promulgation_date,
        due=header.due_date,
        priority=header.other_info.priority or 0,
        steering_type=header.steering_type or 0,
        business=packet.trace.business.doc_type or 0,
        signer=header.signer_info.full_name,
        attachments=tuple(_attachment(attachment) for attachment in packet.attachments),
    )


def _status_body(packet: StatusPacket) -> StatusBody:
    header = packet.header
    return StatusBody(
        document_id=header.response_for.document_id,
        code=header.response_for.code,
        status=header.status_code,
        description=header.description,
        timestamp=header.timestamp,
        promulgated=header.response_for.promulgation_date,
    )


def _attachment(attachment: PacketAttachment) -> Attachment:
    content = attachment.unzipped or attachment.content
    return Attachment(
        content_id=attachment.info.content_id,
        name=attachment.info.attachment_name,
        media_type=content.media_type,
        size=content.size,
        sha256=content.sha256,
    )


def _agency(text: str, element: str) -> str:
    try:
        return parse_code(text)
    except ValueError:
        raise MalformedPacket(
            f"{element} is not an agency code: {text[:50]!r}",
            vi=f"{element} không phải mã cơ quan: {text[:50]!r}",
            element=element,
        ) from None


def _bounded(text: str, element: str) -> str:
    if len(text) > MAX_ID:
        raise MalformedPacket(
            f"{element} is longer than {MAX_ID} characters",
            vi=f"{element} dài hơn {MAX_ID} ký tự",
            element=element,
        )
    return text
