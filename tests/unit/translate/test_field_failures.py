"""Failures that users of other buses reported (SOAP to REST), each as a test."""

from __future__ import annotations

import pytest
from lxml import etree

from bus.gateway.translate import ServiceFault, compile_wsdl
from schemas.errors import PartnerGarbage
from schemas.xml import parse
from tests.unit.translate.corpus import contract
from tests.unit.translate.small import service, wsdl


def test_conversion_happens_product_apim_5699() -> None:
    wire = (
        contract("sequence.wsdl")
        .operations["Put"]
        .request.to_xml({"item": {"a": "x", "b": 1, "c": "2026-01-31"}})
    )
    assert b":a>x</" in wire.body
    assert wire.content_type.startswith("text/xml")
    assert wire.headers["SOAPAction"] == '"urn:lgsp:corpus:sequence#Put"'


@pytest.mark.parametrize("name", ["empty-messages.wsdl", "one-way.wsdl", "circular/circular.wsdl"])
def test_valid_wsdls_are_not_rejected_product_apim_11534(name: str) -> None:
    assert contract(name).report()["ok"]


def test_what_is_missing_is_named_instead_of_a_null_pointer_product_apim_11534() -> None:
    schema = (
        '<xs:import namespace="urn:gone" schemaLocation="gone.xsd"/>'
        '<xs:element name="Ask" xmlns:g="urn:gone" type="g:Gone"/>'
    )
    found = compile_wsdl({"s.wsdl": wsdl(schema, "Ask")}, "s.wsdl")
    assert found.missing == {"gone.xsd": "s.wsdl"}
    row = found.report()["operations"][0]
    assert not row["supported"]
    assert "{urn:gone}Gone" in row["problems"][0]


def test_each_element_is_in_its_own_namespace_product_apim_4580() -> None:
    operation = contract("two-namespaces.wsdl").operations["Ask"]
    wire = operation.request.to_xml({"item": {"a": {"x": "1"}, "{urn:lgsp:corpus:other}a": 2}})
    spaces = [etree.QName(each).namespace for each in parse(wire.body).iter("{*}a")]
    assert spaces == ["urn:lgsp:corpus:two-namespaces", "urn:lgsp:corpus:other"]
    back = operation.request.to_json(wire.body)
    assert back == {"item": {"a": {"x": "1"}, "{urn:lgsp:corpus:other}a": 2}}


def test_no_element_of_a_base_goes_missing_api_manager_627() -> None:
    """Children were lost where the parent's type extends another."""
    schema = (
        '<xs:complexType name="Base"><xs:sequence><xs:element name="a" type="xs:string"/>'
        '<xs:element name="b" type="xs:int"/></xs:sequence></xs:complexType>'
        '<xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:sequence>'
        '<xs:element name="c" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent>'
        '</xs:complexType><xs:element name="Ask" type="t:More"/>'
    )
    wire = service(schema, "Ask").operations["Ask"].request.to_xml({"c": "3", "b": 2, "a": "1"})
    assert written(wire.body) == [("Ask/a", "1"), ("Ask/b", "2"), ("Ask/c", "3")]


def test_an_element_at_two_places_keeps_each_value_api_manager_627() -> None:
    """Values went to the wrong one of elements that have the same name at different paths."""
    person = '<xs:complexType><xs:sequence><xs:element name="name" type="xs:string"/>{more}'
    end = "</xs:sequence></xs:complexType>"
    inner = f'<xs:element name="other">{person.format(more="")}{end}</xs:element>'
    schema = f'<xs:element name="Ask">{person.format(more=inner)}{end}</xs:element>'
    operation = service(schema, "Ask").operations["Ask"]
    wire = operation.request.to_xml({"other": {"name": "trong"}, "name": "ngoài"})
    assert written(wire.body) == [("Ask/name", "ngoài"), ("Ask/other/name", "trong")]


def written(envelope: bytes) -> list[tuple[str, str]]:
    """Paths of the leaves in the body, without namespaces, and their texts."""
    body = parse(envelope).find("{*}Body")
    assert body is not None
    leaves = [each for each in body.iter("*") if len(each) == 0]
    return [(_path(leaf), leaf.text or "") for leaf in leaves]


def _path(leaf: etree._Element) -> str:
    above = [etree.QName(each).localname for each in leaf.iterancestors()]
    names = [*reversed(above), etree.QName(leaf).localname]
    return "/".join(names[2:])


def test_rpc_style_is_carried_api_manager_1879() -> None:
    wire = (
        contract("rpc-sequence.wsdl")
        .operations["Put"]
        .request.to_xml({"item": {"a": "x", "b": 1}, "note": "n"})
    )
    assert b"<note>n</note>" in wire.body


def test_unbounded_is_always_an_array_api_manager_1880() -> None:
    operation = contract("arrays.wsdl").operations["Put"]
    one = {"item": {"many": ["1"], "few": [1], "last": True}}
    wire = operation.request.to_xml(one)
    assert [name for name, _ in written(wire.body)].count("Put/item/many") == 1
    assert operation.request.to_json(wire.body) == one


def test_names_with_a_dash_keep_their_name_api_manager_2018() -> None:
    operation = contract("names-odd.wsdl").operations["Put"]
    properties = contract("names-odd.wsdl").openapi()["components"]["schemas"]["T"]["properties"]
    assert {"ho-va-ten", "ngay.sinh", "@ma-so"} <= set(properties)
    assert (
        "ho-va-ten"
        in operation.request.root.codec.slots[  # type: ignore[union-attr]
            "{urn:lgsp:corpus:names-odd}item"
        ].codec.by_key
    )


def test_a_long_attribute_passes_mi_3775() -> None:
    operation = contract("attributes.wsdl").operations["Put"]
    value = {"item": {"a": "x", "@id": 1, "@kind": "k" * 600_000}}
    assert operation.request.to_json(operation.request.to_xml(value).body) == value


def test_a_fault_keeps_the_partners_words_and_detail() -> None:
    operation = contract("faults.wsdl").operations["Ask"]
    fault = ServiceFault(
        "Server", "Hệ thống bận", entries=[{"Failure": {"code": 5, "advice": "x"}}]
    )
    for version in ("1.1", "1.2"):
        wire = operation.fault_to_xml(fault, version)
        with pytest.raises(ServiceFault) as caught:
            operation.reply.to_json(wire.body, wire.content_type)
        assert caught.value.json() == fault.json()


def test_mtom_goes_out_apart_and_comes_back_in_place() -> None:
    operation = contract("attachments-mtom.wsdl").operations["Upload"]
    value = {"item": {"name": "a.pdf", "file": "QUJD"}}
    wire = operation.request.to_xml(value)
    assert wire.content_type.startswith("multipart/related")
    assert b"\r\n\r\nABC\r\n" in wire.body
    assert operation.request.to_json(wire.body, wire.content_type) == value


def test_soap_attachments_go_with_the_message() -> None:
    operation = contract("attachments-swa.wsdl").operations["Upload"]
    attached = {"contentId": "f@x", "contentType": "application/pdf", "data": "QUJD"}
    value = {"name": "a", "size": 3, "#attachments": [attached]}
    wire = operation.request.to_xml(value)
    assert operation.request.to_json(wire.body, wire.content_type) == value


def test_encoded_references_are_put_in_place_and_bombs_refused() -> None:
    operation = contract("rpc-encoded.wsdl").operations["List"]
    reply = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>'
        '<q:ListResponse xmlns:q="urn:lgsp:corpus:rpc-encoded"><rows href="#1"/></q:ListResponse>'
        '<multiRef id="1">{}</multiRef><multiRef id="2"><a>x</a><n>5</n></multiRef>'
        "</e:Body></e:Envelope>"
    )
    read = operation.reply.to_json(reply.format('<item href="#2"/><item href="#2"/>').encode())
    assert read == {"rows": {"item": [{"a": "x", "n": 5}, {"a": "x", "n": 5}]}}
    with pytest.raises(PartnerGarbage, match="circle"):
        operation.reply.to_json(reply.format('<item href="#1"/>').encode())


def test_an_entity_bomb_is_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    with pytest.raises(PartnerGarbage):
        contract("sequence.wsdl").operations["Put"].reply.to_json(bomb)


def test_a_wsdl_in_another_encoding_and_with_a_plain_doctype_is_read() -> None:
    text = wsdl('<xs:element name="Ask" type="xs:string"/>', "Ask").decode()
    data = f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode("utf-16")
    assert compile_wsdl({"s.wsdl": data}, "s.wsdl").operations
    assert service('<xs:element name="Ask" type="xs:string"/>', "Ask").operations
