"""Small steps on a parsed packet: its frame, what is noted on the way, where a fault is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lxml import etree

from schemas.edxml.model import HEADER, SIGNATURES, Element, Kept
from schemas.edxml.plan import local_names
from schemas.errors import MalformedPacket

# Attributes that builders are known to write: no reason for a warning.
_USUAL = frozenset({"id", "version", "mustUnderstand", "actor"})
_XLINK = "{http://www.w3.org/1999/xlink}"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"  # about a schema, not about the document


class Notes:
    """What the reader put up with, and what it keeps because no field holds it."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self.kept: dict[str, Kept] = {}

    def warn(self, warning: str) -> None:
        """A short stable string; each counts once."""
        self._warnings[warning] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """In order of appearance."""
        return tuple(self._warnings)

    def keep(self, place: str, element: etree._Element) -> None:
        """`element` is in the one at `place`, and the table does not know it."""
        kept = element_of(element)
        if place != HEADER or kept.name.rpartition("}")[2] not in SIGNATURES:
            self.warn("unknown-element")
        here = self.kept.get(place, Kept())
        self.kept[place] = Kept(here.attributes, (*here.elements, kept))

    def keep_attributes(
        self, place: str, element: etree._Element, implied: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Those of the element at `place`, save for the `implied` ones, which go without saying."""
        attributes = {}
        for name, value in _text_items(element).items():
            if name.startswith(_XSI):
                self.warn("xsi-attribute")
            elif implied.get(name) != value:
                attributes[name] = value
                if name not in _USUAL and not name.startswith(_XLINK):
                    self.warn("unknown-attribute")
        if attributes:
            here = self.kept.get(place, Kept())
            self.kept[place] = Kept({**attributes, **here.attributes}, here.elements)


def element_of(element: etree._Element) -> Element:
    """The element with all in it; comments and what follows it are left out."""
    content: list[str | Element] = [element.text] if element.text else []
    for child in element:
        content.append(element_of(child))
        if child.tail:
            content.append(child.tail)
    return Element(str(element.tag), _text_items(element), tuple(content))


def frame(
    element: etree._Element, place: str, names: tuple[str, ...], notes: Notes
) -> dict[str, etree._Element]:
    """The children of those names, by name, each at most once; all the rest is kept."""
    if element.keys():
        notes.keep_attributes(place, element)
    known = local_names(names)
    found: dict[str, etree._Element] = {}
    for child in element:
        name = known.get(child.tag)
        if name is None:
            notes.keep(place, child)
        elif name in found:
            raise malformed(name, child, "occurs more than once", "bị lặp")
        else:
            found[name] = child
    return found


def required(parts: dict[str, etree._Element], name: str, parent: etree._Element) -> etree._Element:
    child = parts.get(name)
    if child is None:
        raise malformed(name, parent, "is missing", "bị thiếu")
    return child


def malformed(name: str, element: etree._Element | None, en: str, vi: str) -> MalformedPacket:
    """The error about element `name`, on the line of `element`."""
    line = 0 if element is None else element.sourceline or 0
    return MalformedPacket(
        f"{name} {en} (line {line})", vi=f"{name} {vi} (dòng {line})", element=name, line=line
    )


def _text_items(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.items()}
