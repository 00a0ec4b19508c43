"""Small edXML packets for the proofs, written by hand: the bus' own writer takes no part."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape
from zlib import crc32

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


def document(
    *,
    sender: str,
    receivers: Sequence[str],
    document_id: str,
    subject: str,
    priority: int = 0,
    attachment: str = "",
    update: bool = False,
) -> bytes:
    """Văn bản mới, or an update of one sent before. `attachment` is base64 of one attached file."""
    to = "".join(_organ("To", code) for code in receivers)
    return _envelope(
        f"{_organ('From', sender)}{to}"
        f"<e:DocumentId>{escape(document_id)}</e:DocumentId>"
        f"<e:Code><e:CodeNumber>{_number(document_id)}</e:CodeNumber>"
        "<e:CodeNotation>BC-SYT</e:CodeNotation></e:Code>"
        "<e:PromulgationInfo><e:Place>Sơn Bình</e:Place>"
        "<e:PromulgationDate>2026/03/02</e:PromulgationDate></e:PromulgationInfo>"
        "<e:DocumentType><e:Type>1</e:Type><e:TypeName>Báo cáo</e:TypeName></e:DocumentType>"
        f"<e:Subject>{escape(subject)}</e:Subject>"
        f"<e:OtherInfo><e:Priority>{priority}</e:Priority></e:OtherInfo>",
        _attached(attachment) if attachment else "",
        _updates(document_id) if update else "",
    )


def _number(document_id: str) -> int:
    """Số văn bản: of each document its own, as agencies number them."""
    return crc32(document_id.encode())


def _updates(document_id: str) -> str:
    return (
        "<e:TraceHeaderList><e:Bussiness><e:BussinessDocType>2</e:BussinessDocType>"
        f"<e:DocumentId>{escape(document_id)}</e:DocumentId></e:Bussiness></e:TraceHeaderList>"
    )


def status(*, sender: str, receiver: str, document_id: str, note: str) -> bytes:
    """Trạng thái 03 (đã tiếp nhận) of an earlier document."""
    return _envelope(
        f"{_organ('From', sender)}"
        f"<e:ResponseFor><e:OrganId>{escape(receiver)}</e:OrganId>"
        f"<e:Code>{_number(document_id)}/BC-SYT</e:Code>"
        "<e:PromulgationDate>2026/03/02</e:PromulgationDate>"
        f"<e:DocumentId>{escape(document_id)}</e:DocumentId></e:ResponseFor>"
        "<e:StaffInfo><e:Department>Văn thư</e:Department></e:StaffInfo>"
        f"<e:StatusCode>03</e:StatusCode><e:Description>{escape(note)}</e:Description>"
        "<e:Timestamp>2026/03/02 09:30:00</e:Timestamp>",
        "",
    )


_STATUS = (
    rb"<[\w:]*StatusCode[^>]*>([^<]*)<",
    rb"<[\w:]*From[^>]*>\s*<[\w:]*OrganId[^>]*>([^<]*)<",
    rb"<[\w:]*DocumentId[^>]*>([^<]*)<",
)


def status_of(packet: bytes) -> list[str]:
    """Of a status packet: its code, who sends it, and the document it is about."""
    found = [re.search(pattern, packet) for pattern in _STATUS]
    return [each.group(1).decode().strip() if each else "" for each in found]


FACTS = ("code", "id", "status", "content", "by", "procedure", "summary")
"""What a dossier's record or step must still say when it arrives in the bus' canonical form."""


def record(*, code: str, sender: str) -> dict[str, Any]:
    """Hồ sơ: the record of a dossier that has just been received."""
    return {
        "code": code,
        "procedure": "1.000656",
        "procedureName": "Đăng ký khai tử",
        "agency": sender,
        "agencyName": "Cơ quan",
        "channel": 1,
        "applicant": {"kind": 1, "name": "Nguyễn Văn Mẫu"},
        "summary": f"Hồ sơ {code}",
        "status": 2,
        "received": "2026-03-02T08:15:00+07:00",
    }


def step(*, code: str, number: int) -> dict[str, Any]:
    """Bước xử lý thứ `number`."""
    return {
        "code": code,
        "id": str(number),
        "at": f"2026-03-02T09:{number % 60:02d}:00+07:00",
        "by": "Trần Thị Ví Dụ",
        "content": f"{code} bước {number}",
        "status": 4,
    }


def says(said: Mapping[str, Any]) -> str:
    """Digest (hex) of what a record or step says."""
    facts = {name: said[name] for name in FACTS if said.get(name)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _organ(tag: str, code: str) -> str:
    organ = f"<e:OrganId>{escape(code)}</e:OrganId><e:OrganName>Cơ quan</e:OrganName>"
    return f"<e:{tag}>{organ}</e:{tag}>"


def _attached(base64: str) -> str:
    return (
        "<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId>"
        "<AttachmentName>phu-luc.pdf</AttachmentName><ContentType>application/pdf</ContentType>"
        f'<e:ContentTransferEncoded xmlns:e="{NAMESPACE}">{base64}</e:ContentTransferEncoded>'
        "</Attachment></AttachmentEncoded>"
    )


def _envelope(header: str, after: str, trace: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<edXML xmlns="{NAMESPACE}" xmlns:e="{NAMESPACE}"><e:edXMLEnvelope>'
        f"<e:edXMLHeader><e:MessageHeader>{header}"
        f"</e:MessageHeader>{trace}</e:edXMLHeader></e:edXMLEnvelope>{after}</edXML>"
    ).encode()
