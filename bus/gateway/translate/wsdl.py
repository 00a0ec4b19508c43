"""Reading WSDL 1.1 with its SOAP 1.1 and 1.2 bindings into plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from bus.gateway.translate import names
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.names import WSDL, WSDL_MIME, WSDL_SOAP11, WSDL_SOAP12, clark, local
from bus.gateway.translate.schema import Index, Loader
from bus.gateway.translate.sources import Sources

Version = Literal["1.1", "1.2"]
Style = Literal["document", "rpc"]
Use = Literal["literal", "encoded"]

_SOAP = {WSDL_SOAP11: "1.1", WSDL_SOAP12: "1.2"}
_HTTP_TRANSPORTS = {
    "http://schemas.xmlsoap.org/soap/http",
    "http://www.w3.org/2003/05/soap/bindings/HTTP/",
    "",
}
_MTOM = "OptimizedMimeSerialization"


@dataclass(slots=True)
class Part:
    name: str
    element: str = ""  # Clark names; one of the two
    type: str = ""


@dataclass(slots=True)
class Header:
    part: Part
    required: bool = False


@dataclass(slots=True)
class MessageSide:
    """Input or output of one operation, as the binding puts it on the wire."""

    parts: list[Part] = field(default_factory=list)  # in the body
    headers: list[Header] = field(default_factory=list)
    attachments: dict[str, str] = field(default_factory=dict)  # part → content type (SwA)
    use: Use = "literal"
    namespace: str = ""  # of the rpc wrapper
    action: str = ""


@dataclass(slots=True)
class Fault:
    name: str
    part: Part | None


@dataclass(slots=True)
class OperationData:
    name: str
    style: Style
    version: Version
    soap_action: str
    input: MessageSide
    output: MessageSide | None
    faults: list[Fault]
    documentation: str
    problems: list[str]  # what cannot be carried


@dataclass(slots=True)
class PortData:
    service: str
    name: str
    address: str
    version: Version
    operations: list[OperationData]
    mtom: bool = False


@dataclass(slots=True)
class Definitions:
    """All WSDL documents of a contract together."""

    sources: Sources
    index: Index
    namespace: str
    documentation: str
    ports: list[PortData] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # ports that are not SOAP over HTTP


class Reader:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._loader = Loader(sources)
        self._roots: list[etree._Element] = []
        self._seen: set[str] = set()
        self._named: dict[tuple[str, str], etree._Element] = {}

    def read(self, main: str) -> Definitions:
        root = self._sources.tree(main)
        if root.tag != clark(WSDL, "definitions"):
            raise bad_contract(
                f"{main} is not a WSDL 1.1 document but {root.tag!s}",
                vi=f"{main} không phải WSDL 1.1 mà là {root.tag!s}",
                document=main,
            )
        self._collect(main)
        for namespace in self._used_namespaces():
            if not any(d.namespace == namespace for d in self._loader.index.documents):
                self._loader.add_namespace(namespace)
        found = Definitions(
            self._sources, self._loader.index, root.get("targetNamespace") or "", _doc(root)
        )
        for each in self._roots:
            for service in each.iterchildren(clark(WSDL, "service")):
                self._service(service, found)
        if not found.ports:
            raise bad_contract(
                f"{main} has no port with a SOAP binding over HTTP",
                vi=f"{main} không có cổng SOAP nào qua HTTP",
                document=main,
            )
        return found

    def _collect(self, name: str) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        root = self._sources.tree(name)
        if root.tag == clark(names.XSD, "schema"):
            self._loader.add_root(root, name)
            return
        self._roots.append(root)
        space = root.get("targetNamespace") or ""
        for node in root:
            tag = local(node.tag)
            if node.tag == clark(WSDL, "import"):
                self._import(name, node)
            elif node.tag == clark(WSDL, "types"):
                for schema in node.iterchildren(clark(names.XSD, "schema")):
                    self._loader.add_root(schema, name)
            elif tag in {"message", "portType", "binding"}:
                self._named[tag, clark(space, node.get("name") or "")] = node

    def _import(self, name: str, node: etree._Element) -> None:
        location = node.get("location") or node.get("schemaLocation")
        found = self._sources.find(name, location, node.get("namespace"))
        if found is not None:
            self._collect(found)

    def _used_namespaces(self) -> Iterator[str]:
        """Namespaces in scope in schemas and messages: some WSDLs forget the import."""
        seen: set[str] = set()
        for root in self._roots:
            seen.update(root.nsmap.values())
        for document in list(self._loader.index.documents):
            seen.update(document.root.nsmap.values())
        yield from (s for s in sorted(seen) if s in _CATALOGUED)

    def _get(self, kind: str, text: str, node: etree._Element) -> etree._Element:
        name = names.resolve(text, node)
        found = self._named.get((kind, name))
        if found is None:  # documents that use an unprefixed name of the target namespace
            target = node.getroottree().getroot().get("targetNamespace") or ""
            found = self._named.get((kind, clark(target, local(name))))
        if found is None:
            raise bad_contract(
                f"{kind} {name} is not defined",
                vi=f"Không có {kind} {name}",
                line=node.sourceline or 0,
                missing=name,
            )
        return found

    def _service(self, service: etree._Element, found: Definitions) -> None:
        for port in service.iterchildren(clark(WSDL, "port")):
            label = f"{service.get('name')}/{port.get('name')}"
            version, address = _address(port)
            if version is None:
                found.skipped.append(f"{label}: not SOAP")
                continue
            binding = self._get("binding", port.get("binding") or "", port)
            declared = _soap_child(binding, "binding")
            if declared is None:
                found.skipped.append(f"{label}: not SOAP")
                continue
            if declared.get("transport", "") not in _HTTP_TRANSPORTS:
                found.skipped.append(f"{label}: transport {declared.get('transport')}")
                continue
            found.ports.append(self._port(service, port, binding, declared, address))

    def _port(
        self,
        service: etree._Element,
        port: etree._Element,
        binding: etree._Element,
        declared: etree._Element,
        address: str,
    ) -> PortData:
        version: Version = _SOAP[names.split(declared.tag)[0]]  # type: ignore[assignment]
        port_type = self._get("portType", binding.get("type") or "", binding)
        style = declared.get("style", "document")
        operations = [
            self._operation(node, port_type, version, style)
            for node in binding.iterchildren(clark(WSDL, "operation"))
        ]
        mtom = any(local(n.tag) == _MTOM for root in self._roots for n in root.iter("*"))
        return PortData(
            service.get("name") or "", port.get("name") or "", address, version, operations, mtom
        )

    def _operation(
        self, node: etree._Element, port_type: etree._Element, version: Version, style: str
    ) -> OperationData:
        name = node.get("name") or ""
        declared = _soap_child(node, "operation")
        abstract = _abstract(port_type, node)
        own = declared.get("style") if declared is not None else None
        kind: Style = "rpc" if (own or style) == "rpc" else "document"
        problems: list[str] = []
        output = abstract.find(clark(WSDL, "output"))
        order = abstract.get("parameterOrder", "").split()
        found = OperationData(
            name,
            kind,
            version,
            declared.get("soapAction", "") if declared is not None else "",
            self._side(node, abstract, "input", order, problems),
            self._side(node, abstract, "output", order, problems) if output is not None else None,
            self._faults(abstract),
            _doc(abstract),
            problems,
        )
        if abstract.find(clark(WSDL, "input")) is None:
            problems.append("the service calls its client (notification): nothing to call")
        return found

    def _side(
        self,
        node: etree._Element,
        abstract: etree._Element,
        kind: str,
        order: list[str],
        problems: list[str],
    ) -> MessageSide:
        side = MessageSide()
        declared = abstract.find(clark(WSDL, kind))
        bound = node.find(clark(WSDL, kind))
        if declared is None:
            return side
        side.action = _wsa_action(declared)
        parts = self._parts(self._get("message", declared.get("message") or "", declared))
        body, headers, attached = _bound(bound)
        if body is not None:
            side.use = "encoded" if body.get("use") == "encoded" else "literal"
            side.namespace = body.get("namespace", "")
        side.attachments = {p: t for p, t in attached.items() if p in parts}
        for header in headers:
            side.headers.append(self._header(header))
        in_headers = {
            h.get("part")
            for h in headers
            if self._get("message", h.get("message") or "", h)
            is self._get("message", declared.get("message") or "", declared)
        }
        wanted = body.get("parts") if body is not None else None
        chosen = (
            wanted.split()
            if wanted is not None
            else [p for p in parts if p not in in_headers and p not in side.attachments]
        )
        if order:
            chosen.sort(key=lambda p: order.index(p) if p in order else len(order))
        side.parts = [parts[p] for p in chosen if p in parts]
        problems += [f"{kind}: part {p} is not in the message" for p in chosen if p not in parts]
        return side

    def _header(self, node: etree._Element) -> Header:
        parts = self._parts(self._get("message", node.get("message") or "", node))
        part = parts.get(node.get("part") or "")
        if part is None:
            raise bad_contract(
                f"header part {node.get('part')} is not in message {node.get('message')}",
                vi=f"Phần đầu {node.get('part')} không có trong thông điệp {node.get('message')}",
                line=node.sourceline or 0,
            )
        return Header(part, node.get(clark(WSDL, "required")) in {"true", "1"})

    def _parts(self, message: etree._Element) -> dict[str, Part]:
        found = {}
        for node in message.iterchildren(clark(WSDL, "part")):
            name = node.get("name") or ""
            element, kind = node.get("element"), node.get("type")
            found[name] = Part(
                name,
                names.resolve(element, node) if element else "",
                names.resolve(kind, node) if kind else "",
            )
        return found

    def _faults(self, abstract: etree._Element) -> list[Fault]:
        found = []
        for node in abstract.iterchildren(clark(WSDL, "fault")):
            parts = self._parts(self._get("message", node.get("message") or "", node))
            found.append(Fault(node.get("name") or "", next(iter(parts.values()), None)))
        return found


_CATALOGUED = {names.ENC11, names.WSA, names.XMLMIME, names.XOP, names.XML, names.ENV11}


def _doc(node: etree._Element) -> str:
    found = node.find(clark(WSDL, "documentation"))
    return " ".join("".join(found.itertext()).split())[:4000] if found is not None else ""


def _soap_child(node: etree._Element, name: str) -> etree._Element | None:
    for namespace in _SOAP:
        found = node.find(clark(namespace, name))
        if found is not None:
            return found
    return None


def _address(port: etree._Element) -> tuple[str | None, str]:
    found = _soap_child(port, "address")
    if found is None:
        return None, ""
    return _SOAP[names.split(found.tag)[0]], found.get("location", "").strip()


def _abstract(port_type: etree._Element, bound: etree._Element) -> etree._Element:
    """The operation of the port type: by name, and by the names of its messages if overloaded."""
    candidates = [
        each
        for each in port_type.iterchildren(clark(WSDL, "operation"))
        if each.get("name") == bound.get("name")
    ]
    for each in candidates:
        if all(_side_name(each, k) == _side_name(bound, k) for k in ("input", "output")):
            return each
    if candidates:
        return candidates[0]
    raise bad_contract(
        f"operation {bound.get('name')} of the binding is not in its port type",
        vi=f"Thao tác {bound.get('name')} của binding không có trong portType",
        line=bound.sourceline or 0,
    )


def _side_name(operation: etree._Element, kind: str) -> str | None:
    side = operation.find(clark(WSDL, kind))
    return side.get("name") if side is not None else None


def _wsa_action(node: etree._Element) -> str:
    for name, value in node.attrib.items():
        if local(name) == "Action":
            return value
    return ""


def _bound(
    node: etree._Element | None,
) -> tuple[etree._Element | None, list[etree._Element], dict[str, str]]:
    """(soap:body, soap:header …, part → content type of MIME parts) of one side of a binding."""
    if node is None:
        return None, [], {}
    body, headers, attached = None, [], dict[str, str]()
    for each in node.iter("*"):
        namespace, tag = names.split(each.tag)
        if namespace in _SOAP and tag == "body":
            body = each
        elif namespace in _SOAP and tag == "header":
            headers.append(each)
        elif namespace == WSDL_MIME and tag == "content":
            attached[each.get("part") or ""] = each.get("type", "application/octet-stream")
    return body, headers, attached
