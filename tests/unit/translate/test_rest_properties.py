"""For every operation of the OpenAPI vectors: JSON → SOAP → JSON is the same JSON, both ways."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.gateway.translate.rest import RestContract, RestOperation, compile_openapi, json_text
from bus.gateway.translate.rest.document import Described, Document
from tests.unit.translate.corpus import NAMES
from tests.unit.translate.corpus import contract as wsdl_contract
from tests.unit.translate.instances import message as wsdl_instances
from tests.unit.translate.json_instances import instances

ROOT = Path(__file__).parents[2] / "vectors" / "openapi"
VERSIONS = ("1.1", "1.2")


@cache
def contract(name: str) -> RestContract:
    return compile_openapi((ROOT / name).read_bytes())


@cache
def described(name: str) -> tuple[Document, dict[str, Described]]:
    document, found = Document((ROOT / name).read_bytes()), {}
    for each, item, data in document.operations():
        if not contract(name).operations[each.name].problems:
            document.read(each, item, data)
            found[each.name] = each
    return document, found


def exact(value: Any) -> Any:
    """Comparable as JSON compares: 1 and 1.0 are the same number, 1 and true are not the same."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value), value
    if isinstance(value, list):
        return [exact(each) for each in value]
    if isinstance(value, dict):
        return {key: exact(each) for key, each in value.items()}
    return Decimal(value) if isinstance(value, int) else Decimal(str(value))


def with_body() -> list[tuple[str, str]]:
    found = []
    for path in sorted(ROOT.glob("*.yaml")):
        for name, each in described(path.name)[1].items():
            if each.body is not None and "json" in each.body.media:
                found.append((path.name, name))
    return found


def with_reply() -> list[tuple[str, str]]:
    found = []
    for path in sorted(ROOT.glob("*.yaml")):
        for name, each in described(path.name)[1].items():
            if any(r.status == "200" and r.schema is not None for r in each.replies):
                found.append((path.name, name))
    return found


_SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("file", "name"), with_body())
@_SETTINGS
@given(data=st.data(), version=st.sampled_from(VERSIONS))
def test_a_request_arrives_as_it_was_meant(
    file: str, name: str, data: st.DataObject, version: str
) -> None:
    document, known = described(file)
    operation, body = contract(file).operations[name], known[name].body
    assert body is not None
    assert operation.body is not None
    meant = json_text.write(data.draw(instances(document, body.schema)))
    plan = arguments(operation, document, data)
    plan[operation.body.element] = operation.body.use.to_plan(json_text.read(meant))
    wire = operation.soap[version].request.to_xml(plan)
    call = operation.call_from_soap(wire.body, wire.content_type)
    assert call.body is not None
    assert exact(json_text.read(call.body)) == exact(json_text.read(meant))
    assert call.headers["Content-Type"] == body.media


def arguments(operation: RestOperation, document: Document, data: st.DataObject) -> dict[str, Any]:
    found = {}
    for each in operation.arguments:
        if each.parameter.required:
            strategy = instances(document, each.parameter.schema)
            value = data.draw(strategy.filter(lambda v: v not in {"", ".", ".."}))
            found[each.element] = each.use.to_plan(value)
    return found


@pytest.mark.parametrize(("file", "name"), with_reply())
@_SETTINGS
@given(data=st.data(), version=st.sampled_from(VERSIONS))
def test_an_answer_comes_back_as_it_was(
    file: str, name: str, data: st.DataObject, version: str
) -> None:
    document, known = described(file)
    operation = contract(file).operations[name]
    schema = next(r.schema for r in known[name].replies if r.status == "200")
    given_ = json_text.write(data.draw(instances(document, schema)))
    wire = operation.reply_to_soap(200, {"Content-Type": "application/json"}, given_, version)
    reply = operation.soap[version].reply.to_json(wire.body, wire.content_type)
    answer = next(each for each in operation.answers if each.status == "200")
    assert answer.result is not None
    back = json_text.read(json_text.write(answer.result.from_plan(reply["result"])))
    assert exact(back) == exact(json_text.read(given_))


@cache
def there_and_back(name: str) -> RestContract:
    return compile_openapi(json.dumps(wsdl_contract(name).openapi()).encode())


@pytest.mark.parametrize("name", [each for each in NAMES if each != "catalogue.wsdl"])
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_soap_service_as_json_is_served_as_soap_again(name: str, data: st.DataObject) -> None:
    """Every contract of the WSDL corpus, by its OpenAPI document alone: nothing is lost twice."""
    found = there_and_back(name)
    assert found.report()["ok"]
    assert found.report()["unjudged_because"] == ""
    known = {k: o for k, o in wsdl_contract(name).operations.items() if not o.problems}
    key = data.draw(st.sampled_from(sorted(known)))
    meant = json.dumps(data.draw(wsdl_instances(known[key].request))).encode()
    operation = found.operations[key]
    assert operation.body is not None
    plan = {"body": operation.body.use.to_plan(json_text.read(meant))}
    wire = operation.soap["1.1"].request.to_xml(plan)
    call = operation.call_from_soap(wire.body, wire.content_type)
    assert call.body is not None
    assert call.target == f"/{key}"
    assert exact(json_text.read(call.body)) == exact(json_text.read(meant))
