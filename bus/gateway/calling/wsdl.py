"""The contract of a service as its callers get it: the partner's own, with our address in it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from lxml import etree

from bus.gateway.calling.catalogue import Compiled
from bus.gateway.national import NationalContract
from bus.gateway.rest_service import RestService
from bus.gateway.translate.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD, clark, split
from bus.gateway.translate.sources import Sources
from schemas.errors import NotFound

_ADDRESSES = frozenset({clark(WSDL_SOAP11, "address"), clark(WSDL_SOAP12, "address")})
_IMPORT, _PORT = clark(WSDL, "import"), clark(WSDL, "port")
_REFERS = {clark(XSD, name) for name in ("import", "include", "redefine")}
_POLICIES = ("http://schemas.xmlsoap.org/ws/2004/09/policy", "http://www.w3.org/ns/ws-policy")


def published(compiled: Compiled, address: str, name: str = "") -> bytes:
    """One document, by the name under which another refers to it; without one, the main WSDL.

    All it refers to is to be had at `address`, too. What is between the partner and us (other
    protocols, its policies, its address) is left out. Raises NotFound.
    """
    if isinstance(compiled.contract, NationalContract):
        raise NotFound("this service has no WSDL", vi="Dịch vụ này không có WSDL")
    if isinstance(compiled.contract, RestService) and not name:
        return compiled.contract.rest.wsdl(address)
    sources = Sources(compiled.documents)
    name = name or compiled.main
    if name not in compiled.documents and name not in _shipped(compiled):
        raise NotFound(
            f"the contract has no document {name[:200]}", vi=f"Đặc tả không có tệp {name[:200]}"
        )
    root = sources.tree(name)
    for element in list(root.iter("*")):
        _rewrite(element, sources, name, address)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _rewrite(element: etree._Element, sources: Sources, base: str, address: str) -> None:
    tag = str(element.tag)
    if tag == _IMPORT:
        _point(element, "location", sources, base, address)
    elif tag in _REFERS:
        _point(element, "schemaLocation", sources, base, address)
    elif tag in _ADDRESSES:
        element.set("location", address)
    elif (tag == _PORT and not any(child.tag in _ADDRESSES for child in element)) or split(tag)[
        0
    ] in _POLICIES:
        _drop(element)


def _point(
    element: etree._Element, attribute: str, sources: Sources, base: str, address: str
) -> None:
    found = sources.find(base, element.get(attribute), element.get("namespace"))
    if found is not None:
        element.set(attribute, f"{address}?doc={quote(found, safe='')}")


def _drop(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _shipped(compiled: Compiled) -> frozenset[str]:
    """Documents of the offline catalogue that the contract needs, and what they need."""
    sources = Sources(compiled.documents)
    found: set[str] = set()
    waiting = [compiled.main, *compiled.documents]
    while waiting:
        name = waiting.pop()
        for other in _referred(sources, name):
            if other not in found and other not in compiled.documents:
                found.add(other)
                waiting.append(other)
    return frozenset(found)


def _referred(sources: Sources, name: str) -> Iterator[str]:
    for element in sources.tree(name).iter(*_REFERS, _IMPORT):
        location = element.get("schemaLocation") or element.get("location")
        other = sources.find(name, location, element.get("namespace"))
        if other is not None:
            yield other
