"""Fields of one group of elements, by the table (plan.py)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from schemas.edxml.plan import Plan, Slot, tags
from schemas.edxml.tree import Notes, malformed

ENCODED = tags("ContentTransferEncoded")

# Ambiguous when repeated: two systems could read two different packets out of one.
_SOLE = frozenset(
    {"From", "DocumentId", "Code", "CodeNumber", "CodeNotation", "OrganId", "StatusCode"}
    | {"ResponseFor", "Bussiness", "BussinessDocType", "ContentId", "OtherInfo", "Priority"}
)


def read_group(element: etree._Element, plan: Plan, place: str, notes: Notes) -> dict[str, Any]:
    """Fields of one group, by field name, ready for validation; the rest is kept at `place`."""
    found: dict[str, Any] = {}
    if element.keys():
        notes.keep_attributes(place, element)
    by_tag = plan.by_tag
    for child in element:
        known = by_tag.get(child.tag)
        if known is None:
            if child.tag not in ENCODED:
                notes.keep(place, child)
            continue
        slot, warning = known
        if warning:
            notes.warn(warning)
        if slot.wrapper:
            _read_wrapped(child, slot, found, place, notes)
        elif slot.many:
            _read_item(child, slot, found, place, notes)
        elif slot.field in found:
            _repeated(child, slot, notes)
        else:
            value = _value(child, slot, f"{place}/{slot.element}", notes)
            if value is not None:
                found[slot.field] = value
    return found


def _read_wrapped(
    wrapper: etree._Element, slot: Slot, found: dict[str, Any], place: str, notes: Notes
) -> None:
    inside = f"{place}/{slot.wrapper}"
    if wrapper.keys():
        notes.keep_attributes(inside, wrapper)
    for child in wrapper:
        if child.tag in slot.item_tags:
            _read_item(child, slot, found, inside, notes)
        else:
            notes.keep(inside, child)


def _read_item(
    element: etree._Element, slot: Slot, found: dict[str, Any], place: str, notes: Notes
) -> None:
    """One of many. An empty one is left out, as if it were missing."""
    items = found.setdefault(slot.field, [])
    own = f"{place}/{slot.element}[{len(items) + 1}]"
    value = _value(element, slot, own, notes)
    if value or (value is not None and own in notes.kept):
        items.append(value)
    else:
        notes.kept.pop(own, None)


def _value(element: etree._Element, slot: Slot, place: str, notes: Notes) -> Any:
    if slot.plan is not None:
        return read_group(element, slot.plan, place, notes)
    if element.keys():
        notes.keep_attributes(place, element)
    text = element.text
    if len(element):
        notes.warn(f"markup-in-text:{slot.element}")
        text = "".join(str(piece) for piece in element.itertext())
    if text is None:
        return None
    text = text.strip()
    lexical = slot.lexical
    if lexical.read is None or not text:
        return text or None
    value, exact = lexical.read(text)
    if not exact:
        problem = "unreadable" if value is None else "form"
        notes.warn(f"{lexical.name}-{problem}:{slot.element}")
    return value


def _repeated(element: etree._Element, slot: Slot, notes: Notes) -> None:
    """The first one counts, except where that would leave it open who is meant."""
    if slot.element not in _SOLE:
        notes.warn(f"repeated:{slot.element}")
        return
    raise malformed(slot.element, element, "occurs more than once", "bị lặp")
