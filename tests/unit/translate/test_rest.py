"""A JSON service served as SOAP: what goes over HTTP, what comes back, what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import xmlschema
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openapi_spec_validator import validate

from bus.gateway.translate import ServiceFault
from bus.gateway.translate.rest import HttpCall, RestOperation, compile_openapi
from bus.gateway.translate.rest.names import json_name, xml_name
from bus.gateway.translate.rest.patterns import xsd_pattern
from schemas.errors import ContractMismatch, InvalidContract, PartnerGarbage
from schemas.service import SoapNames
from tests.unit.translate.test_rest_properties import ROOT, contract

JSON = {"Content-Type": "application/json; charset=utf-8"}
FILES = sorted(path.name for path in ROOT.glob("*.yaml"))
XSD = "{http://www.w3.org/2001/XMLSchema}schema"


def operation(file: str, name: str) -> RestOperation:
    return contract(file).operations[name]


def called(file: str, name: str, plan: dict[str, Any]) -> HttpCall:
    """Through the envelope, as a client's request comes."""
    found = operation(file, name)
    wire = found.soap["1.2"].request.to_xml(plan)
    return found.call_from_soap(wire.body, wire.content_type)


def fault_of(found: RestOperation, status: int, headers: dict[str, str], body: bytes) -> Any:
    """As a client reads it from the envelope."""
    wire = found.reply_to_soap(status, headers, body)
    with pytest.raises(ServiceFault) as caught:
        found.soap["1.1"].reply.to_json(wire.body, wire.content_type)
    return caught.value


# --- documents ---


@pytest.mark.parametrize("file", [name for name in FILES if name != "outside.yaml"])
def test_the_vectors_are_openapi(file: str) -> None:
    validate(yaml.safe_load((ROOT / file).read_bytes()))


@pytest.mark.parametrize("file", FILES)
def test_two_validators_compile_the_generated_schema(file: str) -> None:
    assert contract(file).contract is not None
    root = etree.fromstring(contract(file).wsdl("http://127.0.0.1/service?a=1&b=2"))
    schema = root.find(f".//{XSD}")
    assert schema is not None
    etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
    xmlschema.XMLSchema(etree.tostring(schema).decode())
    assert "http://127.0.0.1/service?a=1&b=2" in {
        e.get("location") for e in root.iter("{*}address")
    }


def test_json_and_yaml_say_the_same() -> None:
    data = (ROOT / "one-of.yaml").read_bytes()
    as_json = json.dumps(yaml.safe_load(data)).encode()
    assert compile_openapi(as_json).wsdl("urn:x") == contract("one-of.yaml").wsdl("urn:x")


def test_the_namespace_is_the_title_without_marks_or_the_one_given() -> None:
    assert contract("business-registration.yaml").namespace == (
        "urn:lgsp:openapi:tra-cuu-dang-ky-kinh-doanh"
    )
    found = compile_openapi(
        (ROOT / "maps.yaml").read_bytes(), names=SoapNames(namespace="http://x/1?a=1&b=2")
    )
    assert found.contract is not None
    assert found.contract.namespace == "http://x/1?a=1&b=2"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"openapi: 2.0",
        b"a: &a [*a",
        b"swagger: '2.0'",
        b"\xff\xfe\x00",
        b"x: !!python/object:os.system 1",
    ],
)
def test_what_is_no_openapi_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidContract):
        compile_openapi(data)


def test_aliases_that_multiply_are_refused() -> None:
    rows = ["a0: &a0 {type: string}"]
    for n in range(1, 9):
        members = ", ".join(f"p{i}: *a{n - 1}" for i in range(9))
        rows.append(f"a{n}: &a{n} {{type: object, properties: {{{members}}}}}")
    text = """openapi: 3.1.0
info: {title: t, version: '1'}
paths:
  /x:
    get:
      responses: {'200': {description: d, content: {application/json: {schema: *a8}}}}
"""
    head, paths = text.split("paths:")
    document = f"{head}{chr(10).join(rows)}\npaths:{paths}"
    found = compile_openapi(document.encode())
    assert "too many schemas" in found.operations["getX"].problems[0]


def test_what_cannot_be_served_is_named_and_the_rest_is_served() -> None:
    report = contract("outside.yaml").report()
    rows = {row["operation"]: row for row in report["operations"]}
    assert not report["ok"]
    assert rows["good"]["supported"]
    assert "{id}" in rows["undescribed"]["problems"][0]
    assert "common.yaml#/Person is outside the document" in rows["far"]["problems"][0]
    assert "contains itself by allOf" in rows["loop"]["problems"][0]
    assert contract("outside.yaml").contract is not None
    assert set(contract("outside.yaml").contract.operations) == {"good"}  # type: ignore[union-attr]


def test_rules_that_xsd_cannot_state_are_notes_and_lose_nothing() -> None:
    assert contract("formats.yaml").notes == ["Formats_odd: pattern"]
    assert contract("formats.yaml").report()["ok"]
    lost = operation("parameters.yaml", "sendNested").lost
    assert lost == ["parameter filter: nested values have no form in a URL"]
    assert not contract("parameters.yaml").report()["ok"]
    assert "multipart/form-data" in operation("statuses.yaml", "upload").problems[0]


def test_a_facet_that_is_none_in_xsd_is_a_note() -> None:
    schema = "{type: integer, minimum: 7, maximum: 3}"
    found = compile_openapi(_asking(schema).encode())
    assert found.contract is not None
    assert found.contract.unjudged == ""
    assert found.notes == ["getX_result: facets"]


def _asking(schema: str, components: str = "{}") -> str:
    return f"""
openapi: 3.1.0
info: {{title: t, version: '1'}}
paths:
  /x:
    get:
      responses:
        '200': {{description: d, content: {{application/json: {{schema: {schema}}}}}}}
components: {components}
"""


def test_large_counts_stay_unsaid_and_a_wrong_keyword_says_nothing() -> None:
    schema = "{type: array, maxItems: 1000000, items: {type: string, required: true, enum: a}}"
    found = compile_openapi(_asking(schema).encode())
    assert found.notes == ["getX_result: minItems, maxItems"]
    assert found.operations["getX"].reply(200, JSON, b'["b"]') == {"result": {"item": ["b"]}}


def test_what_a_failed_operation_began_leaves_no_trace() -> None:
    components = "{schemas: {A: {type: object, properties: {b: {$ref: 'else.yaml'}}}}}"
    text = _asking("{$ref: '#/components/schemas/A'}", components)
    good = "  /y: {get: {responses: {'200': {description: d, content: {application/json: S}}}}}\n"
    schema = "{schema: {title: A, type: object, properties: {c: {type: string, minLength: 1}}}}"
    text = text.replace("components:", good.replace("S", schema) + "components:")
    found = compile_openapi(text.encode())
    assert "else.yaml" in found.operations["getX"].problems[0]
    assert found.contract is not None
    assert set(found.contract.operations) == {"getY"}
    assert b'"A' not in found.wsdl("urn:x")


ALTERNATIVES = """
  schemas:
    Expression: {oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}
    Left: {anyOf: [{$ref: '#/components/schemas/Expression'}, {type: integer}]}
    A: {type: object, required: [left], properties: {left: {$ref: '#/components/schemas/Left'}, X}}
    B: {type: object, required: [left], properties: {left: {$ref: '#/components/schemas/Left'}, Y}}
"""


def nested(depth: int, leaf: str) -> bytes:
    return b'{"left":' * depth + leaf.encode() + b',"op":"b"}' * depth


def test_alternatives_in_alternatives_do_not_multiply() -> None:
    told_apart = ALTERNATIVES.replace("X", "op: {const: a}").replace("Y", "op: {const: b}")
    text = _asking("{$ref: '#/components/schemas/Expression'}", told_apart)
    found = compile_openapi(text.encode()).operations["getX"]
    assert found.reply(200, JSON, nested(40, "1"))["result"].keys() == {"B"}
    alike = ALTERNATIVES.replace("X", "x: {type: string}").replace("Y", "y: {type: string}")
    text = _asking("{$ref: '#/components/schemas/Expression'}", alike)
    found = compile_openapi(text.encode()).operations["getX"]
    assert found.reply(200, JSON, nested(40, "1"))["result"].keys() == {"A"}
    with pytest.raises(PartnerGarbage):  # both would do at every level above the wrong value
        found.reply(200, JSON, nested(40, '"x"'))


def test_parameters_and_paths_that_lead_nowhere_are_named() -> None:
    found = compile_openapi(b"""
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  x-extension: {get: {responses: {}}}
  /far: {$ref: 'paths.yaml#/far'}
  /x:
    parameters: [{name: a, in: path, required: true, schema: {type: string}}]
    get: {operationId: lost, responses: {'204': {description: d}}}
  /y:
    post:
      operationId: old
      parameters: [{name: b, in: body, schema: {type: object}}]
      responses: {'204': {description: d}, x-note: {description: d}}
""")
    problems = {name: each.problems for name, each in found.operations.items()}
    assert problems.keys() == {"anyFar", "lost", "old"}
    assert "paths.yaml#/far is outside" in problems["anyFar"][0]
    assert problems["lost"] == ["parameter a is not in the path"]
    assert problems["old"] == ["parameter b is in body: there is no such"]
    assert found.contract is None
    with pytest.raises(InvalidContract, match="no operation can be served"):
        found.wsdl("urn:x")


# --- names and patterns ---


@given(st.text(max_size=12) | st.text("_x0041", max_size=12))
def test_every_name_has_one_xml_name_and_comes_back(name: str) -> None:
    written = xml_name(name)
    assert json_name(written) == name
    etree.fromstring(f"<{written}/>")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (r"^[0-9]{12}$", "[0-9]{12}"),
        (r"^\d{10}(-\d{3})?$", "[0-9]{10}(-[0-9]{3})?"),
        (r"^(?:a|b)+$", "(a|b)+"),
        (r"^[\w.-]+@x\.vn$", r"[A-Za-z0-9_.\-]+@x\.vn"),
        (r"^a|b$", None),
        (r"^(?=a).*$", None),
        (r"[0-9]", None),
        (r"^a\bc$", None),
        (r"^a+?$", None),
        (r"^a\$", None),
    ],
)
def test_a_pattern_is_stated_only_where_it_means_the_same(written: str, expected: str) -> None:
    assert xsd_pattern(written) == expected


# --- requests ---


def test_parameters_of_every_style() -> None:
    plan = {
        "plain": "a/b?c#d é%",
        "list": {"item": [1, 2]},
        "label": {"item": ["x", "y z"]},
        "matrix": "m;n",
        "exploded": {"item": ["1&2", "3"]},
        "joined": {"item": ["a,b", "c"]},
        "spaced": {"item": ["a", "b"]},
        "piped": {"item": ["a", "b"]},
        "deep": {"from": "2026-01-01", "to": "2026-01-31"},
        "spread": {"entry": [{"key": "k 1", "value": "v=1"}]},
        "json": {"a": {"item": ["0.10"]}},
        "reserved": "a/b:c&d=e",
        "amount": "12000.50",
        "either": {"array": {"item": ["a", "b"]}},
        "flag": True,
        "X-Purpose": "tra cuu",
        "X-Ids": {"item": [7, 8]},
        "session": "s 1",
    }
    call = called("parameters.yaml", "sendParameters", plan)
    assert call.method == "GET"
    assert call.target.split("?") == [
        "/simple/a%2Fb%3Fc%23d%20%C3%A9%25/1,2/x.x.y%20z/y;matrix=m%3Bn",
        (
            "exploded=1%262&exploded=3&joined=a%2Cb,c&spaced=a%20b&piped=a%7Cb"
            "&deep%5Bfrom%5D=2026-01-01&deep%5Bto%5D=2026-01-31&k%201=v%3D1"
            "&json=%7B%22a%22%3A%5B0.10%5D%7D&reserved=a/b:c%26d%3De&amount=12000.50&either=a&either=b&flag=true"
        ),
    ]
    assert call.headers == {
        "Accept": "application/json, application/problem+json",
        "X-Purpose": "tra cuu",
        "X-Ids": "7,8",
        "Cookie": "session=s%201",
    }
    assert call.body is None


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_a_value_that_leads_to_another_path_is_refused(value: str) -> None:
    with pytest.raises(ContractMismatch) as caught:
        operation("statuses.yaml", "deletePaper").call({"id": value})
    assert caught.value.context == {"path": "/id", "rule": "path", "line": 0}


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "Nguyễn", " a"])
def test_a_value_that_no_header_can_hold_is_refused_without_being_told(value: str) -> None:
    plan = {"plain": "a", "list": {"item": [1]}, "label": {"item": ["b"]}, "matrix": "m"}
    with pytest.raises(ContractMismatch) as caught:
        operation("parameters.yaml", "sendParameters").call({**plan, "X-Purpose": value})
    assert caught.value.context["path"] == "/X-Purpose"
    assert "Nguyễn" not in str(caught.value)


def test_json_of_the_request_message_is_judged_like_an_envelope() -> None:
    found = operation("business-registration.yaml", "GetEnterprise")
    call = found.call_from_json(b'{"gdtCode": "0100109106"}')
    assert call.target == "/GetEnterprise?gdtCode=0100109106"
    with pytest.raises(ContractMismatch) as caught:
        found.call_from_json(b'{"gdtCode": ["0100109106"]}')
    assert caught.value.context["path"] == "/gdtCode"


def test_two_parameters_of_one_name_are_two_elements() -> None:
    plan = {"the_x0020_id": "in path", "the_x0020_id2": "in query", "body": "q", "body2": {}}
    call = called("names.yaml", "put_x0020_names", plan)
    assert (call.target, call.body) == ("/names/in%20path?the%20id=in%20query&body=q", b"{}")


def test_a_form_and_bytes_are_sent_as_what_they_are() -> None:
    plan = {"body": {"grant_type": "a&b", "scope": {"item": ["x y", "z"]}}}
    call = called("statuses.yaml", "sendForm", plan)
    assert call.body == b"grant_type=a%26b&scope=x%20y&scope=z"
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    call = called("statuses.yaml", "putPaper", {"id": "1", "body": "AQID"})
    assert (call.body, call.headers["Content-Type"]) == (
        b"\x01\x02\x03",
        "application/octet-stream",
    )


def test_what_two_entries_say_of_one_member_is_refused() -> None:
    entry = {"key": "a", "value": 1}
    with pytest.raises(ContractMismatch, match="comes twice"):
        called("maps.yaml", "sendMaps", {"body": {"counts": {"entry": [entry, entry]}}})
    hidden = {"entry": [{"key": "counts", "value": {"number": "1"}}]}
    with pytest.raises(ContractMismatch, match="element of its own"):
        called("maps.yaml", "sendMaps", {"body": hidden})


# --- answers ---


def test_business_registration_answers_in_200_whatever_the_outcome() -> None:
    found = operation("business-registration.yaml", "GetEnterprise")
    assert found.reply(200, JSON, b'{"Status": "0", "Message": null}') == {
        "result": {"Status": "0", "Message": None}
    }
    body = b'{"Status":"1","Message":"","Data":{"GDT_CODE":"1","NAME":"A","CAPITAL_AMOUNT":1e9}}'
    data = found.reply(200, JSON, body)["result"]["Data"]
    assert data == {"GDT_CODE": "1", "NAME": "A", "CAPITAL_AMOUNT": "1000000000"}


def test_the_alternative_is_the_tagged_one_or_the_one_that_fits_best() -> None:
    def told(value: dict[str, Any]) -> Any:
        body = operation("one-of.yaml", "sendThing").body
        assert body is not None
        return body.use.to_plan(value)

    company = {"kind": "company", "name": "A"}
    assert told({"party": company}) == {"party": {"Company": company}}
    assert told({"party": {"kind": "?", "taxCode": "1"}})["party"].keys() == {"Company"}
    assert told({"when": "2026-01-31"}) == {"when": {"date": "2026-01-31"}}
    assert told({"when": "2026-01-31T08:00:00Z"})["when"].keys() == {"dateTime"}
    assert told({"when": "tomorrow"}) == {"when": {"string": "tomorrow"}}
    assert told({"value": True}) == {"value": {"boolean": True}}
    assert told({"maybe": None}) == {"maybe": None}
    assert told({"shape": {"width": 1, "height": Decimal("2.50")}})["shape"].keys() == {"Box"}
    assert told({"contact": {"mail": "a"}}) == {"contact": {"mail": "a"}}
    assert told({"based": {"id": "1", "right": 2}})["based"].keys() == {"Right"}


def test_heirs_of_a_base_are_typed_and_unknown_ones_keep_their_members() -> None:
    body = operation("polymorphism.yaml", "adopt").body
    assert body is not None
    pets = [
        {"petType": "cat", "huntingSkill": "lazy"},
        {"petType": "Dog", "packSize": 3},
        {"petType": "bird", "wings": 2},
    ]
    cat, dog, bird = body.use.to_plan({"pets": pets})["pets"]["item"]
    assert cat == {"Cat": pets[0]}
    assert dog == {"Dog": {"petType": "Dog", "packSize": "3"}}
    assert bird == {
        "Pet": {"petType": "bird", "entry": [{"key": "wings", "value": {"number": "2"}}]}
    }


def test_statuses_headers_and_other_media() -> None:
    put, get = operation("statuses.yaml", "putPaper"), operation("statuses.yaml", "getPaper")
    assert put.reply(201, {**JSON, "location": "/papers/1", "X-Left": "7"}, b'{"id":"1"}') == {
        "status": 201,
        "status201": {"Location": "/papers/1", "X-Left": "7", "result": {"id": "1"}},
    }
    assert put.reply(204, {}, b"") == {"status": 204}
    with pytest.raises(ServiceFault):  # which of those described it is, nobody knows
        put.reply(206, {}, b"")
    assert get.reply(200, {"Content-Type": "application/pdf"}, b"%PDF") == {
        "contentType": "application/pdf",
        "content": "JVBERg==",
    }


def test_errors_are_faults_with_the_status_and_the_services_own_words() -> None:
    get = operation("statuses.yaml", "getPaper")
    body = '{"title": "Không có", "status": 404, "trace": 0.10}'.encode()
    fault = fault_of(get, 404, {"Content-Type": "application/problem+json"}, body)
    assert (fault.fault_code, fault.reason) == ("Client", "Không có")
    (entry,) = fault.entries
    assert entry["ProblemFault"] == {
        "status": 404,
        "result": {
            "title": "Không có",
            "status": 404,
            "entry": [{"key": "trace", "value": {"number": "0.10"}}],
        },
    }
    fault = fault_of(get, 409, JSON, b'{"code": 7}')
    assert fault.entries == [{"GetPaper_4XXFault": {"status": 409, "result": {"code": 7}}}]
    fault = fault_of(get, 503, JSON, b"[]")
    assert fault.fault_code == "Server"
    assert fault.entries[0]["HttpFault"]["json"] == {"array": {}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>", {"text": "<html>"}),
        (b'{"a": "\\u0000"}', {"text": '{"a": "\\u0000"}'}),
        (b"\xff\x00", {"content": "/wA="}),
        (b"null", {"json": None}),
        (b"[" * 500 + b"]" * 500, {"text": "[" * 500 + "]" * 500}),
        (b"", {}),
    ],
)
def test_an_error_page_that_nobody_described_is_kept(body: bytes, expected: dict[str, Any]) -> None:
    fault = fault_of(operation("statuses.yaml", "deletePaper"), 502, {}, body)
    assert fault.entries == [{"HttpFault": {"status": 502, **expected}}]
    assert fault.reason == "HTTP 502"


@pytest.mark.parametrize(
    ("body", "path", "rule"),
    [
        (b"{", "/", "json"),
        (b"[]", "/", "type"),
        (b'{"price": "1"}', "/price", "type"),
        (b'{"price": 1e999999999}', "/price", "number"),
        (b'{"price": NaN}', "/", "json"),
        (b'{"small": 6}', "/small", "maxInclusive"),
        (b'{"small": 1.5}', "/small", "type"),
        (b'{"long": 9223372036854775808}', "/long", "xs:long"),
        (b'{"price": null}', "/price", "nullable"),
        (b'{"secret": 1}', "/secret", "additionalProperties"),
        (b"[" * 100_000, "/", "json"),
    ],
)
def test_an_answer_against_its_description_is_the_partners_fault(
    body: bytes, path: str, rule: str
) -> None:
    with pytest.raises(PartnerGarbage) as caught:
        operation("numbers.yaml", "sendNumbers").reply_to_soap(200, JSON, body)
    assert (caught.value.context["path"], caught.value.context["rule"]) == (path, rule)


def test_a_character_that_xml_has_not_is_refused_by_name() -> None:
    with pytest.raises(PartnerGarbage, match=r"\[xml\]"):
        operation("outside.yaml", "good").reply_to_soap(200, JSON, b'"\\u0000"')


def test_what_is_withheld_passes() -> None:
    found = operation("business-registration.yaml", "GetEnterprise")
    body = b'{"Status": "1", "Message": {"#withheld": true}}'
    wire = found.reply_to_soap(200, JSON, body)
    assert b'withheld="true"' in wire.body
