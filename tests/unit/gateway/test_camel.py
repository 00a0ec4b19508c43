"""The packet model as camelCase JSON."""

from __future__ import annotations

import json

import pytest
from pydantic.alias_generators import to_camel

from bus.gateway.camel import camel_schema, read_json, snake_keys
from bus.gateway.describe import DOCUMENT, STATUS
from bus.gateway.forms import DocumentPart
from schemas.edxml import StatusHeader
from schemas.errors import InvalidRequest


def test_every_field_of_the_model_survives_the_way_there_and_back() -> None:
    """to_snake must undo to_camel, or a field could never be given."""
    schemas = [camel_schema(DocumentPart), camel_schema(StatusHeader)]
    groups = [*schemas, *(each for schema in schemas for each in schema["$defs"].values())]
    names = {name for group in groups for name in group["properties"]}
    assert len(names) > 40
    for name in names:
        (snake,) = snake_keys({name: 1})
        assert to_camel(snake) == name


def test_examples_are_read_whole() -> None:
    document = read_json(DocumentPart, json.dumps(DOCUMENT))
    assert document.header.promulgation_info.place == "Lào Cai"
    assert document.trace.business.doc_type == 0
    assert read_json(StatusHeader, json.dumps(STATUS)).response_for.code == "125/UBND-VX"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON: line 1, column 1"),
        ('{"header": {"sender": 1}}', "header.sender"),
        ('{"header": {"receivers": [{"organCode": "x"}]}}', "header.receivers.0.organCode"),
        ('{"header": NaN}', "not JSON"),
        ("[]", "body"),
        ('"x"', "body"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 20 + "1" + "}" * 20, "nested"),
    ],
)
def test_what_cannot_be_read_is_told_by_place(text: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(DocumentPart, text)
    assert told in caught.value.detail.en
