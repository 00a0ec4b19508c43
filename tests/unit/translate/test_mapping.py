"""The examples of deploy/docs/xml-json-mapping.md, executed both ways; errors on either side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bus.gateway.translate import Wire
from schemas.errors import ContractMismatch, PartnerGarbage
from tests.unit.translate.corpus import canonical
from tests.unit.translate.small import NAMESPACE, service

PAGE = Path(__file__).parents[3] / "deploy" / "docs" / "xml-json-mapping.md"
FORWARD = PAGE.read_text("utf-8").partition("\n## The way back")[0]
EXAMPLES = re.findall(r"```json\n(.*?)\n```\n```xml\n(.*?)\n```", FORWARD, re.DOTALL)
SCHEMA = """
<xs:element name="Ask"><xs:complexType><xs:sequence>
  <xs:element name="name" type="xs:string"/>
  <xs:element name="money" minOccurs="0"><xs:complexType><xs:simpleContent>
    <xs:extension base="xs:decimal"><xs:attribute name="currency" type="xs:string"/></xs:extension>
  </xs:simpleContent></xs:complexType></xs:element>
  <xs:element name="phone" type="xs:string" minOccurs="0" maxOccurs="5"/>
  <xs:element name="text" minOccurs="0"><xs:complexType mixed="true"><xs:sequence>
    <xs:element name="b" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name="count" type="xs:int" minOccurs="0"/>
  <xs:element name="big" type="xs:integer" minOccurs="0"/>
  <xs:element name="price" type="xs:decimal" minOccurs="0"/>
  <xs:element name="born" type="xs:date" minOccurs="0"/>
  <xs:element name="owner" type="t:Owner" minOccurs="0"/>
  <xs:element name="note" type="xs:string" nillable="true" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
<xs:complexType name="Owner"><xs:sequence><xs:element name="id" type="xs:string"/>
</xs:sequence></xs:complexType>
<xs:complexType name="Company"><xs:complexContent><xs:extension base="t:Owner"><xs:sequence>
  <xs:element name="taxCode" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent>
</xs:complexType>
"""
OPERATION = service(SCHEMA, "Ask").operations["Ask"]


def envelope(content: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="urn:t" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<s:Body>'
        f'<Ask xmlns="{NAMESPACE}">{content}</Ask></s:Body></s:Envelope>'
    ).encode()


def body(wire: Wire | bytes) -> str:
    data = wire.body if isinstance(wire, Wire) else wire
    return canonical(data).replace("\n<", "<")


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize(("written", "xml"), EXAMPLES)
def test_an_example_holds_both_ways(written: str, xml: str) -> None:
    value = json.loads(written)
    assert body(OPERATION.request.to_xml(written.encode())) == body(envelope(xml))
    assert OPERATION.request.to_json(envelope(xml)) == value


def test_the_third_null_state_passes_through_soap() -> None:
    value = {"name": {"#withheld": True}}
    wire = OPERATION.reply.to_xml(value)
    assert b'withheld="true"' in wire.body
    assert OPERATION.reply.to_json(wire.body, validate=False) == value
    with pytest.raises(ContractMismatch, match="only answers"):
        OPERATION.request.to_xml(value)


def test_a_json_error_has_path_rule_and_line_but_not_the_value() -> None:
    text = b'{\n  "name": "A",\n  "phone": [\n    "1",\n    "2"\n  ],\n  "count": "12x"\n}'
    with pytest.raises(ContractMismatch) as caught:
        OPERATION.request.to_xml(text)
    assert caught.value.context == {"path": "/count", "rule": "xs:int", "line": 7}
    assert "12x" not in str(caught.value)


def test_an_xml_error_has_path_rule_and_line_but_not_the_value() -> None:
    with pytest.raises(ContractMismatch) as caught:
        OPERATION.request.to_json(envelope("<name>A</name><count>12x</count>"))
    assert str(caught.value.context["path"]).endswith("/Ask/count")
    assert caught.value.context["line"] == 2
    assert "12x" not in str(caught.value)
    with pytest.raises(PartnerGarbage, match="against its contract"):
        OPERATION.reply.to_json(envelope("<name>A</name><count>12x</count>"))


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        ({}, "/name", "minOccurs"),
        ({"name": 5}, "/name", "xs:string"),
        ({"name": None}, "/name", "nillable"),
        ({"name": {}}, "/name/#text", "minOccurs"),
        ({"name": {"#type": None, "#text": "A"}}, "/name/#type", "xsi:type"),
        ({"name": "A", "count": 7.5}, "/count", "xs:int"),
        ({"name": "A", "phone": "1"}, "/phone", "array"),
        ({"name": "A", "phone": ["1"] * 6}, "/phone", "maxOccurs"),
        ({"name": "A", "phone": ["1", None]}, "/phone/1", "nillable"),
        ({"name": "A", "unknown": 1}, "/unknown", "additionalProperties"),
        ({"name": "A", "price": 0.1}, "/price", "xs:decimal"),
        ({"name": "A", "count": 2**31}, "/count", "xs:int"),
        ({"name": "A\0"}, "/name", "xml"),
        ({"name": "A", "owner": {"#type": "Nobody", "id": "1"}}, "/owner/#type", "xsi:type"),
        (
            {"name": "A", "owner": {"id": "1", "taxCode": "2"}},
            "/owner/taxCode",
            "additionalProperties",
        ),
    ],
)
def test_json_against_the_contract_is_refused(value: object, path: str, rule: str) -> None:
    with pytest.raises(ContractMismatch) as caught:
        OPERATION.request.to_xml(json.dumps(value).encode())
    assert (caught.value.context["path"], caught.value.context["rule"]) == (path, rule)


def test_a_changed_value_wins_over_its_old_text() -> None:
    wire = OPERATION.request.to_xml({"name": "A", "count": 8, "#lexical": {"count": "007"}})
    assert b">8<" in wire.body


def test_a_no_break_space_is_part_of_an_item() -> None:
    """XML Schema knows four blanks only; Vietnamese word processors write this one in names."""
    schema = (
        '<xs:simpleType name="Names"><xs:list itemType="xs:token"/></xs:simpleType>'
        '<xs:simpleType name="One"><xs:restriction base="xs:token">'
        '<xs:enumeration value="Sơn\u00a0 Bình"/></xs:restriction></xs:simpleType>'
        '<xs:element name="Ask"><xs:complexType><xs:sequence>'
        '<xs:element name="names" type="t:Names"/><xs:element name="one" type="t:One"/>'
        "</xs:sequence></xs:complexType></xs:element>"
    )
    request = service(schema, "Ask").operations["Ask"].request
    said = {"names": ["Sơn\u00a0Bình", "Nậm\u00a0Khao"], "one": "Sơn\u00a0 Bình"}
    assert request.to_json(request.to_xml(said).body) == said
