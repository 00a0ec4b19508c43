"""SOAP encoding (SOAP 1.1 section 5; SOAP 1.2 part 2, section 3): references put in place."""

from __future__ import annotations

import copy

from lxml import etree

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import ENC11, ENC12, ENV11, ENV12, XSI_TYPE, clark, resolve, split
from schemas.errors import InvalidContract

MAX_COPIES = 20_000  # elements that references may add: they can multiply without end
_OURS = {ENC11, ENC12, ENV11, ENV12}
_ARRAYS = {clark(ENC11, "Array"), clark(ENC12, "Array")}


def straighten(body: etree._Element) -> etree._Element:
    """The rpc element of `body`, with every href replaced by what it names.

    Attributes of the encoding (id, arrayType, root, encodingStyle) are dropped; xsi:type stays, in
    Clark notation: its prefix may mean nothing where a reference puts it.
    Raises Mismatch for references that lead nowhere, in circles, or to too much.
    """
    first = next(iter(body), None)
    if first is None:
        raise Mismatch("body", "the body is empty", "phần thân rỗng")
    targets = {}
    for each in body.iter("*"):
        written = each.get(XSI_TYPE)
        if written:
            each.set(XSI_TYPE, _meant(written, each))
        identity = each.get("id") or each.get(clark(ENC12, "id"))
        if identity and not each.get("href"):
            targets[identity] = each
    budget = [MAX_COPIES]
    _resolve(first, targets, frozenset(), budget)
    for each in first.iter("*"):
        for name in list(each.attrib):
            if split(name)[0] in _OURS or name == "id":
                del each.attrib[name]
        if each.get(XSI_TYPE) in _ARRAYS:
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
        el.set(name, value)
    el.text = target.text
    for child in target:
        el.append(copy.deepcopy(child))


def _meant(written: str, el: etree._Element) -> str:
    try:
        return resolve(written, el)
    except InvalidContract:
        return written  # Reader refuses it, and knows where
