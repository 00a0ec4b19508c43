"""zeep is the oracle: what it puts on the wire for the same values is what we put there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from bus.gateway.translate.examples import example
from tests.unit.translate.corpus import NAMES, ROOT, canonical, contract

# What zeep 4.3.3 itself gets wrong or cannot say; each was looked at.
ZEEP_CANNOT = {
    "any-type": "drops what an anyType holds",
    "mixed": "drops text between elements",
    "mixed-choice": "drops text between elements",
    "any": "wants element objects for wildcards",
    "any-skip": "wants element objects for wildcards",
    "any-strict": "wants element objects for wildcards",
    "any-local": "wants element objects for wildcards",
    "qname": "writes QNames without declaring their prefix",
    "catalogue": "fetches imported schemas",
    "attachments-mtom": "fetches imported schemas",
    "attachments-swa": "has no SOAP with Attachments",
    "redefine/redefine": "has no redefine",
    "rpc-encoded": "fetches the encoding's schema",
    "rpc-encoded-struct": "fetches the encoding's schema",
    "abstract": "cannot take xsi:type from plain values",
    "attributes": "adds attributes that have a default",
    "rpc-attributes": "adds attributes that have a default",
    "dates": "writes --01 (gMonth) as --1",
    "rpc-dates": "writes --01 (gMonth) as --1",
    "empty-messages": "refuses to write an empty element it has read",
    "empty-types": "refuses to write an empty element it has read",
    "rpc-empty-types": "refuses to write an empty element it has read",
    "lists": "breaks on lists of names",
    "names-python": "breaks on an element called self",
    "rpc-names-python": "breaks on an element called self",
    "substitution": "has no substitution groups",
    "chameleon-no-namespace/s": "has no substitution groups",
    "dotnet-dataset": "fetches the encoding's schema",
    "rpc-encoded-axis": "fetches the encoding's schema",
    "wcf/service": "drops an empty anyType in an array",
    "rpc-abstract": "cannot take xsi:type from plain values",
}


@pytest.mark.parametrize("name", [n for n in NAMES if n.removesuffix(".wsdl") not in ZEEP_CANNOT])
def test_zeep_reads_our_request_and_writes_the_same(name: str) -> None:
    client = zeep.Client(  # type: ignore[no-untyped-call]
        str(ROOT / name),
        transport=_Offline(),  # type: ignore[no-untyped-call]
    )
    for service in client.wsdl.services.values():
        for port in service.ports.values():
            ours = contract(name).services[service.name].ports[port.name]
            for key, theirs in port.binding._operations.items():
                wire = ours.operations[key].request.to_xml(example(ours.operations[key].request))
                _compare(client, theirs, wire.body)


def _compare(client: Any, theirs: Any, envelope: bytes) -> None:
    body = etree.fromstring(envelope).find("{*}Body")
    assert body is not None
    if len(body) == 0:
        return
    parsed = theirs.input.body.parse(body[0], client.wsdl.types)
    rendered = etree.Element("parent")
    theirs.input.body.render(rendered, parsed)
    assert canonical(_alone(rendered[0])) == canonical(_alone(body[0]))


def _alone(element: etree._Element) -> bytes:
    return etree.tostring(element, encoding="utf-8")


class _Offline(zeep.Transport):
    def load(self, url: str) -> bytes:
        return Path(url).read_bytes()
