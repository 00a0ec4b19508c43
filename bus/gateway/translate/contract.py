"""A compiled WSDL: services, ports and operations that translate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from bus.gateway.translate import wsdl
from bus.gateway.translate.build import Builder
from bus.gateway.translate.components import ComplexType, Element, ElementUse, Group
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.faults import ServiceFault, write_fault
from bus.gateway.translate.message import MEDIA, Message, Wire
from bus.gateway.translate.names import clark, local
from bus.gateway.translate.plan import Plan, Slot
from bus.gateway.translate.rpc import wrapper_schemas
from bus.gateway.translate.sources import Sources
from bus.gateway.translate.validate import Validator
from schemas.errors import InvalidContract
from schemas.xml import DEFAULT_LIMITS, Limits


@dataclass(slots=True)
class Operation:
    """One operation of one port. `problems`: why it cannot be called, empty if it can."""

    name: str
    service: str
    port: str
    address: str
    version: str
    style: str
    encoded: bool
    soap_action: str
    documentation: str
    request: Message
    reply: Message
    one_way: bool
    faults: dict[str, Slot] = field(default_factory=dict)  # fault name → its detail element
    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # what messages may hold and JSON would not

    def fault_to_xml(self, fault: ServiceFault, version: str | None = None) -> Wire:
        """For serving: the fault as an envelope of `version`, or of the operation's own."""
        spoken = version or self.version
        known = {local(slot.element.name): slot.element.name for slot in self.faults.values()}
        body = write_fault(fault, spoken, self.reply.plan, known)
        return Wire(body, f"{MEDIA[spoken]}; charset=utf-8", None)


@dataclass(slots=True)
class Port:
    name: str
    address: str
    version: str
    operations: dict[str, Operation]


@dataclass(slots=True)
class Service:
    name: str
    ports: dict[str, Port] = field(default_factory=dict)


@dataclass(slots=True)
class Contract:
    """All of one WSDL. `operations` holds each name once: of the first port that has it."""

    namespace: str
    documentation: str
    services: dict[str, Service]
    operations: dict[str, Operation]
    missing: dict[str, str]  # document that was named but not given → who named it
    from_catalogue: list[str]  # namespaces resolved offline
    skipped: list[str]  # ports that are not SOAP over HTTP
    clashes: list[str]  # components defined twice, differently
    unjudged: str  # why libxml2 cannot judge messages by this contract, or ""
    plan: Plan

    def openapi(self, *, title: str = "", base_path: str = "") -> dict[str, Any]:
        """The OpenAPI 3.1 description: one POST for each operation, below `base_path`."""
        from bus.gateway.translate.openapi import describe  # noqa: PLC0415 - it needs Contract

        return describe(self, title=title, base_path=base_path)

    def report(self) -> dict[str, Any]:
        """What is supported and what would be lost, for each operation."""
        from bus.gateway.translate.report import report  # noqa: PLC0415 - it needs Contract

        return report(self)


def compile_wsdl(
    documents: Mapping[str, bytes], main: str, *, limits: Limits = DEFAULT_LIMITS
) -> Contract:
    """Compile `documents[main]` with what it refers to.

    `documents` are named by path or URL as they refer to each other; copies saved flat are found
    by file name.  `limits` hold for messages.  Raises InvalidContract, naming what is missing.
    """
    sources = Sources(documents)
    definitions = wsdl.Reader(sources).read(main)
    try:
        return _Compiler(sources, definitions, limits).contract()
    except InvalidContract as error:
        if "missing" not in error.context or not sources.missing:
            raise
        named = ", ".join(f"{k} (named by {v})" for k, v in sources.missing.items())
        raise bad_contract(
            f"{error.detail.en}; documents not given: {named}",
            vi=f"{error.detail.vi}; thiếu tệp: {named}",
            **error.context,
        ) from None


class _Compiler:
    def __init__(self, sources: Sources, definitions: wsdl.Definitions, limits: Limits) -> None:
        self._sources = sources
        self._definitions = definitions
        self._limits = limits
        self._builder = Builder(definitions.index)
        self._plan = Plan(self._builder)
        self._encoded = Plan(self._builder, encoded=True)
        self._validator: Validator | None = None
        self._unjudged = ""
        self._rpc: set[str] = set()

    def contract(self) -> Contract:
        self._make_validator()
        services: dict[str, Service] = {}
        operations: dict[str, Operation] = {}
        for data in self._definitions.ports:
            port = Port(data.name, data.address, data.version, {})
            for each in data.operations:
                operation = self._operation(data, each)
                key = _free(each.name, port.operations)
                operation.name = key
                port.operations[key] = operation
                if key not in operations:
                    operations[key] = operation
            services.setdefault(data.service, Service(data.service)).ports[data.name] = port
        return Contract(
            self._definitions.namespace,
            self._definitions.documentation,
            services,
            operations,
            dict(self._sources.missing),
            sorted(self._sources.from_catalogue),
            self._definitions.skipped,
            self._definitions.index.clashes,
            self._unjudged,
            self._plan,
        )

    def _make_validator(self) -> None:
        documents, self._rpc = wrapper_schemas(self._definitions)
        index = self._definitions.index
        extended = type(index)(dict(index.items), [*index.documents, *documents])
        try:
            self._validator = Validator(extended)
        except etree.XMLSchemaParseError as error:
            self._unjudged = str(error)[:500]

    def _operation(self, port: wsdl.PortData, data: wsdl.OperationData) -> Operation:
        problems = list(data.problems)
        output = data.output or wsdl.MessageSide()
        try:
            request = self._message(port, data, data.input, reply=False)
            reply = self._message(port, data, output, reply=True)
            faults = {
                fault.name: slot for fault in data.faults if (slot := self._fault_slot(fault))
            }
        except InvalidContract as error:
            problems.append(error.detail.en)
            request = reply = Message(self._plan, data.version, [], {})
            faults = {}
        return Operation(
            data.name,
            port.service,
            port.name,
            port.address,
            data.version,
            data.style,
            "encoded" in {data.input.use, output.use},
            data.soap_action,
            data.documentation,
            request,
            reply,
            data.output is None,
            faults,
            problems,
        )

    def _fault_slot(self, fault: wsdl.Fault) -> Slot | None:
        if fault.part is None or not fault.part.element:
            return None
        return self._plan.top(self._checked(fault.part.element))

    def _checked(self, name: str) -> str:
        self._builder.element(name)  # raises InvalidContract where nothing defines it
        return name

    def _message(
        self, port: wsdl.PortData, data: wsdl.OperationData, side: wsdl.MessageSide, *, reply: bool
    ) -> Message:
        plan = self._encoded if side.use == "encoded" else self._plan
        headers: dict[str, tuple[Slot, bool]] = {}
        for header in side.headers:
            slot = self._part(plan, header.part)
            headers[_free(slot.key, headers)] = (slot, header.required)
        common: dict[str, Any] = {
            "headers": headers,
            "validator": self._validator,
            "reply": reply,
            "action": data.soap_action or side.action,
            "attachments": bool(side.attachments),
            "mtom": port.mtom and not reply,
            "limits": self._limits,
        }
        if data.style == "rpc":
            name = clark(side.namespace, data.name + ("Response" if reply else ""))
            wrapper = self._wrapper(plan, name, side, reply=reply)
            if name not in self._rpc or side.use == "encoded":
                common["validator"] = None
            return Message(plan, data.version, [], wrapper=wrapper, **common)
        slots = [self._part(plan, part) for part in side.parts]
        if any(part.type for part in side.parts):
            common["validator"] = None
        alone = len(slots) == 1
        return Message(plan, data.version, slots, unwrapped=alone, **common)

    def _part(self, plan: Plan, part: wsdl.Part) -> Slot:
        if part.element:
            slot = plan.slot(self._builder.element(part.element), local(part.element))
            slot.array = False
            return slot
        return plan.slot(Element(part.name, self._builder.type(part.type)), part.name)

    def _wrapper(self, plan: Plan, name: str, side: wsdl.MessageSide, *, reply: bool) -> Slot:
        """The element of an rpc call (SOAP 1.1 section 7): accessors without a namespace."""
        uses: list[Any] = []
        for part in side.parts:
            if part.element:
                uses.append(ElementUse(self._builder.element(part.element), 0 if reply else 1))
            else:
                kind = self._builder.type(part.type)
                accessor = Element(part.name, kind, nillable=True)
                uses.append(ElementUse(accessor, 0 if reply else 1))
        content = Group("sequence", uses)
        slot = plan.slot(Element(name, ComplexType(None, content=content)), local(name))
        if side.use == "encoded":
            slot.start += ' soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
        return slot


def _free(name: str, taken: Mapping[str, object]) -> str:
    """`name`, numbered when it is taken (overloaded operations)."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
