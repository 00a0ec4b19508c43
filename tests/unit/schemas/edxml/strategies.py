"""Any packet: every field of the table, and anything a sender might add to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.edxml import (
    NAMESPACE,
    STATUS_CODES,
    DocumentPacket,
    Element,
    FileInfo,
    Kept,
    Measure,
    MessageHeader,
    Organ,
    PacketAttachment,
    StatusHeader,
    StatusPacket,
    TraceHeaderList,
)
from schemas.edxml.model import (
    ATTACHMENTS,
    BODY,
    ENVELOPE,
    HEADER,
    MANIFEST,
    MESSAGE,
    ROOT,
    TRACE,
    Envelope,
    Group,
)
from schemas.edxml.plan import Slot, plan_of

CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n\r&<>\"']"
)
ANY_TEXT = st.text(CHARACTERS, max_size=12)
TEXT = ANY_TEXT.map(str.strip).filter(lambda t: t.lower() != "null")
SAID = TEXT.filter(bool)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "organ-id": TEXT,
    "number": st.none() | st.integers(0, 999_999_999),
    "boolean": st.none() | st.booleans(),
    "date": st.none() | st.dates(),
    "timestamp": st.none() | st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
}

LOCAL = st.from_regex(re.compile(r"x[A-Za-z0-9_.\-ăđ]{0,5}"), fullmatch=True)
SPACES = ("", "urn:khac", "http://www.w3.org/2000/09/xmldsig#", "urn:a&b'c", NAMESPACE)


@cache  # building a strategy takes longer than drawing from it
def fields(model: type[Group]) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of any valid `model`, made from the same table as reader and writer."""
    return st.fixed_dictionaries({slot.field: value(slot) for slot in plan_of(model).slots})


def value(slot: Slot) -> st.SearchStrategy[Any]:
    if slot.plan:
        one = st.fixed_dictionaries({each.field: value(each) for each in slot.plan.slots})
    else:
        one = SIMPLE[slot.lexical.name]
    return st.lists(one.filter(said), max_size=2).map(tuple) if slot.many else one


def said(given: Any) -> bool:
    """Whether anything would be written: a list cannot keep items that say nothing."""
    if isinstance(given, dict):
        return any(said(part) for part in given.values())
    return given not in {None, "", ()}


def clark(space: str, local: str) -> str:
    return f"{{{space}}}{local}" if space else local


@cache
def names(spaces: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Names no field has: all of the table begin with a capital letter."""
    return st.builds(clark, st.sampled_from(spaces), LOCAL)


attributes = st.dictionaries(
    names((*SPACES, "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace")),
    ANY_TEXT.map(lambda text: text.replace("\r", " ")),
    max_size=2,
)


def content(parts: Sequence[str | Element]) -> tuple[str | Element, ...]:
    """Neighbouring texts are one, and none is empty."""
    joined: list[str | Element] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        elif part != "":
            joined.append(part)
    return tuple(joined)


@cache
def elements(spaces: tuple[str, ...]) -> st.SearchStrategy[Element]:
    def holding(inner: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
        parts = st.lists(ANY_TEXT | inner, max_size=3).map(content)
        return st.builds(Element, names(SPACES), attributes, parts)

    outermost = st.builds(Element, names(spaces), attributes, st.just(()))
    deep = st.recursive(st.builds(Element, names(SPACES), attributes), holding, max_leaves=4)
    return st.builds(
        lambda top, inner: Element(top.name, top.attributes, content([inner, *inner.content])),
        outermost,
        deep,
    )


JAVA_SIGNATURE = Element(
    clark(NAMESPACE, "Signature"),
    {},
    (
        "\n ",
        Element(
            clark(NAMESPACE, "SignedInfo"),
            {},
            (Element(clark(NAMESPACE, "Reference"), {"URI": ""}),),
        ),
        "\n ",
        Element(clark(NAMESPACE, "SignatureValue"), {}, ("bm90IG9uZQ==",)),
    ),
)
SIGNATURES = (
    JAVA_SIGNATURE,
    Element(clark(NAMESPACE, "DigitalSignature")),
    Element(
        "{http://www.w3.org/2000/09/xmldsig#}Signature",
        {"Id": "s"},
        (Element("{http://www.w3.org/2000/09/xmldsig#}SignedInfo"),),
    ),
)


def places(packet: Envelope) -> Iterator[tuple[str, bool]]:
    """(place, whether elements can be there too) of every element that the packet has."""
    yield from ((ROOT, True), (ENVELOPE, True), (HEADER, True))
    header = packet.header if isinstance(packet, DocumentPacket | StatusPacket) else None
    assert header is not None
    yield from _within(MESSAGE, header)
    if isinstance(packet, DocumentPacket):
        yield from _within(TRACE, packet.trace)
        yield from ((BODY, True), (MANIFEST, True), (ATTACHMENTS, True))
        for number, each in enumerate(packet.attachments, start=1):
            yield from _within(f"{ATTACHMENTS}/Attachment[{number}]", each.info)
            yield f"{ATTACHMENTS}/Attachment[{number}]/ContentTransferEncoded", False
        references = [each.reference for each in packet.attachments]
        for number, info in enumerate([*references, *packet.references], start=1):
            yield from _within(f"{MANIFEST}/Reference[{number}]", info)


def _within(place: str, group: Group) -> Iterator[tuple[str, bool]]:
    yield place, True
    for slot in plan_of(type(group)).slots:
        held = getattr(group, slot.field)
        if not slot.many:
            inside = f"{place}/{slot.element}"
            yield from _within(inside, held) if slot.plan else ((inside, False),)
            continue
        around = f"{place}/{slot.wrapper}" if slot.wrapper else place
        if slot.wrapper:
            yield around, True
        for number, item in enumerate(held, start=1):
            inside = f"{around}/{slot.element}[{number}]"
            yield from _within(inside, item) if slot.plan else ((inside, False),)


@cache
def few(one: st.SearchStrategy[Element]) -> st.SearchStrategy[tuple[Element, ...]]:
    return st.lists(one, max_size=2).map(tuple)


@st.composite
def kept_in(draw: st.DrawFn, packet: Envelope, spaces: tuple[str, ...]) -> dict[str, Kept]:
    """Something at a few of the packet's places; perhaps a signature."""
    chosen = draw(st.lists(st.sampled_from(sorted(places(packet))), max_size=3, unique=True))
    kept = {
        place: Kept(
            draw(attributes),
            draw(few(elements(spaces))) if deep else (),
        )
        for place, deep in chosen
    }
    if draw(st.booleans()):
        here = kept.get(HEADER, Kept())
        signature = draw(st.sampled_from(SIGNATURES))
        kept[HEADER] = Kept(here.attributes, (*here.elements, signature))
    return {place: each for place, each in kept.items() if each.attributes or each.elements}


def facts(info: FileInfo, data: bytes, reference: FileInfo | None = None) -> PacketAttachment:
    measure = Measure()
    measure.write(data)
    return PacketAttachment(
        info=info, content=measure.content(info.attachment_name), reference=reference or info
    )


@st.composite
def file_infos(draw: st.DrawFn, identity: str) -> tuple[FileInfo, FileInfo]:
    """What an Attachment and its Reference say; the first leaves out nothing the second has."""
    reference = FileInfo.model_validate({**draw(fields(FileInfo)), "content_id": identity})
    own = draw(fields(FileInfo))
    filled = {name: own[name] or getattr(reference, name) for name in own}
    return FileInfo.model_validate({**filled, "content_id": identity}), reference


@st.composite
def documents(
    draw: st.DrawFn, spaces: tuple[str, ...] = SPACES
) -> tuple[DocumentPacket, list[bytes]]:
    """A packet and its files. `spaces` are the namespaces of the elements added to it."""
    header = draw(fields(MessageHeader))
    codes = draw(st.lists(SAID, min_size=1, max_size=3, unique_by=str.upper))
    header["receivers"] = [{**draw(fields(Organ)), "organ_id": code} for code in codes]
    header["sender"]["organ_id"] = draw(SAID)
    header["document_id"] = draw(SAID)
    contents = draw(st.lists(st.binary(max_size=50), max_size=3))
    infos = [draw(file_infos(f"f{number}")) for number in range(len(contents))]
    more = draw(st.integers(0, 2))
    packet = DocumentPacket(
        header=MessageHeader.model_validate(header),
        trace=TraceHeaderList.model_validate(draw(fields(TraceHeaderList))),
        attachments=tuple(
            facts(info, data, reference)
            for (info, reference), data in zip(infos, contents, strict=True)
        ),
        references=tuple(draw(file_infos(f"x{number}"))[1] for number in range(more)),
    )
    return packet.model_copy(update={"kept": draw(kept_in(packet, spaces))}), contents


@st.composite
def statuses(draw: st.DrawFn, spaces: tuple[str, ...] = SPACES) -> StatusPacket:
    header = draw(fields(StatusHeader))
    header["sender"]["organ_id"] = draw(SAID)
    header["response_for"].update(organ_id=draw(SAID), document_id="D1")
    header["status_code"] = draw(st.sampled_from(sorted(STATUS_CODES)))
    packet = StatusPacket(header=StatusHeader.model_validate(header))
    return packet.model_copy(update={"kept": draw(kept_in(packet, spaces))})
