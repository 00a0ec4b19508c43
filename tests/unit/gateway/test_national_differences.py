"""`lgsp service diff` of national services compares the JSON Schemas that callers know."""

from __future__ import annotations

import copy

import yaml

from bus.gateway.national import NationalCall, NationalContract, compile_contract
from bus.gateway.translate.differences import Difference, differences

MAIN = "population.national.yaml"
OPTIONS = {"service": "population", "service_code": "037", "integration_code": "1"}


def contract() -> NationalContract:
    found = compile_contract({MAIN: yaml.safe_dump(OPTIONS).encode()}, MAIN)
    assert isinstance(found, NationalContract)
    return found


def test_nothing_differs_from_itself() -> None:
    assert differences(contract(), contract()) == []


def test_a_member_that_is_gone_or_newly_demanded_breaks_callers() -> None:
    old, new = contract(), contract()
    name, operation = next(iter(new.operations.items()))
    assert isinstance(operation, NationalCall)
    question, answer = copy.deepcopy(operation.schemas)
    question["properties"]["extra"] = {"type": "string"}
    question["required"] = [*question.get("required", ()), "extra"]
    gone = next(iter(answer["properties"]))
    del answer["properties"][gone]
    operation.schemas = (question, answer)
    found = differences(old, new)
    added = Difference(name, "request", "extra", "", "required type string", breaks=True)
    assert added in found
    assert any(e.side == "reply" and e.path == gone and not e.new and e.breaks for e in found)


def test_an_operation_that_is_gone_breaks_callers() -> None:
    new = contract()
    name = next(iter(new.operations))
    del new.operations[name]
    assert differences(contract(), new) == [Difference(name, "", "", "operation", "", breaks=True)]
