"""Schemas for the wrappers of rpc calls, so that libxml2 can judge them like any element."""

from __future__ import annotations

from lxml import etree

from bus.gateway.translate import wsdl
from bus.gateway.translate.names import XSD, clark, split
from bus.gateway.translate.schema import Document
from schemas.xml import parse


def wrapper_schemas(definitions: wsdl.Definitions) -> tuple[list[Document], set[str]]:
    """(schema documents to add, the wrappers they declare).

    A wrapper whose name a schema uses for something else, or that two operations give different
    parts, is left out.
    """
    wanted: dict[str, str] = {}
    clashing: set[str] = set()
    for name, body in _wrappers(definitions):
        if ("element", name) in definitions.index.items or wanted.get(name, body) != body:
            clashing.add(name)
        wanted[name] = body
    kept = {name: body for name, body in wanted.items() if name not in clashing}
    by_namespace: dict[str, list[str]] = {}
    for name, body in kept.items():
        by_namespace.setdefault(split(name)[0], []).append(body)
    documents = [
        Document.of(_schema(space, bodies), "rpc wrappers", space)
        for space, bodies in by_namespace.items()
    ]
    return documents, set(kept)


def _wrappers(definitions: wsdl.Definitions) -> list[tuple[str, str]]:
    found = []
    for port in definitions.ports:
        for operation in port.operations:
            if operation.style != "rpc":
                continue
            for side, suffix in ((operation.input, ""), (operation.output, "Response")):
                if side is not None and side.use == "literal":
                    name = operation.name + suffix
                    found.append((clark(side.namespace, name), _element(name, side, suffix)))
    return found


def _element(name: str, side: wsdl.MessageSide, suffix: str) -> str:
    low = ' minOccurs="0"' if suffix else ""
    parts = "".join(
        f"<xs:element {_named('ref', part.element)}{low}/>"
        if part.element
        else f'<xs:element name="{part.name}" {_named("type", part.type)} nillable="true"{low}/>'
        for part in side.parts
    )
    return (
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{parts}</xs:sequence>'
        "</xs:complexType></xs:element>"
    )


def _named(attribute: str, name: str) -> str:
    namespace, plain = split(name)
    if not namespace:
        return f'{attribute}="{plain}"'
    quoted = namespace.replace("&", "&amp;").replace('"', "&quot;")
    return f'xmlns:p="{quoted}" {attribute}="p:{plain}"'


def _schema(namespace: str, bodies: list[str]) -> etree._Element:
    quoted = namespace.replace("&", "&amp;").replace('"', "&quot;")
    target = f' targetNamespace="{quoted}"' if namespace else ""
    return parse(f'<xs:schema xmlns:xs="{XSD}"{target}>{"".join(bodies)}</xs:schema>'.encode())
