"""Fields of one group of elements, by the table (plan.py)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from schemas.edxml.plan import Plan, Slot, tags
from schemas.edxml.tree import Warnings, malformed

ENCODED = tags("ContentTransferEncoded")

# Ambiguous when repeated: two systems could read two different packets out of one.
_SOLE = frozenset(
    {"From", "DocumentId", "Code", "CodeNumber", "CodeNotation", "OrganId", "StatusCode"}
    | {"ResponseFor", "Bussiness", "BussinessDocType", "ContentId", "OtherInfo", "Priority"}
)


def read_group(element: etree._Element, plan: Plan, warnings: Warnings) -> dict[str, Any]:
    """Fields of one group, by field name, ready for validation."""
    found: dict[str, Any] = {}
    for child in element:
        known = plan.by_tag.get(child.tag)
        if known is None:
            if child.tag not in ENCODED:
                warnings.add("unknown-element")
            continue
        slot, warning = known
        if warning:
            warnings.add(warning)
        if slot.wrapper:
            value = [_value(item, slot, warnings) for item in child.iterchildren(*slot.item_tags)]
            found.setdefault(slot.field, []).extend(v for v in value if v is not None)
            continue
        value = _value(child, slot, warnings)
        if value is None:
            continue
        if slot.many:
            found.setdefault(slot.field, []).append(value)
        elif slot.field in found:
            _repeated(child, slot, warnings)
        else:
            found[slot.field] = value
    return found


def _value(element: etree._Element, slot: Slot, warnings: Warnings) -> Any:
    if slot.plan is not None:
        return read_group(element, slot.plan, warnings)
    text = element.text
    if text is None:
        return None
    text = text.strip()
    lexical = slot.lexical
    if lexical.read is None or not text:
        return text or None
    value, exact = lexical.read(text)
    if not exact:
        problem = "unreadable" if value is None else "form"
        warnings.add(f"{lexical.name}-{problem}:{slot.element}")
    return value


def _repeated(element: etree._Element, slot: Slot, warnings: Warnings) -> None:
    """The first one counts, except where that would leave it open who is meant."""
    if slot.element not in _SOLE:
        warnings.add(f"repeated:{slot.element}")
        return
    raise malformed(slot.element, element, "occurs more than once", "bị lặp")
