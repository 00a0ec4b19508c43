"""From a parsed packet (attachment bytes already taken out) to the model."""

from __future__ import annotations

from typing import Any

from lxml import etree

from schemas.edxml.files import Take, read_files
from schemas.edxml.groups import read_group
from schemas.edxml.model import (
    ENVELOPE,
    HEADER,
    MESSAGE,
    ROOT,
    TRACE,
    DocumentPacket,
    MessageHeader,
    Packet,
    StatusHeader,
    StatusPacket,
    TraceHeaderList,
)
from schemas.edxml.plan import local_names, plan_of, qualified, tags
from schemas.edxml.required import Path, missing, refusal
from schemas.edxml.tree import Notes, frame, malformed, required

STATUS_CODES = frozenset({"01", "02", "03", "04", "05", "06", "13", "15", "16"})
_DOCUMENT_ONLY = frozenset({"To", "Code", "Subject"})
_TELLING = local_names(("StatusCode", "ResponseFor", *_DOCUMENT_ONLY))


def packet_of(root: etree._Element, take: Take, notes: Notes) -> Packet:
    """The packet. `take` gives the bytes of each attachment, in document order.

    Raises MalformedPacket naming the element and the line, TooLarge.
    """
    if root.tag != qualified("edXML"):
        name = str(root.tag)[:100]
        en, vi = f"of QCVN 102:2016 is expected, not {name}", f"phải là gốc, không phải {name}"
        raise malformed("edXML", root, en, vi)
    outer = frame(root, ROOT, ("edXMLEnvelope", "AttachmentEncoded"), notes)
    envelope = required(outer, "edXMLEnvelope", root)
    middle = frame(envelope, ENVELOPE, ("edXMLHeader", "edXMLBody"), notes)
    header = required(middle, "edXMLHeader", envelope)
    inner = frame(header, HEADER, ("MessageHeader", "TraceHeaderList"), notes)
    message = required(inner, "MessageHeader", header)
    if _is_status(message):
        _keep_document_parts(inner.get("TraceHeaderList"), HEADER, notes)
        _keep_document_parts(middle.get("edXMLBody"), ENVELOPE, notes)
        if "AttachmentEncoded" in outer:
            notes.warn("status-with-attachments")
        packet: Packet = _status(message, notes)
    else:
        fields = _document_header(message, inner.get("TraceHeaderList"), notes)
        encoded, body = outer.get("AttachmentEncoded"), middle.get("edXMLBody")
        fields |= read_files(encoded, body, take, notes)
        fields |= {"kept": notes.kept, "warnings": notes.warnings}
        packet = DocumentPacket.model_validate(fields)
    absent = missing(packet)
    if absent is not None:
        raise refusal(absent, _line_of(message, absent))
    return packet


def _is_status(message: etree._Element) -> bool:
    names = {_TELLING.get(child.tag) for child in message}
    return "StatusCode" in names or ("ResponseFor" in names and not names & _DOCUMENT_ONLY)


def _keep_document_parts(part: etree._Element | None, place: str, notes: Notes) -> None:
    """A status has no fields for them."""
    if part is not None:
        notes.keep(place, part)


def _status(message: etree._Element, notes: Notes) -> StatusPacket:
    fields = read_group(message, plan_of(StatusHeader), MESSAGE, notes)
    code = fields.get("status_code", "")
    if code and code not in STATUS_CODES:
        if not (code.isascii() and code.isdigit() and len(code) <= 2):
            element = next(message.iterchildren(*tags("StatusCode")))
            raise malformed("StatusCode", element, "is not two digits", "không phải hai chữ số")
        fields["status_code"] = code.zfill(2)
        known = fields["status_code"] in STATUS_CODES
        notes.warn("status-code-form" if known else "status-code-unknown")
    return StatusPacket.model_validate(
        {"header": fields, "kept": notes.kept, "warnings": notes.warnings}
    )


def _document_header(
    message: etree._Element, trace: etree._Element | None, notes: Notes
) -> dict[str, Any]:
    header = read_group(message, plan_of(MessageHeader), MESSAGE, notes)
    codes = [to.get("organ_id", "").upper() for to in header.get("receivers", ())]
    if len(set(codes)) < len(codes):
        notes.warn("receiver-repeated")
    if trace is None:
        return {"header": header}
    return {"header": header, "trace": read_group(trace, plan_of(TraceHeaderList), TRACE, notes)}


def _line_of(message: etree._Element, path: Path) -> int:
    """Line of the deepest element on the way to a missing one."""
    here = message
    candidates: list[etree._Element] = []
    for step in path:
        if isinstance(step, int):
            here = [candidate for candidate in candidates if len(candidate)][step]
            continue
        candidates = list(here.iterchildren(*tags(step)))
        if not candidates:
            break
        here = candidates[0]
    return here.sourceline or 0
