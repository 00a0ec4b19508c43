"""libxml2's verdict on XML: the schemas of the contract, put together for it."""

from __future__ import annotations

import re

from lxml import etree

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XSD, clark, local
from bus.gateway.translate.schema import Document, Index
from schemas.xml import Limits, compile_schemas, parse

_LIMITS = Limits(size=32_000_000, elements=1_000_000, attributes=2_000_000)


class Validator:
    """Judges elements that are declared globally.  Raises Mismatch, without the values."""

    def __init__(self, index: Index) -> None:
        documents, main = _assembled(index)
        self._schema = compile_schemas(documents, main)

    def accepts(self, element: etree._Element) -> bool:
        return bool(self._schema.validate(element))

    def check(self, element: etree._Element) -> None:
        if self._schema.validate(element):
            return
        entry = next(iter(self._schema.error_log))
        rule = entry.type_name.removeprefix("SCHEMAV_").replace("_", "-").lower()
        error = Mismatch(rule, _said(entry.message), _said(entry.message, vietnamese=True))
        error.line = entry.line
        for step in reversed(_steps(element, entry.path or "")):
            error.at(step)
        raise error


def _steps(element: etree._Element, path: str) -> list[str]:
    """libxml2's path with the names in it: it writes `*[2]` where a default namespace is used."""
    found, at = [local(element.tag)], element
    for step in path.strip("/").split("/")[1:]:
        name, _, position = step.rstrip("]").partition("[")
        plain = name.rpartition(":")[2]
        fitting = [c for c in at if plain in {"*", local(c.tag)}]
        index = int(position or 1) - 1
        if index >= len(fitting):
            break
        at = fitting[index]
        found.append(f"{local(at.tag)}[{position}]" if position and plain != "*" else local(at.tag))
    return found


_FACET = re.compile(r"\[facet '(\w+)'\]")
_EXPECTED = re.compile(r"Expected is (?:one of )?(\( .* \))")


def _said(message: str, *, vietnamese: bool = False) -> str:
    """The message's sense without the value in it, which may be personal data."""
    facet = _FACET.search(message)
    if facet:
        return f"sai ràng buộc {facet[1]}" if vietnamese else f"breaks the facet {facet[1]}"
    expected = _EXPECTED.search(message)
    if expected:
        names = re.sub(r"\{[^}]*\}", "", expected[1])[:200]
        return f"cần {names}" if vietnamese else f"expected is {names}"
    if "not a valid value" in message:
        return "không đúng kiểu dữ liệu" if vietnamese else "not a value of the declared type"
    return "không đúng lược đồ" if vietnamese else "not valid by the schema"


def _assembled(index: Index) -> tuple[dict[str, bytes], str]:
    """One document per schema, and one per namespace that includes them all.

    libxml2 takes only the first import of a namespace, so every import points at that one.
    """
    documents: dict[str, bytes] = {}
    by_namespace: dict[str, list[str]] = {}
    names = {id(each): f"memory:{number}.xsd" for number, each in enumerate(index.documents)}
    spaces = list(dict.fromkeys(each.namespace for each in index.documents))
    drivers = {space: f"memory:ns{number}.xsd" for number, space in enumerate(spaces)}
    seen: set[tuple[str, bytes]] = set()
    for each in index.documents:
        body = _rewritten(each, drivers)
        if (each.namespace, body) in seen:
            continue  # one file under two names
        seen.add((each.namespace, body))
        documents[names[id(each)]] = body
        by_namespace.setdefault(each.namespace, []).append(names[id(each)])
    for space, driver in drivers.items():
        includes = "".join(f'<xs:include schemaLocation="{n}"/>' for n in by_namespace[space])
        target = f' targetNamespace="{_attribute(space)}"' if space else ""
        documents[driver] = f'<xs:schema xmlns:xs="{XSD}"{target}>{includes}</xs:schema>'.encode()
    imports = "".join(
        f"<xs:import {f'namespace={chr(34)}{_attribute(space)}{chr(34)} ' if space else ''}"
        f'schemaLocation="{driver}"/>'
        for space, driver in drivers.items()
    )
    main = f'<xs:schema xmlns:xs="{XSD}" targetNamespace="memory:main">{imports}</xs:schema>'
    documents["memory:main.xsd"] = main.encode()
    return documents, "memory:main.xsd"


def _rewritten(document: Document, drivers: dict[str, str]) -> bytes:
    root = parse(
        etree.tostring(document.root, encoding="utf-8"), _LIMITS
    )  # with the prefixes in scope, which QNames mean
    for node in list(root):
        if local(node.tag) in {"import", "include"}:
            root.remove(node)
    named = root.get("targetNamespace")  # a document without one cannot import no namespace
    used = [space for space in drivers if space != document.namespace and (space or named)]
    for space in reversed(used):
        node = etree.Element(clark(XSD, "import"), schemaLocation=drivers[space])
        if space:
            node.set("namespace", space)
        root.insert(0, node)
    return etree.tostring(root, encoding="utf-8")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
