"""From schema documents to components: names resolved, groups and bases expanded."""

from __future__ import annotations

from lxml import etree

from bus.gateway.translate import builtin, names
from bus.gateway.translate.build_simple import SimpleBuilder
from bus.gateway.translate.components import (
    UNBOUNDED,
    AnyType,
    Attribute,
    ComplexType,
    Element,
    ElementUse,
    Group,
    Particle,
    SimpleType,
    Wildcard,
)
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.names import ENC11, XMLMIME, XSD, clark, local
from bus.gateway.translate.schema import Document, Index, Item

_MODELS = {"sequence", "choice", "all"}
_ARRAY_TYPE = f"{{{ENC11}}}arrayType"
_WSDL_ARRAY_TYPE = f"{{{names.WSDL}}}arrayType"
_MIME_2004 = "{http://www.w3.org/2004/11/xmlmime}expectedContentTypes"


class Builder:
    """Components on demand, each once; recursion meets the unfinished object."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._types: dict[str, AnyType] = dict(builtin.TYPES)
        self._elements: dict[str, Element] = {}
        self._members: dict[str, list[str]] | None = None  # substitution group: head → members
        self._inner: list[tuple[str, str]] = []
        self._groups: list[str] = []
        self._simple = SimpleBuilder(self)

    # --- by name ---

    def type(self, name: str) -> AnyType:
        name = self._renamed(name)
        if name in self._types:
            return self._types[name]
        item = self._item("type", name)
        if local(item.node.tag) == "simpleType":
            built: AnyType = self._simple.build(item.node, item.document, name)
            self._types[name] = built
            return built
        complex_type = ComplexType(name)
        self._types[name] = complex_type
        self._within(item, complex_type)
        return complex_type

    def _within(self, item: Item, target: ComplexType) -> None:
        if item.inner:
            self._inner.append(item.inner)
        try:
            self._complex(item.node, item.document, target)
        finally:
            if item.inner:
                self._inner.pop()

    def simple_type(self, name: str, node: etree._Element) -> SimpleType:
        found = self.type(name)
        if isinstance(found, SimpleType):
            return found
        if found.simple is not None:
            return found.simple
        raise bad_contract(
            f"{name} is not a simple type",
            vi=f"{name} không phải kiểu đơn giản",
            line=node.sourceline or 0,
        )

    def has_element(self, name: str) -> bool:
        return ("element", name) in self._index.items

    def element(self, name: str) -> Element:
        if name not in self._elements:
            item = self._item("element", name)
            self._elements[name] = self._declare(item.node, item.document, top=True)
        return self._elements[name]

    def substitutes(self, head: str) -> list[Element]:
        """Every element that may stand for `head`, itself first unless abstract."""
        found: list[Element] = []
        waiting, seen = [head], set()
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            element = self.element(name)
            if not element.abstract:
                found.append(element)
            if not element.block_substitution:
                waiting += self._groups_by_head().get(name, [])
        return found

    def derived(self) -> dict[str, AnyType]:
        """All named types of the index, built (for xsi:type)."""
        for kind, name in list(self._index.items):
            if kind == "type":
                self.type(name)
        return self._types

    def top_elements(self) -> list[str]:
        return [name for kind, name in self._index.items if kind == "element"]

    def _groups_by_head(self) -> dict[str, list[str]]:
        if self._members is None:
            self._members = {}
            for name, item in self._index.elements():
                head = item.node.get("substitutionGroup")
                if head:
                    key = item.document.qname(head, item.node)
                    self._members.setdefault(key, []).append(name)
        return self._members

    def _renamed(self, name: str) -> str:
        return self._inner[-1][1] if self._inner and self._inner[-1][0] == name else name

    def _item(self, kind: str, name: str) -> Item:
        try:
            return self._index.items[kind, name]
        except KeyError:
            raise bad_contract(
                f"{kind} {name} is not defined in any given document",
                vi=f"Không tệp nào định nghĩa {kind} {name}",
                missing=name,
            ) from None

    # --- elements and attributes ---

    def _declare(self, node: etree._Element, doc: Document, *, top: bool) -> Element:
        name = node.get("name") or ""
        form = node.get("form") or ("qualified" if doc.qualified_elements else "")
        space = doc.namespace if top or form == "qualified" else ""
        element = Element(
            clark(space, name),
            builtin.ANY_TYPE,
            nillable=node.get("nillable") in {"true", "1"},
            default=node.get("default"),
            fixed=node.get("fixed"),
            abstract=node.get("abstract") in {"true", "1"},
            expected_mime=_expected(node),
            top=top,
            doc=documentation(node),
            block_substitution=bool({"substitution", "#all"} & set(node.get("block", "").split())),
        )
        if top:
            self._elements[element.name] = element
        element.type = self._element_type(node, doc)
        return element

    def _element_type(self, node: etree._Element, doc: Document) -> AnyType:
        named = node.get("type")
        if named:
            return self.type(doc.qname(named, node))
        for child in node:
            tag = local(child.tag)
            if tag == "simpleType":
                return self._simple.build(child, doc, None)
            if tag == "complexType":
                anonymous = ComplexType(None)
                self._complex(child, doc, anonymous)
                return anonymous
        head = node.get("substitutionGroup")
        return self.element(doc.qname(head, node)).type if head else builtin.ANY_TYPE

    def attribute(self, node: etree._Element, doc: Document) -> Attribute | None:
        """The use of an attribute; None when it is prohibited."""
        if node.get("use") == "prohibited":
            return None
        ref = node.get("ref")
        if ref:
            found = self._referenced(doc.qname(ref, node))
        else:
            form = node.get("form") or ("qualified" if doc.qualified_attributes else "")
            top = node.getparent() is doc.root
            space = doc.namespace if top or form == "qualified" else ""
            found = Attribute(clark(space, node.get("name") or ""), self._attribute_type(node, doc))
            found.default, found.fixed = node.get("default"), node.get("fixed")
        return Attribute(
            found.name,
            found.type,
            required=node.get("use") == "required",
            default=node.get("default", found.default),
            fixed=node.get("fixed", found.fixed),
        )

    def _referenced(self, name: str) -> Attribute:
        item = self._item("attribute", name)
        found = self.attribute(item.node, item.document)
        assert found is not None  # noqa: S101 - `use` does not exist at the top
        return found

    def _attribute_type(self, node: etree._Element, doc: Document) -> SimpleType:
        named = node.get("type")
        if named:
            return self.simple_type(doc.qname(named, node), node)
        inline = node.find(f"{{{XSD}}}simpleType")
        if inline is not None:
            return self._simple.build(inline, doc, None)
        return self.simple_type(clark(XSD, "anySimpleType"), node)

    # --- complex types ---

    def _complex(self, node: etree._Element, doc: Document, target: ComplexType) -> None:
        target.abstract = node.get("abstract") in {"true", "1"}
        target.mixed = node.get("mixed") in {"true", "1"}
        target.doc = documentation(node)
        body = node
        for child in node:
            if local(child.tag) in {"simpleContent", "complexContent"}:
                self._derived(child, doc, target)
                return
        target.content = self._content(body, doc)
        self._attributes(body, doc, target)

    def _derived(self, wrapper: etree._Element, doc: Document, target: ComplexType) -> None:
        if wrapper.get("mixed") in {"true", "1"}:
            target.mixed = True
        node = next(c for c in wrapper if local(c.tag) in {"extension", "restriction"})
        extends = local(node.tag) == "extension"
        target.derivation = "extension" if extends else "restriction"
        base_name = doc.qname(node.get("base") or "", node)
        base = self.type(base_name)
        target.base = base
        if base_name == clark(ENC11, "Array"):
            self._array(node, doc, target)
            return
        if isinstance(base, ComplexType):
            target.attributes.update(base.attributes)
            target.any_attribute = base.any_attribute if extends else None
            if base_name == clark(XSD, "anyType"):
                target.attributes.clear()
                target.any_attribute = None
        if local(wrapper.tag) == "simpleContent":
            target.simple = self._simple.content(node, doc, base, restricts=not extends)
        else:
            self._complex_content(node, doc, target, extends=extends)
        self._attributes(node, doc, target)

    def _complex_content(
        self, node: etree._Element, doc: Document, target: ComplexType, *, extends: bool
    ) -> None:
        own = self._content(node, doc)
        base = target.base
        inherited = base.content if isinstance(base, ComplexType) else None
        if not extends:
            target.content = own
            return
        if isinstance(base, ComplexType):
            target.mixed = target.mixed or base.mixed
        if own is None or inherited is None:
            target.content = own or inherited
        else:
            target.content = Group("sequence", [inherited, own])

    def _array(self, node: etree._Element, doc: Document, target: ComplexType) -> None:
        """SOAP 1.1 section 5.4: the type of the items stands in wsdl:arrayType, as `T[]`."""
        for attribute in node.iter(f"{{{XSD}}}attribute"):
            written = attribute.get(_WSDL_ARRAY_TYPE)
            if written:
                target.array_of = doc.qname(written.rstrip("[], 0123456789"), attribute)
                if written.rstrip().endswith("][]") or written.count("[") > 1:
                    target.array_of = clark(XSD, "anyType")
        own = self._content(node, doc)
        uses = [p for p in own.items if isinstance(p, ElementUse)] if own else []
        if uses and not target.array_of:
            kind = uses[0].element.type
            target.array_of = kind.name or clark(XSD, "anyType")
            target.content = Group("sequence", [ElementUse(uses[0].element, 0, UNBOUNDED)])
            return
        target.array_of = target.array_of or clark(XSD, "anyType")
        item = Element("item", self.type(target.array_of), nillable=True)
        target.content = Group("sequence", [ElementUse(item, 0, UNBOUNDED)])

    def _attributes(self, parent: etree._Element, doc: Document, target: ComplexType) -> None:
        for node in parent:
            tag = local(node.tag)
            if tag == "attribute":
                self._use(node, doc, target)
            elif tag == "attributeGroup":
                self._attribute_group(doc.qname(node.get("ref") or "", node), target)
            elif tag == "anyAttribute":
                target.any_attribute = _wildcard(node, doc)

    def _use(self, node: etree._Element, doc: Document, target: ComplexType) -> None:
        use = self.attribute(node, doc)
        if use is not None:
            target.attributes[use.name] = use
        elif node.get("ref"):
            target.attributes.pop(doc.qname(node.get("ref") or "", node), None)
        else:
            qualified = node.get("form") == "qualified" or doc.qualified_attributes
            space = doc.namespace if qualified else ""
            target.attributes.pop(clark(space, node.get("name") or ""), None)

    def _attribute_group(self, name: str, target: ComplexType) -> None:
        marker = f"@{name}"
        name = self._renamed(name)
        if marker in self._groups and name == marker[1:]:
            return  # circular: adds nothing new
        item = self._item("attributeGroup", name)
        self._groups.append(marker)
        if item.inner:
            self._inner.append(item.inner)
        self._attributes(item.node, item.document, target)
        if item.inner:
            self._inner.pop()
        self._groups.pop()

    # --- content models ---

    def _content(self, parent: etree._Element, doc: Document) -> Group | None:
        for node in parent:
            tag = local(node.tag)
            if tag in _MODELS or tag == "group":
                found = self._particle(node, doc)
                if found is None:
                    return None
                return found if isinstance(found, Group) else Group("sequence", [found])
        return None

    def _particle(self, node: etree._Element, doc: Document) -> Particle | None:
        low, high = occurs(node)
        if high == 0:
            return None
        tag = local(node.tag)
        if tag == "element":
            return self._element_use(node, doc, low, high)
        if tag == "any":
            wildcard = _wildcard(node, doc)
            wildcard.min, wildcard.max = low, high
            return wildcard
        if tag == "group":
            return self._group(node, doc, low, high)
        if tag in _MODELS:
            return self._model(node, doc, low, high)
        return None

    def _model(self, node: etree._Element, doc: Document, low: int, high: int) -> Group:
        items = [found for child in node if (found := self._particle(child, doc)) is not None]
        return Group(local(node.tag), items, low, high)  # type: ignore[arg-type]

    def _group(self, node: etree._Element, doc: Document, low: int, high: int) -> Group:
        name = self._renamed(doc.qname(node.get("ref") or "", node))
        if name in self._groups:
            raise bad_contract(
                f"group {name} contains itself",
                vi=f"Nhóm {name} tự chứa chính nó",
                line=node.sourceline or 0,
            )
        item = self._item("group", name)
        self._groups.append(name)
        if item.inner:
            self._inner.append(item.inner)
        inner = self._content(item.node, item.document) or Group("sequence", [])
        if item.inner:
            self._inner.pop()
        self._groups.pop()
        if (low, high) == (1, 1):
            return inner
        return Group("sequence", [inner], low, high)

    def _element_use(
        self, node: etree._Element, doc: Document, low: int, high: int
    ) -> ElementUse | Group:
        ref = node.get("ref")
        if not ref:
            return ElementUse(self._declare(node, doc, top=False), low, high)
        name = doc.qname(ref, node)
        candidates = self.substitutes(name) if self._is_head(name) else [self.element(name)]
        if len(candidates) == 1 and candidates[0].name == name:
            return ElementUse(candidates[0], low, high)
        return Group("choice", [ElementUse(each) for each in candidates], low, high)

    def _is_head(self, name: str) -> bool:
        return name in self._groups_by_head()


def occurs(node: etree._Element) -> tuple[int, int]:
    high = node.get("maxOccurs", "1").strip()
    return int(node.get("minOccurs", "1")), UNBOUNDED if high == "unbounded" else int(high)


def documentation(node: etree._Element) -> str:
    found = node.find(f"{{{XSD}}}annotation/{{{XSD}}}documentation")
    return " ".join("".join(found.itertext()).split())[:2000] if found is not None else ""


def _expected(node: etree._Element) -> str:
    return node.get(f"{{{XMLMIME}}}expectedContentTypes") or node.get(_MIME_2004) or ""


def _wildcard(node: etree._Element, doc: Document) -> Wildcard:
    written = node.get("namespace", "##any").split()
    process = node.get("processContents", "strict")
    if written == ["##any"]:
        found = Wildcard(None)
    elif written == ["##other"]:
        found = Wildcard(frozenset({doc.namespace, ""}), negated=True)
    else:
        special = {"##targetNamespace": doc.namespace, "##local": ""}
        found = Wildcard(frozenset(special.get(each, each) for each in written))
    found.process = process  # type: ignore[assignment]
    return found
