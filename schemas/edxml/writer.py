"""Writes packets exactly as the national axis wants them, in pieces.

The prefix is literally `edXML:` on everything inside the envelope although the default namespace
is the same: the national axis refuses packets without it.  AttachmentEncoded is out of the
prefix's scope and has none, save for ContentTransferEncoded, which declares it again.  Empty
elements are left out.  The same packet always gives the same bytes.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence

from schemas.edxml.model import (
    NAMESPACE,
    DocumentPacket,
    FileInfo,
    Group,
    Packet,
    PacketAttachment,
    StatusPacket,
)
from schemas.edxml.plan import Slot, plan_of
from schemas.edxml.required import missing, refusal
from schemas.errors import MalformedPacket

_PREFIX = "edXML:"
_DECLARE = f'xmlns:edXML="{NAMESPACE}"'
_OPEN = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NAMESPACE}">'
    f"<edXML:edXMLEnvelope {_DECLARE}><edXML:edXMLHeader>"
)
_OPEN_CONTENT = f"<edXML:ContentTransferEncoded {_DECLARE}>".encode()
_CLOSE_CONTENT = b"</edXML:ContentTransferEncoded></Attachment>"

_REFERENCE_ORDER = plan_of(FileInfo).slots
_ATTACHMENT_ORDER = tuple(
    sorted(
        _REFERENCE_ORDER,
        key=lambda slot: ("ContentId", "AttachmentName", "Description", "ContentType").index(
            slot.element
        ),
    )
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, Char
_NOT_PLAIN = re.compile("[&<>\r" + _ILLEGAL.pattern[1:])
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def write(packet: DocumentPacket, contents: Sequence[Iterable[bytes]] = ()) -> Iterator[bytes]:
    """The packet in pieces. `contents` are the files' bytes, in the order of its attachments.

    Raises MalformedPacket, before the first piece, when the packet cannot be routed or holds a
    character that XML cannot carry; ValueError when there is not one content per attachment.
    """
    if len(contents) != len(packet.attachments):
        msg = f"{len(packet.attachments)} attachments, {len(contents)} contents"
        raise ValueError(msg)
    _refuse_unroutable(packet)
    files = [_written_info(attachment) for attachment in packet.attachments]
    _refuse_ambiguous(files)
    opening = _document_opening(packet, files)
    heads = [f"<Attachment>{_render(info, _ATTACHMENT_ORDER, '')}".encode() for info in files]
    return _pieces(opening.encode(), heads, contents)


def write_status(packet: StatusPacket) -> bytes:
    """A status packet. Raises MalformedPacket as `write` does."""
    _refuse_unroutable(packet)
    header = _wrapped("MessageHeader", _group(packet.header))
    return f"{_OPEN}{header}</edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>".encode()


def _document_opening(packet: DocumentPacket, files: list[FileInfo]) -> str:
    """Everything before the attachments."""
    header = _wrapped("MessageHeader", _group(packet.header))
    trace = _wrapped("TraceHeaderList", _group(packet.trace))
    references = "".join(_wrapped("Reference", _group(info)) for info in files)
    return (
        f"{_OPEN}{header}{trace}</edXML:edXMLHeader><edXML:edXMLBody>"
        f'<edXML:edXMLManifest version="1.0">{references}</edXML:edXMLManifest>'
        "</edXML:edXMLBody></edXML:edXMLEnvelope>"
    )


def _pieces(
    opening: bytes, heads: Sequence[bytes], contents: Sequence[Iterable[bytes]]
) -> Iterator[bytes]:
    yield opening
    if heads:
        yield b"<AttachmentEncoded>"
    for head, content in zip(heads, contents, strict=True):
        yield head + _OPEN_CONTENT
        yield from _base64(content)
        yield _CLOSE_CONTENT
    yield b"</AttachmentEncoded></edXML>" if heads else b"</edXML>"


def _base64(content: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    for piece in content:
        data = carry + piece
        whole = len(data) - len(data) % 3
        carry = data[whole:]
        if whole:
            yield binascii.b2a_base64(data[:whole], newline=False)
    if carry:
        yield binascii.b2a_base64(carry, newline=False)


def _group(group: Group) -> str:
    return _render(group, plan_of(type(group)).slots, _PREFIX)


def _render(group: Group, slots: tuple[Slot, ...], prefix: str) -> str:
    parts = []
    for slot in slots:
        value = getattr(group, slot.field)
        if value in (None, "", ()):
            continue
        items = value if slot.many else (value,)
        inner = "".join(_element(slot, item, prefix) for item in items)
        parts.append(_wrapped(slot.wrapper, inner, prefix) if slot.wrapper else inner)
    return "".join(parts)


def _element(slot: Slot, value: object, prefix: str) -> str:
    if isinstance(value, Group):
        return _wrapped(slot.element, _group(value), prefix)
    text = _escaped(slot.lexical.write(value), slot.element)
    return _wrapped(slot.element, text, prefix)


def _wrapped(name: str, inner: str, prefix: str = _PREFIX) -> str:
    return f"<{prefix}{name}>{inner}</{prefix}{name}>" if inner else ""


def _escaped(text: str, element: str) -> str:
    if not _NOT_PLAIN.search(text):
        return text
    illegal = _ILLEGAL.search(text)
    if illegal:
        code = f"U+{ord(illegal[0]):04X}"
        raise MalformedPacket(
            f"{element} holds the character {code}, which XML 1.0 cannot carry",
            vi=f"{element} chứa ký tự {code} mà XML 1.0 không cho phép",
            element=element,
        )
    return _NOT_PLAIN.sub(lambda found: _ESCAPES[found[0]], text)


def _written_info(attachment: PacketAttachment) -> FileInfo:
    info = attachment.info
    return info.model_copy(update={"content_id": info.content_id and f"cid:{info.content_id}"})


def _refuse_unroutable(packet: Packet) -> None:
    absent = missing(packet)
    if absent is not None:
        raise refusal(absent)


def _refuse_ambiguous(files: list[FileInfo]) -> None:
    identities = {info.content_id for info in files}
    if "" in identities or len(identities) < len(files):
        raise MalformedPacket(
            "every attachment needs a ContentId of its own",
            vi="Mỗi tệp đính kèm phải có ContentId riêng",
            element="ContentId",
        )
