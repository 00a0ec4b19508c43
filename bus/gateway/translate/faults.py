"""SOAP faults both ways (SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4)."""

from __future__ import annotations

from lxml import etree

from bus.gateway.translate import generic
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import ENV11, ENV12, clark, local, resolve, split
from bus.gateway.translate.plan import Plan
from bus.gateway.translate.reading import Json, Reader
from bus.gateway.translate.simple import Namespaces, Raw
from bus.gateway.translate.text import element_text
from bus.gateway.translate.writing import Writer
from schemas.errors import InvalidContract, PartnerRefused

_TO_12 = {"Client": "Sender", "Server": "Receiver"}
_TO_11 = {new: old for old, new in _TO_12.items()}


class ServiceFault(PartnerRefused):
    """The service answered with a fault; its own words are kept.

    `code`: "Client", "Server", "VersionMismatch", "MustUnderstand" (the names of SOAP 1.1 in both
    versions) or the service's own; `subcodes`: of SOAP 1.2, Clark notation; `entries`: the
    detail's elements as JSON, `[{"ElementName": value}]`.
    """

    def __init__(
        self,
        fault_code: str,
        reason: str,
        *,
        actor: str = "",
        subcodes: list[str] | None = None,
        entries: list[object] | None = None,
    ) -> None:
        super().__init__(
            f"the service answered with fault {fault_code}", vi=f"Dịch vụ trả lỗi {fault_code}"
        )
        self.fault_code = fault_code
        self.reason = reason
        self.fault_actor = actor
        self.subcodes = subcodes or []
        self.entries = entries or []

    def json(self) -> Json:
        """As it stands in answers and in the OpenAPI document."""
        found: Json = {"code": self.fault_code, "reason": self.reason}
        if self.subcodes:
            found["subcodes"] = self.subcodes
        if self.fault_actor:
            found["actor"] = self.fault_actor
        if self.entries:
            found["detail"] = self.entries
        return found


def read_fault(element: etree._Element, reader: Reader) -> ServiceFault:
    if split(element.tag)[0] == ENV12:
        return _read_12(element, reader)
    written = _text(element.find("faultcode"))
    return ServiceFault(
        written.rpartition(":")[2],
        _text(element.find("faultstring")),
        actor=_text(element.find("faultactor")),
        entries=_entries(element.find("detail"), reader),
    )


def _read_12(element: etree._Element, reader: Reader) -> ServiceFault:
    code = element.find(clark(ENV12, "Code"))
    value = code.find(clark(ENV12, "Value")) if code is not None else None
    subcodes, at = [], code
    while at is not None:
        at = at.find(clark(ENV12, "Subcode"))
        inner = at.find(clark(ENV12, "Value")) if at is not None else None
        if inner is not None:
            subcodes.append(_name(inner))
    plain = _text(value).rpartition(":")[2]
    return ServiceFault(
        _TO_11.get(plain, plain),
        _text(element.find(f"{clark(ENV12, 'Reason')}/{clark(ENV12, 'Text')}")),
        actor=_text(element.find(clark(ENV12, "Role")))
        or _text(element.find(clark(ENV12, "Node"))),
        subcodes=subcodes,
        entries=_entries(element.find(clark(ENV12, "Detail")), reader),
    )


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _name(element: etree._Element) -> str:
    try:
        return resolve(_text(element), element)
    except InvalidContract:
        return _text(element)


def _entries(detail: etree._Element | None, reader: Reader) -> list[object]:
    if detail is None:
        return []
    found: list[object] = [detail.text.strip()] if detail.text and detail.text.strip() else []
    return found + [_entry(child, reader) for child in detail]


def _entry(child: etree._Element, reader: Reader) -> Json:
    """Typed where the contract knows the element and the fault keeps to it; else as it is."""
    slot = reader.plan.top(child.tag)
    if slot is not None:
        try:
            value = reader.element(slot, child)
        except Mismatch:
            return generic.read_item(child)
        if isinstance(value, Raw):
            return {local(child.tag): value.value, "#lexical": {local(child.tag): value.lexical}}
        return {local(child.tag): value}
    return generic.read_item(child)


def write_fault(fault: ServiceFault, version: str, plan: Plan, known: dict[str, str]) -> bytes:
    """A whole envelope. `known`: local name of declared fault elements → Clark name."""
    writer = Writer(plan, Namespaces(plan.prefixes), withholds=True)
    entries = [_write_entry(each, writer, known) for each in fault.entries]
    detail = "".join(entries)
    used = "".join(
        f' xmlns:{p}="{n}"'
        for n, p in writer.namespaces.items()
        if f"{p}:" in detail and p != "xml"
    )
    body = _body_12(fault, detail) if version == "1.2" else _body_11(fault, detail)
    env = ENV12 if version == "1.2" else ENV11
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="{env}"{used}>'
        f"<soap:Body><soap:Fault>{body}</soap:Fault></soap:Body></soap:Envelope>"
    ).encode()


def _write_entry(entry: object, writer: Writer, known: dict[str, str]) -> str:
    writer.out = []
    if isinstance(entry, dict) and entry:
        key = next(k for k in entry if k != "#lexical")
        name = known.get(key, key)
        slot = writer.plan.top(name)
        if slot is not None:
            writer.element(slot, entry[key])
        else:
            generic.write(name, entry[key], writer.out, writer.namespaces)
    else:
        writer.out.append(element_text(str(entry)))
    return "".join(writer.out)


def _body_11(fault: ServiceFault, detail: str) -> str:
    code = (
        fault.fault_code
        if fault.fault_code in {*_TO_12, "VersionMismatch", "MustUnderstand"}
        else "Server"
    )
    actor = (
        f"<faultactor>{element_text(fault.fault_actor)}</faultactor>" if fault.fault_actor else ""
    )
    inner = f"<detail>{detail}</detail>" if detail else ""
    return (
        f"<faultcode>soap:{code}</faultcode><faultstring>{element_text(fault.reason)}</faultstring>"
        f"{actor}{inner}"
    )


def _body_12(fault: ServiceFault, detail: str) -> str:
    code = _TO_12.get(fault.fault_code, fault.fault_code)
    if code not in {
        "Sender",
        "Receiver",
        "VersionMismatch",
        "MustUnderstand",
        "DataEncodingUnknown",
    }:
        code = "Receiver"
    subcode = ""
    for index, each in enumerate(reversed(fault.subcodes)):
        namespace, plain = split(each)
        name = f"f{index}:{plain}" if namespace else plain
        declared = f' xmlns:f{index}="{namespace}"' if namespace else ""
        subcode = f"<soap:Subcode><soap:Value{declared}>{name}</soap:Value>{subcode}</soap:Subcode>"
    role = f"<soap:Role>{element_text(fault.fault_actor)}</soap:Role>" if fault.fault_actor else ""
    inner = f"<soap:Detail>{detail}</soap:Detail>" if detail else ""
    return (
        f"<soap:Code><soap:Value>soap:{code}</soap:Value>{subcode}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{element_text(fault.reason)}</soap:Text>'
        "</soap:Reason>"
        f"{role}{inner}"
    )
