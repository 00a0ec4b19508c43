"""SOAP encoding (SOAP 1.1 section 5; SOAP 1.2 part 2, section 3): references put in place."""

from __future__ import annotations

import copy

from lxml import etree

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import ENC11, ENC12, ENV11, ENV12, XSI_TYPE, clark, split

MAX_COPIES = 20_000  # elements that references may add: they can multiply without end
_OURS = {ENC11, ENC12, ENV11, ENV12}


def straighten(body: etree._Element) -> etree._Element:
    """The rpc element of `body`, with every href replaced by what it names.

    Attributes of the encoding (id, arrayType, root, encodingStyle) are dropped; xsi:type stays.
    Raises Mismatch for references that lead nowhere, in circles, or to too much.
    """
    first = next(iter(body), None)
    if first is None:
        raise Mismatch("body", "the body is empty", "phần thân rỗng")
    targets = {}
    for each in body.iter("*"):
        identity = each.get("id") or each.get(clark(ENC12, "id"))
        if identity and not each.get("href"):
            targets[identity] = each
    budget = [MAX_COPIES]
    _resolve(first, targets, frozenset(), budget)
    for each in first.iter("*"):
        for name in list(each.attrib):
            if split(name)[0] in _OURS or name == "id":
                del each.attrib[name]
        if each.get(XSI_TYPE) and _is_array(each):
            del each.attrib[XSI_TYPE]
    return first


def _resolve(
    el: etree._Element, targets: dict[str, etree._Element], above: frozenset[str], budget: list[int]
) -> None:
    wanted = (el.get("href") or "").removeprefix("#") or el.get(clark(ENC12, "ref")) or ""
    if wanted:
        target = targets.get(wanted)
        if target is None or wanted in above:
            raise Mismatch(
                "href",
                "a reference leads nowhere or in a circle",
                "tham chiếu không có đích hoặc vòng tròn",
            )
        budget[0] -= sum(1 for _ in target.iter("*"))
        if budget[0] < 0:
            raise Mismatch(
                "href", "references multiply beyond the limit", "tham chiếu nhân bản quá giới hạn"
            )
        _become(el, target)
        above |= {wanted}
    for child in el:
        _resolve(child, targets, above, budget)


def _become(el: etree._Element, target: etree._Element) -> None:
    for name in ("href", clark(ENC12, "ref")):
        el.attrib.pop(name, None)
    for name, value in target.items():
        if name != XSI_TYPE:
            el.set(name, value)
    written = target.get(XSI_TYPE)
    if written:
        _carry_type(el, target, written)
    el.text = target.text
    for child in target:
        el.append(copy.deepcopy(child))


def _carry_type(el: etree._Element, target: etree._Element, written: str) -> None:
    """xsi:type with a prefix that means the same where it comes to stand, or not at all."""
    prefix, _, _ = written.rpartition(":")
    if el.nsmap.get(prefix or None) == target.nsmap.get(prefix or None):
        el.set(XSI_TYPE, written)


def _is_array(el: etree._Element) -> bool:
    prefix, _, plain = el.get(XSI_TYPE, "").rpartition(":")
    return plain == "Array" and el.nsmap.get(prefix or None) in {ENC11, ENC12}
