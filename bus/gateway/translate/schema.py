"""Loading schema documents: include, import, redefine, chameleon; then an index by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from bus.gateway.translate import names
from bus.gateway.translate.dotnet import open_up
from bus.gateway.translate.names import XSD, clark
from bus.gateway.translate.sources import Sources

_KINDS = {
    "element": "element",
    "attribute": "attribute",
    "simpleType": "type",
    "complexType": "type",
    "group": "group",
    "attributeGroup": "attributeGroup",
}
_REDEFINED = "\N{MIDDLE DOT}redefined"


@dataclass(slots=True, eq=False)
class Document:
    """One schema document in one target namespace (a chameleon appears once for each)."""

    root: etree._Element
    name: str  # of the source, for errors
    namespace: str
    qualified_elements: bool
    qualified_attributes: bool

    @classmethod
    def of(cls, root: etree._Element, name: str, namespace: str) -> Document:
        return cls(
            root,
            name,
            namespace,
            root.get("elementFormDefault") == "qualified",
            root.get("attributeFormDefault") == "qualified",
        )

    def qname(self, text: str, node: etree._Element) -> str:
        return names.resolve(text, node, default=self._chameleon())

    def _chameleon(self) -> str | None:
        return None if self.root.get("targetNamespace") else self.namespace


@dataclass(slots=True)
class Item:
    """A named component where it stands; `inner` names what a redefinition replaced."""

    node: etree._Element
    document: Document
    inner: tuple[str, str] | None = None  # name, and the name its original is kept under


@dataclass(slots=True)
class Index:
    """Every named component of every document."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)  # (kind, Clark name)
    documents: list[Document] = field(default_factory=list)
    clashes: list[str] = field(default_factory=list)

    def elements(self) -> Iterator[tuple[str, Item]]:
        return ((name, item) for (kind, name), item in self.items.items() if kind == "element")


class Loader:
    """Follows references from the schemas of a WSDL, or from one XSD."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._seen: set[tuple[str, str]] = set()
        self.index = Index()

    def add_root(self, root: etree._Element, name: str) -> None:
        """A schema element standing in a WSDL, or the root of a document."""
        self._add(root, name, root.get("targetNamespace") or "")

    def add_namespace(self, namespace: str) -> None:
        """A namespace used without an import, when the catalogue has it."""
        self._load(self._sources.find("", None, namespace), namespace)

    def _load(self, name: str | None, namespace: str) -> None:
        if name is None or (name, namespace) in self._seen:
            return
        self._seen.add((name, namespace))
        root = self._sources.tree(name)
        if root.tag == clark(XSD, "schema"):
            self._add(root, name, root.get("targetNamespace") or namespace)

    def _add(self, root: etree._Element, name: str, namespace: str) -> None:
        open_up(root)
        document = Document.of(root, name, namespace)
        self.index.documents.append(document)
        for node in root:
            tag = names.local(node.tag)
            if tag in _KINDS:
                self._define(node, document)
            elif tag == "import":
                wanted = node.get("namespace") or ""
                self._load(self._sources.find(name, node.get("schemaLocation"), wanted), wanted)
            elif tag in {"include", "redefine"}:
                self._load(self._sources.find(name, node.get("schemaLocation"), None), namespace)
            if tag == "redefine":
                self._redefine(node, document)

    def _define(self, node: etree._Element, document: Document) -> None:
        key = (_KINDS[names.local(node.tag)], clark(document.namespace, node.get("name") or ""))
        known = self.index.items.setdefault(key, Item(node, document))
        if known.node is not node and not _same(known.node, node):
            self.index.clashes.append(f"{key[0]} {key[1]}")

    def _redefine(self, parent: etree._Element, document: Document) -> None:
        for node in parent:
            kind = _KINDS.get(names.local(node.tag))
            if kind is None:
                continue
            name = clark(document.namespace, node.get("name") or "")
            original = self.index.items.get((kind, name))
            kept = name + _REDEFINED
            while (kind, kept) in self.index.items:
                kept += _REDEFINED
            if original is not None:
                self.index.items[kind, kept] = original
            self.index.items[kind, name] = Item(node, document, (name, kept))


def _same(one: etree._Element, other: etree._Element) -> bool:
    """The same definition twice is common (one file saved under two names)."""
    return bool(
        etree.tostring(one, method="c14n", exclusive=True)
        == etree.tostring(other, method="c14n", exclusive=True)
    )
