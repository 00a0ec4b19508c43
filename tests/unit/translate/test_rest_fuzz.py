"""Documents are foreign: whatever is wrong with one is refused or named, nothing else is raised."""

from __future__ import annotations

import copy
import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.gateway.translate.rest import compile_openapi
from schemas.errors import InvalidContract
from tests.unit.translate.test_rest_properties import ROOT

DOCUMENTS = [yaml.safe_load(path.read_bytes()) for path in sorted(ROOT.glob("*.yaml"))]
WRONG: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**9, "", "a", "string", "\0", "#/components/schemas"),
    *([], [[]], {}, [None], ["null"], {"$ref": "#/"}, {"$ref": 1}, {"$ref": "#/paths"}),
    {"type": "null"},
    {"oneOf": [{}]},
    {"allOf": [True, False]},
    {"type": ["string", 1]},
    {"enum": [{}, [], 1, None]},
    {"minimum": "1", "maximum": True, "type": "integer"},
    {"minItems": 5, "maxItems": 2, "items": {}},
    {"type": "number", "minimum": 1e300, "format": "double"},
    {"required": True},
    {"properties": []},
    {"type": "string", "pattern": "^[^\\]$"},
    {"type": "string", "enum": ["a\0", "", " "]},
    {"discriminator": {"propertyName": 1, "mapping": {"a": 1}}, "oneOf": [{"type": "object"}, {}]},
]


def places(node: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        found.append((node, key))
        if isinstance(value, dict | list):
            found += places(value)
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_document_with_something_wrong_in_it_is_compiled_or_refused(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        known = places(document)
        parent, key = known[data.draw(st.integers(0, len(known) - 1))]
        parent[key] = copy.deepcopy(data.draw(st.sampled_from(WRONG)))
    try:
        found = compile_openapi(json.dumps(document).encode())
    except InvalidContract:
        return
    found.report()
    if found.contract is not None:
        assert found.contract.unjudged == ""
        assert found.wsdl("http://127.0.0.1/")
