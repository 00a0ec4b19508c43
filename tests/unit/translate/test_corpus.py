"""Every WSDL of the corpus: compiled, described, called, and back without a difference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from bus.gateway.translate.examples import example
from schemas.errors import ContractMismatch
from tests.unit.translate.corpus import NAMES, canonical, contract, messages, operations


def test_the_corpus_is_large_enough() -> None:
    count = sum(len(list(operations(contract(name)))) for name in NAMES)
    assert len(NAMES) >= 60
    assert count >= 300


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_and_libxml2_judges(name: str) -> None:
    report = contract(name).report()
    assert report["ok"], report
    if "redefine" not in name:  # libxml2's copies of redefined documents: our own checks judge
        assert report["judged_by"] == "libxml2", report["unjudged_because"]


@pytest.mark.parametrize("name", NAMES)
def test_openapi_is_valid(name: str) -> None:
    document = contract(name).openapi(base_path="/services/x")
    validate(document)
    assert json.loads(json.dumps(document)) == document
    assert len(document["paths"]) == len(contract(name).operations)


@pytest.mark.parametrize("name", NAMES)
def test_json_to_xml_to_json_and_xml_to_json_to_xml(name: str) -> None:
    for operation in operations(contract(name)):
        for message in messages(operation):
            value: dict[str, Any] = example(message)
            wire = message.to_xml(value)
            again = message.to_json(wire.body, wire.content_type)
            assert again == value, operation.name
            if not wire.content_type.startswith("multipart"):
                back = message.to_xml(json.dumps(again).encode())
                assert canonical(back.body) == canonical(wire.body)


def test_null_for_an_abstract_type_is_refused_not_written() -> None:
    """The schema refuses xsi:nil where no concrete type is named (cvc-type 2)."""
    put = contract("rpc-abstract.wsdl").operations["Put"]
    with pytest.raises(ContractMismatch, match="abstract"):
        put.request.to_xml({"item": None, "note": "x"})
