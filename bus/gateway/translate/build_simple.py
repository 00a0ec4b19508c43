"""Simple types from schema documents: restriction, list, union, and their facets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from bus.gateway.translate import names
from bus.gateway.translate.components import AnyType, ComplexType, Facets, SimpleType
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.names import XSD, clark, local
from bus.gateway.translate.schema import Document

if TYPE_CHECKING:
    from bus.gateway.translate.build import Builder

_NUMBERS = {
    "length": "length",
    "minLength": "min_length",
    "maxLength": "max_length",
    "totalDigits": "total_digits",
    "fractionDigits": "fraction_digits",
}
_BOUNDS = {
    "minInclusive": "min_inclusive",
    "minExclusive": "min_exclusive",
    "maxInclusive": "max_inclusive",
    "maxExclusive": "max_exclusive",
}


class SimpleBuilder:
    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def build(self, node: etree._Element, doc: Document, name: str | None) -> SimpleType:
        for child in node:
            tag = local(child.tag)
            if tag == "restriction":
                return self._restriction(child, self._base(child, doc), name)
            if tag == "list":
                item = self._item(child, doc)
                return SimpleType(name, variety="list", item=item, base=_any_simple())
            if tag == "union":
                return self._union(child, doc, name)
        raise bad_contract(
            f"simpleType {name or ''} without restriction, list or union",
            vi=f"simpleType {name or ''} không có restriction, list hay union",
            line=node.sourceline or 0,
        )

    def content(
        self, node: etree._Element, doc: Document, base: AnyType, *, restricts: bool
    ) -> SimpleType:
        """The simple type of a simpleContent that extends or restricts `base`."""
        inherited = base.simple if isinstance(base, ComplexType) else base
        inline = node.find(f"{{{XSD}}}simpleType")
        if inline is not None:
            inherited = self.build(inline, doc, None)
        if inherited is None:
            raise bad_contract(
                f"simpleContent on {base.name}, which has none",
                vi=f"simpleContent dựa trên {base.name} không có nội dung đơn giản",
                line=node.sourceline or 0,
            )
        return self._restriction(node, inherited, None) if restricts else inherited

    def _base(self, node: etree._Element, doc: Document) -> SimpleType:
        named = node.get("base")
        if named:
            return self._builder.simple_type(doc.qname(named, node), node)
        inline = node.find(f"{{{XSD}}}simpleType")
        if inline is None:
            return _any_simple()
        return self.build(inline, doc, None)

    def _restriction(self, node: etree._Element, base: SimpleType, name: str | None) -> SimpleType:
        found = SimpleType(
            name,
            variety=base.variety,
            builtin=base.builtin,
            item=base.item,
            members=base.members,
            facets=_copied(base.facets),
            whitespace=base.whitespace,
            base=base,
        )
        _read_facets(node, found)
        return found

    def _item(self, node: etree._Element, doc: Document) -> SimpleType:
        named = node.get("itemType")
        if named:
            return self._builder.simple_type(doc.qname(named, node), node)
        inline = node.find(f"{{{XSD}}}simpleType")
        return self.build(inline, doc, None) if inline is not None else _any_simple()

    def _union(self, node: etree._Element, doc: Document, name: str | None) -> SimpleType:
        members = [
            self._builder.simple_type(doc.qname(each, node), node)
            for each in node.get("memberTypes", "").split()
        ]
        members += [
            self.build(child, doc, None) for child in node if local(child.tag) == "simpleType"
        ]
        return SimpleType(name, variety="union", members=members, base=_any_simple())


def _any_simple() -> SimpleType:
    from bus.gateway.translate import builtin  # noqa: PLC0415 - built-ins are made of components

    found = builtin.TYPES[clark(XSD, "anySimpleType")]
    assert isinstance(found, SimpleType)  # noqa: S101
    return found


def _copied(facets: Facets) -> Facets:
    return Facets(**{name: getattr(facets, name) for name in Facets.__slots__})


def _read_facets(node: etree._Element, target: SimpleType) -> None:
    facets = target.facets
    patterns: list[str] = []
    values: list[str] = []
    for child in node:
        tag, value = local(child.tag), child.get("value", "")
        if tag == "pattern":
            patterns.append(value)
        elif tag == "enumeration":
            values.append(_name_in(value, child, target))
        elif tag in _NUMBERS:
            setattr(facets, _NUMBERS[tag], int(value))
        elif tag in _BOUNDS:
            setattr(facets, _BOUNDS[tag], value.strip())
        elif tag == "whiteSpace":
            target.whitespace = value  # type: ignore[assignment]
    if patterns:
        facets.patterns = [*facets.patterns, patterns]
    if values:
        facets.enumeration = values


def _name_in(value: str, node: etree._Element, target: SimpleType) -> str:
    """Enumerated QNames are compared by what they mean, not by prefix."""
    if target.variety == "atomic" and target.builtin in {"QName", "NOTATION"}:
        return names.resolve(value, node)
    return value
