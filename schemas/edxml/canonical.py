"""From a packet to what the bus works with: the canonical body, and whom it concerns."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.agency import parse_code
from schemas.edxml.model import (
    DocumentPacket,
    MessageHeader,
    Packet,
    PacketAttachment,
    ResponseFor,
    StatusPacket,
)
from schemas.errors import MalformedPacket, TooLarge
from schemas.message import Attachment, DocumentBody, Lane, Reference, StatusBody

MAX_ID = 255  # characters of a DocumentId or Code; real ones have at most 200
MAX_RECEIVERS = 2_000  # of one packet: they are accepted in one transaction
TAKE_BACK = "13"  # lấy lại: the status by which a sender recalls its document
RECALL, UPDATE, REPLACE = 1, 2, 3  # BussinessDocType


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
    """Raises MalformedPacket when an OrganId is not an agency code or stands in To twice, or a
    DocumentId is overlong.

    A recall (status 13, or packet of type 1) has the order key of what it recalls and the urgent
    lane, an update (type 2) that of what it updates; the other statuses of one receiver about one
    document are ordered among themselves.
    """
    sender = _agency(packet.header.sender.organ_id, "From/OrganId")
    if isinstance(packet, StatusPacket):
        return _of_status(packet, sender)
    header = packet.header
    receivers = _receivers(header)
    document_id = _bounded(header.document_id, "DocumentId")
    code = _bounded(f"{header.code.number}/{header.code.notation}", "Code")
    business = packet.trace.business.doc_type
    urgent = (header.other_info.priority or 0) >= 1 or business == RECALL
    changed = references_of(packet) if business in {RECALL, UPDATE} else ()
    about = _bounded(changed[0].document_id, "DocumentId") if changed else ""
    return Addressing(
        sender=sender,
        receivers=receivers,
        order_key=about or document_id or f"{code}|{sender}",
        lane=Lane.URGENT if urgent else Lane.NORMAL,
    )


def _receivers(header: MessageHeader) -> tuple[str, ...]:
    """The same code twice is a mistake of the sender's, as other buses in the field see it, too.

    Two codes of one agency (the old and the new) are not: routing makes one delivery of them.
    """
    if len(header.receivers) > MAX_RECEIVERS:
        raise TooLarge(
            f"the packet names {len(header.receivers)} receivers, more than {MAX_RECEIVERS}",
            vi=f"Gói tin có {len(header.receivers)} nơi nhận, vượt giới hạn {MAX_RECEIVERS}",
            limit=MAX_RECEIVERS,
        )
    receivers: dict[str, None] = {}
    for to in header.receivers:
        code = _agency(to.organ_id, "To/OrganId")
        if code in receivers:
            raise MalformedPacket(
                f"To/OrganId {code} stands there more than once",
                vi=f"To/OrganId {code} bị lặp: mỗi cơ quan nhận chỉ ghi một lần",
                element="To/OrganId",
            )
        receivers[code] = None
    return tuple(receivers)


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
        references=references_of(packet),
    )


def references_of(packet: DocumentPacket) -> tuple[Reference, ...]:
    """The other documents this packet recalls, updates, replaces or answers.

    A recall names its documents in ResponseFor, for each receiver by itself where OrganId is one
    of the receivers; an update in Bussiness/DocumentId, or means its own; a replacement in
    ReplacementInfoList.
    """
    business = packet.trace.business
    match business.doc_type:
        case 1:
            if packet.header.response_for:
                return tuple(_recalled(packet, each) for each in packet.header.response_for)
            return _named(packet, "recalls", business.document_id or packet.header.document_id)
        case 2:
            return _named(packet, "updates", business.document_id or packet.header.document_id)
        case 3:
            return tuple(
                Reference(
                    relation="replaces", document_id=each.document_id, receivers=each.organ_ids
                )
                for each in business.replacements
            )
    return tuple(
        Reference(
            relation="answers",
            document_id=each.document_id,
            code=each.code,
            promulgated=each.promulgation_date,
        )
        for each in packet.header.response_for
    )


def _recalled(packet: DocumentPacket, about: ResponseFor) -> Reference:
    addressed = {to.organ_id for to in packet.header.receivers}
    return Reference(
        relation="recalls",
        document_id=about.document_id,
        code=about.code,
        promulgated=about.promulgation_date,
        receivers=(about.organ_id,) if about.organ_id in addressed else (),
    )


def _named(
    packet: DocumentPacket, relation: Literal["recalls", "updates"], document_id: str
) -> tuple[Reference, ...]:
    code = packet.header.code
    return (
        Reference(
            relation=relation,
            document_id=document_id,
            code=f"{code.number}/{code.notation}",
            promulgated=packet.header.promulgation_info.promulgation_date,
        ),
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
