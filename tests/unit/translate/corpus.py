"""The corpus of WSDLs: each file with the documents it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from bus.gateway.translate import Contract, Message, Operation, compile_wsdl

ROOT = Path(__file__).parents[2] / "vectors" / "wsdl"
NAMES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.wsdl"))


def documents(name: str) -> dict[str, bytes]:
    folder = (ROOT / name).parent
    if folder == ROOT:
        return {name: (ROOT / name).read_bytes()}
    return {str(p.relative_to(ROOT)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@cache
def contract(name: str) -> Contract:
    return compile_wsdl(documents(name), name)


def operations(found: Contract) -> Iterator[Operation]:
    for service in found.services.values():
        for port in service.ports.values():
            yield from port.operations.values()


def messages(operation: Operation) -> list[Message]:
    return [operation.request] if operation.one_way else [operation.request, operation.reply]


def canonical(data: bytes | etree._Element) -> str:
    """C14N 2.0 as the mapping defines equality: prefixes rewritten, xsi:type by what it means."""
    return str(
        etree.canonicalize(
            etree.fromstring(data) if isinstance(data, bytes) else data,
            rewrite_prefixes=True,
            qname_aware_tags=["{urn:lgsp:corpus:qname}q"],
            qname_aware_attrs=["{http://www.w3.org/2001/XMLSchema-instance}type", "also"],
        )
    )
