"""edXML packets (QCVN 102:2016/BTTTT): model, streaming reader, exact writer, canonical form."""

from __future__ import annotations

from schemas.edxml.canonical import Addressing, addressing, to_body
from schemas.edxml.content import Measure, Sink
from schemas.edxml.extract import STATUS_CODES
from schemas.edxml.model import (
    NAMESPACE,
    Business,
    BusinessDocumentInfo,
    Code,
    Content,
    DocumentPacket,
    DocumentType,
    FileInfo,
    MessageHeader,
    Organ,
    OtherInfo,
    Packet,
    PacketAttachment,
    PromulgationInfo,
    Receiver,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    StatusHeader,
    StatusPacket,
    TraceHeader,
    TraceHeaderList,
)
from schemas.edxml.reader import PACKET_LIMITS, PacketReader, read
from schemas.edxml.writer import write, write_status

__all__ = [
    "NAMESPACE",
    "PACKET_LIMITS",
    "STATUS_CODES",
    "Addressing",
    "Business",
    "BusinessDocumentInfo",
    "Code",
    "Content",
    "DocumentPacket",
    "DocumentType",
    "FileInfo",
    "Measure",
    "MessageHeader",
    "Organ",
    "OtherInfo",
    "Packet",
    "PacketAttachment",
    "PacketReader",
    "PromulgationInfo",
    "Receiver",
    "ReplacementInfo",
    "ResponseFor",
    "SignerInfo",
    "Sink",
    "StaffInfo",
    "StatusHeader",
    "StatusPacket",
    "TraceHeader",
    "TraceHeaderList",
    "addressing",
    "read",
    "to_body",
    "write",
    "write_status",
]
