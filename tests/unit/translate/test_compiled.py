"""The code made for sequences says what the long way says: the same value, text and error."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from bus.gateway.translate import Contract, Message, compile_wsdl
from bus.gateway.translate.examples import example
from bus.gateway.translate.plan import ComplexCodec, reachable
from schemas.errors import LgspError
from tests.unit.translate.corpus import NAMES, canonical, contract, documents, messages, operations
from tests.unit.translate.small import service

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
ODD: list[Any] = [
    None, "", " 1 ", "007", "a<b&c>", "\0", "a\r\n b", 5, -1, 2**63, 1.5, True, [], ["x", None], {},
    {"#text": "x"}, {"#nil": True}, {"#type": "T"}, {"#withheld": True}, "2026-01-31", "12.50",
]  # fmt: skip


def without_compiled(name: str) -> Contract:
    found = compile_wsdl(documents(name), name)
    for operation in operations(found):
        for message in messages(operation):
            tops = [message.wrapper, *message.body, *(s for s, _ in message.headers.values())]
            for slot in reachable(message.plan, [slot for slot in tops if slot is not None]):
                codecs = [
                    message.plan.codec(t) for t in message.plan.derived_from(slot.element.type)
                ]
                for codec in [slot.codec, *codecs]:
                    if isinstance(codec, ComplexCodec):
                        codec.sequence = False
    return found


def outcome(message: Message, value: Any) -> object:
    try:
        if isinstance(value, bytes):
            return message.to_json(value)
        return canonical(message.to_xml(value, mtom=False).body)
    except LgspError as error:
        return type(error), str(error), error.context


def damaged(value: Any, chance: random.Random) -> Any:
    """One place of a JSON value changed, dropped or added to."""
    value = copy.deepcopy(value)
    at, places = value, list(_places(value))
    if not places:
        return {"more": 1}
    path = chance.choice(places)
    for step in path[:-1]:
        at = at[step]
    if chance.random() < 0.2:
        del at[path[-1]]
    elif chance.random() < 0.1 and isinstance(at, dict):
        at["more"] = 1
    else:
        at[path[-1]] = copy.deepcopy(chance.choice(ODD))
    return value


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, inner in steps:
        yield (step,)
        yield from ((step, *rest) for rest in _places(inner))


def shaken(envelope: bytes, chance: random.Random) -> bytes:
    """One element of the body with another text, an attribute of XSI, or gone."""
    root = etree.fromstring(envelope)
    inside = root.findall("{*}Body/*//*")
    if inside:
        element = chance.choice(inside)
        done = chance.randrange(5)
        if done == 0:
            element.text = chance.choice(
                [" 1 ", "007", "1", "", "x ", " 2026-01-31", "false", "0.10"]
            )
        elif done == 1:
            element.set(f"{XSI}nil", chance.choice(["true", "1", "false"]))
        elif done == 2:
            element.set(f"{XSI}type", chance.choice(["ns1:T", "ns1:Derived", "none:T"]))
        elif done == 3:
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)
        else:
            etree.indent(root)
    return etree.tostring(root)


@pytest.mark.parametrize("name", NAMES)
def test_the_long_way_says_the_same(name: str) -> None:
    chance = random.Random(name)
    long_ways = {(o.port, key): o for key, o in _named(without_compiled(name))}
    for key, operation in _named(contract(name)):
        slow = long_ways[operation.port, key]
        for message, other in zip(messages(operation), messages(slow), strict=True):
            value = example(message)
            for given in [value, *(damaged(value, chance) for _ in range(6))]:
                assert outcome(message, given) == outcome(other, given), given
            wire = message.to_xml(value, mtom=False).body
            for given in [wire, *(shaken(wire, chance) for _ in range(6))]:
                assert outcome(message, given) == outcome(other, given), given


def _named(found: Contract) -> Iterator[tuple[str, Any]]:
    for operation in operations(found):
        yield operation.name, operation


def test_what_is_missing_or_repeated_in_a_sequence_keeps_its_place() -> None:
    schema = """<xs:element name="Ask"><xs:complexType><xs:sequence>
      <xs:element name="a" type="xs:int" minOccurs="0" maxOccurs="unbounded"/>
      <xs:element name="b" type="xs:string" minOccurs="0"/>
      <xs:element name="c" type="xs:boolean" minOccurs="0"/>
      <xs:element name="d" type="xs:double"/>
      <xs:element name="e" type="t:Inner" minOccurs="0" maxOccurs="2"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:complexType name="Inner"><xs:sequence>
      <xs:element name="x" type="xs:date" nillable="true"/>
      <xs:element name="y" type="xs:token" minOccurs="0"/></xs:sequence></xs:complexType>"""
    request = service(schema, "Ask").operations["Ask"].request
    values: list[dict[str, Any]] = [
        {"d": 1.5},
        {"a": [1, 2], "d": 0, "e": [{"x": None}, {"x": "2026-01-31", "y": "a b"}]},
        {"b": "&<\r\n", "c": False, "d": "NaN"},
        {"a": [7], "d": 1.0, "#lexical": {"a/0": "+7", "d": "1.0"}, "e": [{"x": "2026-01-31"}]},
    ]
    for value in values:
        assert request.to_json(request.to_xml(json.dumps(value).encode()).body) == value


def test_a_character_that_xml_lacks_is_refused_by_any_pattern() -> None:
    put = contract("patterns-unicode.wsdl").operations["Exchange"]
    refused = outcome(put.request, {"u": "\0"})
    assert isinstance(refused, tuple)
    assert refused[2]["rule"] == "pattern"
