"""From a parsed packet (attachment bytes already taken out) to the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lxml import etree

from schemas.edxml.content import Base64Reader
from schemas.edxml.files import files_of
from schemas.edxml.groups import read_group
from schemas.edxml.model import (
    DocumentPacket,
    MessageHeader,
    Packet,
    StatusHeader,
    StatusPacket,
    TraceHeaderList,
)
from schemas.edxml.plan import plan_of, qualified, tags
from schemas.edxml.required import Path, missing, refusal
from schemas.edxml.tree import Warnings, malformed, only_child, required_child

STATUS_CODES = frozenset({"01", "02", "03", "04", "05", "06", "13", "15", "16"})
_DOCUMENT_ONLY = ("To", "Code", "Subject")


def packet_of(root: etree._Element, contents: Sequence[Base64Reader], warnings: Warnings) -> Packet:
    """The packet. `contents` are the attachments' bytes in the order of `encoded_elements`.

    Raises MalformedPacket naming the element and the line.
    """
    if root.tag != qualified("edXML"):
        name = str(root.tag)[:100]
        en, vi = f"of QCVN 102:2016 is expected, not {name}", f"phải là gốc, không phải {name}"
        raise malformed("edXML", root, en, vi)
    envelope = required_child(root, "edXMLEnvelope")
    header = required_child(envelope, "edXMLHeader")
    message = required_child(header, "MessageHeader")
    if _is_status(message):
        packet: Packet = _status(message, warnings)
    else:
        fields = _document_header(header, message, warnings)
        fields["attachments"] = files_of(root, envelope, contents, warnings)
        packet = DocumentPacket.model_validate({**fields, "warnings": warnings.list()})
    absent = missing(packet)
    if absent is not None:
        raise refusal(absent, _line_of(message, absent))
    return packet


def _is_status(message: etree._Element) -> bool:
    if _has(message, "StatusCode"):
        return True
    return _has(message, "ResponseFor") and not any(_has(message, n) for n in _DOCUMENT_ONLY)


def _has(parent: etree._Element, name: str) -> bool:
    return next(parent.iterchildren(*tags(name)), None) is not None


def _status(message: etree._Element, warnings: Warnings) -> StatusPacket:
    fields = read_group(message, plan_of(StatusHeader), warnings)
    code = fields.get("status_code", "")
    if code and code not in STATUS_CODES:
        if not (code.isascii() and code.isdigit() and len(code) <= 2):
            element = only_child(message, "StatusCode")
            raise malformed("StatusCode", element, "is not two digits", "không phải hai chữ số")
        fields["status_code"] = code.zfill(2)
        known = fields["status_code"] in STATUS_CODES
        warnings.add("status-code-form" if known else "status-code-unknown")
    return StatusPacket.model_validate({"header": fields, "warnings": warnings.list()})


def _document_header(
    header: etree._Element, message: etree._Element, warnings: Warnings
) -> dict[str, Any]:
    fields: dict[str, Any] = {"header": read_group(message, plan_of(MessageHeader), warnings)}
    codes = [to.get("organ_id", "").upper() for to in fields["header"].get("receivers", ())]
    if len(set(codes)) < len(codes):
        warnings.add("receiver-repeated")
    trace = only_child(header, "TraceHeaderList")
    if trace is not None:
        fields["trace"] = read_group(trace, plan_of(TraceHeaderList), warnings)
    return fields


def _line_of(message: etree._Element, path: Path) -> int:
    """Line of the deepest element on the way to a missing one."""
    here = message
    candidates: list[etree._Element] = []
    for step in path:
        if isinstance(step, int):
            here = candidates[step]
            continue
        candidates = list(here.iterchildren(*tags(step)))
        if not candidates:
            break
        here = candidates[0]
    return here.sourceline or 0
