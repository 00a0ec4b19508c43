"""The day's documents and statuses, as real edXML packets. The same seed makes the same day."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from deploy.stage import Agency
from schemas.edxml import (
    Code,
    Content,
    DocumentPacket,
    DocumentType,
    FileInfo,
    MessageHeader,
    Organ,
    OtherInfo,
    PacketAttachment,
    PromulgationInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    StatusHeader,
    StatusPacket,
    write,
    write_status,
)

DAY = date(2026, 11, 23)
CROSSING = 1 / 7
TYPES = (("Công văn", "CV"), ("Báo cáo", "BC"), ("Quyết định", "QĐ"), ("Giấy mời", "GM"))
SUBJECTS = (
    "V/v rà soát thủ tục hành chính thuộc thẩm quyền giải quyết",
    "V/v kết nối, liên thông phần mềm quản lý văn bản bốn cấp",
    "Báo cáo tình hình giải quyết hồ sơ tại Bộ phận một cửa quý IV",
    "Mời họp trực tuyến về chuyển đổi số năm 2026",
    "V/v tăng cường phòng, chống cháy rừng mùa khô",
    "V/v công khai tiến độ giải quyết hồ sơ trên Cổng dịch vụ công",
)
STATUS_TEXTS = {
    "01": "Văn thư: Đã đến - Phần mềm QLVB đã nhận nhưng văn thư chưa xử lý",
    "03": "Văn thư: Tiếp nhận văn bản điện tử, vào sổ văn bản đến của đơn vị",
}


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    code: str  # số/ký hiệu
    sender: Agency
    receivers: tuple[Agency, ...]
    urgent: bool
    packet: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.packet).hexdigest()


def make_document(number: int, agencies: Sequence[Agency], rng: random.Random) -> Document:
    """Mostly within one province; one in seven crosses to the other one as well."""
    sender = rng.choice(agencies)
    near = [each for each in agencies if each.bus == sender.bus and each is not sender]
    far = [each for each in agencies if each.bus != sender.bus]
    receivers = rng.sample(near, min(len(near), rng.choices((1, 2, 3), (80, 15, 5))[0]))
    if far and rng.random() < CROSSING:
        receivers += rng.sample(far, rng.randint(1, min(2, len(far))))
    return make_document_for(number, sender, receivers, rng)


def make_document_for(
    number: int, sender: Agency, receivers: Sequence[Agency], rng: random.Random
) -> Document:
    """Of whatever type and subject the dice say."""
    name, short = rng.choice(TYPES)
    notation = f"{short}-{sender.client.upper()}"[:30]
    priority = rng.choices((0, 1, 2, 3), (88, 7, 3, 2))[0]
    document_id = f"{sender.code},{DAY:%Y/%m/%d},{number}/{notation}"
    header = MessageHeader(
        sender=_organ(sender),
        receivers=tuple(_organ(agency) for agency in receivers),
        document_id=document_id,
        code=Code(number=str(number), notation=notation),
        promulgation_info=PromulgationInfo(place="Sơn Bình", promulgation_date=DAY),
        document_type=DocumentType(type=1, type_detail=0, type_name=name),
        subject=rng.choice(SUBJECTS),
        signer_info=SignerInfo(competence="KT.", position="Phó Thủ trưởng", full_name="Lò Văn A"),
        due_date=DAY + timedelta(days=rng.randint(2, 15)),
        other_info=OtherInfo(priority=priority, page_amount=rng.randint(1, 30)),
    )
    content = b"%PDF-1.7\n" + rng.randbytes(_size(number, rng))
    file = PacketAttachment(
        info=FileInfo(
            content_id=f"cid:{number}",
            content_type="application/pdf",
            attachment_name=f"{number}_{notation}.pdf",
        ),
        content=Content(
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            media_type="application/pdf",
        ),
    )
    packet = b"".join(write(DocumentPacket(header=header, attachments=(file,)), [[content]]))
    return Document(
        document_id, f"{number}/{notation}", sender, tuple(receivers), priority > 0, packet
    )


def make_status(document: Document, by: Agency, status: str) -> bytes:
    """What the receiving agency says of a document, to the one that sent it."""
    return write_status(
        StatusPacket(
            header=StatusHeader(
                sender=_organ(by),
                response_for=ResponseFor(
                    organ_id=document.sender.code,
                    code=document.code,
                    promulgation_date=DAY,
                    document_id=document.id,
                ),
                staff_info=StaffInfo(department="Văn thư", staff="Vàng Thị B"),
                status_code=status,
                description=STATUS_TEXTS[status],
                timestamp=datetime(2026, 11, 23, 8, 30),  # noqa: DTZ001 - edXML times have no zone
            )
        )
    )


def _organ(agency: Agency) -> Organ:
    return Organ(organ_id=agency.code, organ_name=agency.name)


def _size(number: int, rng: random.Random) -> int:
    """Mostly letters of some KB, now and then a scan of a megabyte."""
    return 1_000_000 if number % 100 == 50 else rng.randint(1_000, 60_000)
