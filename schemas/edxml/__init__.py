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
    Element,
    FileInfo,
    Kept,
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
from schemas.edxml.reader import PACKET_LIMITS, PacketLimits, PacketReader, read
from schemas.edxml.recipients import RecipientCut, cut_recipients
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
    "Element",
    "FileInfo",
    "Kept",
    "Measure",
    "MessageHeader",
    "Organ",
    "OtherInfo",
    "Packet",
    "PacketAttachment",
    "PacketLimits",
    "PacketReader",
    "PromulgationInfo",
    "Receiver",
    "RecipientCut",
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
    "cut_recipients",
    "read",
    "to_body",
    "write",
    "write_status",
]
