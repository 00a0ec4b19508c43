"""Small edXML packets for the proofs, written by hand: the bus' own writer takes no part."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

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
        "<e:Code><e:CodeNumber>7</e:CodeNumber><e:CodeNotation>BC-SYT</e:CodeNotation></e:Code>"
        "<e:PromulgationInfo><e:Place>Sơn Bình</e:Place>"
        "<e:PromulgationDate>2026/03/02</e:PromulgationDate></e:PromulgationInfo>"
        "<e:DocumentType><e:Type>1</e:Type><e:TypeName>Báo cáo</e:TypeName></e:DocumentType>"
        f"<e:Subject>{escape(subject)}</e:Subject>"
        f"<e:OtherInfo><e:Priority>{priority}</e:Priority></e:OtherInfo>",
        _attached(attachment) if attachment else "",
        _updates(document_id) if update else "",
    )


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
        "<e:Code>7/BC-SYT</e:Code><e:PromulgationDate>2026/03/02</e:PromulgationDate>"
        f"<e:DocumentId>{escape(document_id)}</e:DocumentId></e:ResponseFor>"
        "<e:StaffInfo><e:Department>Văn thư</e:Department></e:StaffInfo>"
        f"<e:StatusCode>03</e:StatusCode><e:Description>{escape(note)}</e:Description>"
        "<e:Timestamp>2026/03/02 09:30:00</e:Timestamp>",
        "",
    )


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
