"""Writes packets exactly as the national axis wants them, in pieces.

The prefix is literally `edXML:` on everything inside the envelope although the default namespace
is the same: the national axis refuses packets without it.  AttachmentEncoded is out of the
prefix's scope and has none, save for ContentTransferEncoded, which declares it again.  Empty
elements are left out.  The same packet always gives the same bytes, and what the table knows of
them is valid by edxml.xsd.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.edxml import markup
from schemas.edxml.extract import STATUS_CODES
from schemas.edxml.markup import PREFIX
from schemas.edxml.model import (
    ATTACHMENTS,
    BODY,
    ENVELOPE,
    HEADER,
    MANIFEST,
    MESSAGE,
    NAMESPACE,
    ROOT,
    TRACE,
    VERSION,
    DocumentPacket,
    FileInfo,
    Group,
    Kept,
    Packet,
    StatusPacket,
)
from schemas.edxml.plan import Slot, plan_of
from schemas.edxml.required import missing, refusal
from schemas.errors import MalformedPacket

_DECLARE = f' xmlns:edXML="{NAMESPACE}"'
_BEGIN = f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NAMESPACE}"'
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


def write(packet: DocumentPacket, contents: Sequence[Iterable[bytes]] = ()) -> Iterator[bytes]:
    """The packet in pieces. `contents` are the files' bytes, in the order of its attachments.

    Raises MalformedPacket, before the first piece, when the packet cannot be routed or holds what
    XML cannot carry; ValueError when there is not one content per attachment.
    """
    if len(contents) != len(packet.attachments):
        msg = f"{len(packet.attachments)} attachments, {len(contents)} contents"
        raise ValueError(msg)
    _refuse_unroutable(packet)
    _refuse_ambiguous(packet)
    text = _Text(packet.kept)
    message = text.group("MessageHeader", MESSAGE, packet.header)
    trace = text.group("TraceHeaderList", TRACE, packet.trace)
    envelope = text.envelope(message + trace, _body(text, packet))
    heads = [_head(text, number, each.info) for number, each in enumerate(packet.attachments, 1)]
    around = text.taken(ATTACHMENTS)
    rest = markup.elements_of(around, "")
    opening = ""
    if heads or rest or around.attributes:
        opening = f"<AttachmentEncoded{markup.attributes_of(around, '')}>"
        rest += "</AttachmentEncoded>"
    beginning, ending = text.root()
    text.refuse_unplaced()
    return _pieces(
        f"{beginning}{envelope}{opening}".encode(),
        [head.encode() for head in heads],
        contents,
        f"{rest}{ending}".encode(),
    )


def write_status(packet: StatusPacket) -> bytes:
    """A status packet. Raises MalformedPacket as `write` does, and on a code that is none."""
    _refuse_unroutable(packet)
    if packet.header.status_code not in STATUS_CODES:
        raise MalformedPacket(
            f"StatusCode is none of {', '.join(sorted(STATUS_CODES))}",
            vi=f"StatusCode phải là một trong: {', '.join(sorted(STATUS_CODES))}",
            element="StatusCode",
        )
    text = _Text(packet.kept)
    envelope = text.envelope(text.group("MessageHeader", MESSAGE, packet.header), "")
    beginning, ending = text.root()
    text.refuse_unplaced()
    return f"{beginning}{envelope}{ending}".encode()


class _Text:
    """Makes the text of elements, taking along what is kept at their places."""

    def __init__(self, kept: Mapping[str, Kept]) -> None:
        self._left = dict(kept)

    def taken(self, place: str) -> Kept:
        """What is kept at `place`; each is written once."""
        return self._left.pop(place, _NOTHING)

    def refuse_unplaced(self) -> None:
        if self._left:
            place = next(iter(self._left))
            raise MalformedPacket(
                f"something is kept for {place}, where the packet has no element",
                vi=f"Có nội dung giữ lại cho {place} nhưng gói tin không có phần tử đó",
                element=place,
            )

    def root(self) -> tuple[str, str]:
        """(what comes before the envelope, what comes behind everything)."""
        kept = self.taken(ROOT)
        beginning = f"{_BEGIN}{markup.attributes_of(kept, '')}>"
        return beginning, f"{markup.elements_of(kept, '')}</edXML>"

    def envelope(self, header: str, body: str) -> str:
        inner = self.element("edXMLHeader", HEADER, header) + body
        return self.element("edXMLEnvelope", ENVELOPE, inner, declare=_DECLARE)

    def group(self, name: str, place: str, group: Group) -> str:
        return self.element(name, place, self.fields(group, plan_of(type(group)).slots, place))

    def fields(
        self, group: Group, slots: tuple[Slot, ...], place: str, prefix: str = PREFIX
    ) -> str:
        parts = []
        for slot in slots:
            value = getattr(group, slot.field)
            if slot.many:
                parts.append(self._many(slot, value, place, prefix))
                continue
            inside = f"{place}/{slot.element}"
            if not value and (value is None or value == "") and inside not in self._left:
                continue
            parts.append(self._value(slot, value, inside, prefix))
        return "".join(parts)

    def element(
        self, name: str, place: str, inner: str, prefix: str = PREFIX, declare: str = ""
    ) -> str:
        """The element, or nothing when it would be empty."""
        kept = self._left.pop(place, None) if self._left else None
        if kept is not None:
            declare += markup.attributes_of(kept, prefix)
            inner += markup.elements_of(kept, prefix)
        elif not inner:
            return ""
        return f"<{prefix}{name}{declare}>{inner}</{prefix}{name}>"

    def _many(self, slot: Slot, values: Sequence[Any], place: str, prefix: str) -> str:
        inside = f"{place}/{slot.wrapper}" if slot.wrapper else place
        if not values and inside not in self._left:
            return ""
        inner = "".join(
            self._value(slot, value, f"{inside}/{slot.element}[{number}]", prefix)
            for number, value in enumerate(values, start=1)
        )
        return self.element(slot.wrapper, inside, inner, prefix) if slot.wrapper else inner

    def _value(self, slot: Slot, value: Any, place: str, prefix: str) -> str:
        if isinstance(value, Group):
            return self.group(slot.element, place, value)
        inner = "" if value is None else markup.text(slot.lexical.write(value), slot.element)
        return self.element(slot.element, place, inner, prefix)


_NOTHING = Kept()


def _body(text: _Text, packet: DocumentPacket) -> str:
    references = [each.reference for each in packet.attachments]
    inner = "".join(
        text.element("Reference", place, text.fields(_with_cid(info), _REFERENCE_ORDER, place))
        for place, info in _numbered(f"{MANIFEST}/Reference", [*references, *packet.references])
    )
    kept = text.taken(MANIFEST)
    attributes = markup.attributes_of(Kept({**VERSION, **kept.attributes}), PREFIX)
    manifest = f"<{PREFIX}edXMLManifest{attributes}>{inner}{markup.elements_of(kept, PREFIX)}"
    return text.element("edXMLBody", BODY, f"{manifest}</{PREFIX}edXMLManifest>")


def _head(text: _Text, number: int, info: FileInfo) -> str:
    """An Attachment up to its content."""
    place = f"{ATTACHMENTS}/Attachment[{number}]"
    fields = text.fields(_with_cid(info), _ATTACHMENT_ORDER, place, "")
    content = text.taken(f"{place}/ContentTransferEncoded")
    kept = text.taken(place)
    return (
        f"<Attachment{markup.attributes_of(kept, '')}>{fields}{markup.elements_of(kept, '')}"
        f"<edXML:ContentTransferEncoded{_DECLARE}{markup.attributes_of(content, PREFIX)}>"
    )


def _numbered(name: str, infos: Sequence[FileInfo]) -> Iterator[tuple[str, FileInfo]]:
    for number, info in enumerate(infos, start=1):
        yield f"{name}[{number}]", info


def _pieces(
    opening: bytes, heads: Sequence[bytes], contents: Sequence[Iterable[bytes]], ending: bytes
) -> Iterator[bytes]:
    yield opening
    for head, content in zip(heads, contents, strict=True):
        yield head
        yield from _base64(content)
        yield _CLOSE_CONTENT
    yield ending


def _base64(content: Iterable[bytes]) -> Iterator[bytes]:
    carry = b""
    for piece in content:
        data = carry + piece if carry else piece
        whole = len(data) - len(data) % 3
        carry = data[whole:]
        if whole:
            yield binascii.b2a_base64(data[:whole], newline=False)
    if carry:
        yield binascii.b2a_base64(carry, newline=False)


def _with_cid(info: FileInfo) -> FileInfo:
    return info.model_copy(update={"content_id": info.content_id and f"cid:{info.content_id}"})


def _refuse_unroutable(packet: Packet) -> None:
    absent = missing(packet)
    if absent is not None:
        raise refusal(absent)


def _refuse_ambiguous(packet: DocumentPacket) -> None:
    identities = [each.info.content_id for each in packet.attachments]
    named = [each.reference.content_id for each in packet.attachments]
    elsewhere = {info.content_id for info in packet.references}
    if "" in identities or len(set(identities)) < len(identities):
        raise _ambiguous("every attachment needs a ContentId of its own", "phải có riêng")
    if named != identities or elsewhere & set(identities):
        raise _ambiguous(
            "an attachment and its reference in the manifest must have the same ContentId",
            "phải trùng với tham chiếu",
        )


def _ambiguous(en: str, vi: str) -> MalformedPacket:
    return MalformedPacket(en, vi=f"ContentId của mỗi tệp đính kèm {vi}", element="ContentId")
