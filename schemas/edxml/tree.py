"""Small steps on a parsed packet: the only child of a name, the line of what is wrong."""

from __future__ import annotations

from lxml import etree

from schemas.edxml.plan import tags
from schemas.errors import MalformedPacket


class Warnings:
    """What was put up with: short stable strings, each once, in order of appearance."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, warning: str) -> None:
        self._seen[warning] = None

    def list(self) -> tuple[str, ...]:
        return tuple(self._seen)


def only_child(parent: etree._Element, name: str) -> etree._Element | None:
    """The only child of that name, or None."""
    found = parent.iterchildren(*tags(name))
    first = next(found, None)
    second = next(found, None)
    if second is not None:
        raise malformed(name, second, "occurs more than once", "bị lặp")
    return first


def required_child(parent: etree._Element, name: str) -> etree._Element:
    child = only_child(parent, name)
    if child is None:
        raise malformed(name, parent, "is missing", "bị thiếu")
    return child


def malformed(name: str, element: etree._Element | None, en: str, vi: str) -> MalformedPacket:
    """The error about element `name`, on the line of `element`."""
    line = 0 if element is None else element.sourceline or 0
    return MalformedPacket(
        f"{name} {en} (line {line})", vi=f"{name} {vi} (dòng {line})", element=name, line=line
    )
