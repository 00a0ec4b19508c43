"""Contracts and messages as .NET, WebLogic and Axis make them; each failed here once."""

from __future__ import annotations

from typing import Any

import pytest

from bus.gateway.translate import Message
from tests.unit.translate.corpus import canonical, contract

ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>{}</soap:Body></soap:Envelope>'
)


def read_and_back(message: Message, body: str, *, same_xml: bool = True) -> Any:
    envelope = ENVELOPE.format(body).encode()
    value = message.to_json(envelope)
    wire = message.to_xml(value)
    assert message.to_json(wire.body, wire.content_type) == value
    if same_xml:
        assert canonical(wire.body).replace("\n<", "<") == canonical(envelope)
    return value


def test_a_dataset_of_dotnet_comes_with_its_schema_and_rows() -> None:
    body = """<GetResponse xmlns="http://dvc.gov.vn/"><GetResult>
      <xs:schema id="D" xmlns="" xmlns:xs="http://www.w3.org/2001/XMLSchema"
       xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"><xs:element name="D"
       msdata:IsDataSet="true"><xs:complexType><xs:sequence><xs:element name="Ten"
       type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:schema>
      <diffgr:diffgram xmlns:diffgr="urn:schemas-microsoft-com:xml-diffgram-v1"><D xmlns="">
      <Ten>Nguyễn A</Ten></D></diffgr:diffgram></GetResult>
      <xml><result xmlns=""><code>1</code> text </result></xml></GetResponse>"""
    lines = "".join(f"{line.strip()} " for line in body.splitlines()).replace("> <", "><").strip()
    value = read_and_back(contract("dotnet-dataset.wsdl").operations["Get"].reply, lines)
    schema, rows = value["GetResult"]["#any"]
    assert "{http://www.w3.org/2001/XMLSchema}schema" in schema
    assert rows["{urn:schemas-microsoft-com:xml-diffgram-v1}diffgram"] == {
        "#content": [{"D": {"#content": [{"Ten": "Nguyễn A"}]}}]
    }
    assert value["xml"]["#content"] == [{"result": {"#content": [{"code": "1"}, " text "]}}]


def test_attributes_of_a_namespace_of_their_own_are_declared() -> None:
    """WCF references objects by z:Id, of a namespace that no element is in."""
    wcf = contract("wcf/service.wsdl").services["DoanhNghiep"].ports["B1"].operations["Tim"]
    body = """<TimResponse xmlns="http://tempuri.org/"><TimResult
     xmlns:a="http://schemas.datacontract.org/2004/07/DKKD.Models"><a:Ds><a:DN z:Id="i1"
     xmlns:z="http://schemas.microsoft.com/2003/10/Serialization/"><a:Ten>A</a:Ten></a:DN>
     <a:DN xsi:nil="true"/></a:Ds></TimResult></TimResponse>""".replace("\n     <", "<")
    value = read_and_back(wcf.reply, body)
    assert value == {"TimResult": {"Ds": {"DN": [{"@Id": "i1", "Ten": "A"}, None]}}}


def test_an_axis_answer_in_multirefs_with_prefixes_of_their_own() -> None:
    body = """<n:guiResponse xmlns:n="http://localhost:8080/axis/services/HoSo">
      <gRet href="#id0"/></n:guiResponse>
      <multiRef id="id0" xsi:type="b:HoSo" xmlns:b="http://beans.hoso"
       xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/"><ma xsi:type="xsd:string">A</ma>
       <so href="#id1"/><tep xsi:type="enc:Array" enc:arrayType="b:Tep[2]"><tep href="#id2"/>
       <tep xsi:type="b:Tep" xsi:nil="true"/></tep><thuoc href="#id3"/>
       <ngay xsi:nil="true"/></multiRef>
      <multiRef id="id1" xsi:type="xsd:int">5</multiRef>
      <multiRef id="id2" xsi:type="c:Tep" xmlns:c="http://beans.hoso"><ten>t</ten><nd>QUJD</nd>
      </multiRef><multiRef id="id3" xsi:type="d:Map" xmlns:d="http://xml.apache.org/xml-soap">
       <item><key xsi:type="e:string" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/">k</key>
       <value xsi:type="xsd:int">3</value></item></multiRef>"""
    reply = contract("rpc-encoded-axis.wsdl").operations["gui"].reply
    assert read_and_back(reply, body, same_xml=False)["gRet"] == {
        "ma": {"#text": "A"},
        "so": {"#text": 5},
        "tep": {"item": [{"ten": "t", "nd": "QUJD"}, None]},
        "thuoc": {
            "item": [
                {"key": {"#type": "string", "#text": "k"}, "value": {"#type": "xs:int", "#text": 3}}
            ]
        },
        "ngay": None,
    }


@pytest.mark.parametrize(
    "name", ["dotnet-dataset.wsdl", "wcf/service.wsdl", "chameleon-no-namespace/s.wsdl"]
)
def test_libxml2_judges_it(name: str) -> None:
    assert contract(name).report()["judged_by"] == "libxml2"
