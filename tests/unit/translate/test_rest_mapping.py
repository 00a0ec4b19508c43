"""The examples of the way back in deploy/docs/xml-json-mapping.md, executed both ways."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
import yaml

from bus.gateway.translate.rest import RestOperation, compile_openapi, json_text
from tests.unit.translate.test_mapping import PAGE, body
from tests.unit.translate.test_rest_properties import exact

WAY_BACK = PAGE.read_text("utf-8").partition("\n## The way back")[2]
EXAMPLES = re.findall(
    r"```yaml\n(.*?)\n```\n```json\n(.*?)\n```\n```xml\n(.*?)\n```", WAY_BACK, re.DOTALL
)
NAMESPACE = "urn:lgsp:openapi:page"


def operation(schema: str) -> RestOperation:
    content = {"application/json": {"schema": yaml.safe_load(schema)}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Page", "version": "1"},
        "paths": {
            "/x": {
                "post": {
                    "operationId": "send",
                    "requestBody": {"content": content},
                    "responses": {"204": {"description": "taken"}},
                }
            }
        },
    }
    return compile_openapi(json.dumps(document).encode()).operations["send"]


def envelope(content: str) -> bytes:
    packed = re.sub(r">\s+<", "><", content)
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><send xmlns="{NAMESPACE}">'
        f"<body>{packed}</body></send></s:Body></s:Envelope>"
    ).encode()


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize(("schema", "written", "xml"), EXAMPLES)
def test_an_example_holds_both_ways(schema: str, written: str, xml: str) -> None:
    found = operation(schema)
    assert found.body is not None
    plan = {"body": found.body.use.to_plan(json_text.read(written.encode()))}
    assert body(found.soap["1.1"].request.to_xml(plan)) == body(envelope(xml))
    call = found.call_from_soap(envelope(xml))
    assert call.body is not None
    assert exact(json_text.read(call.body)) == exact(json.loads(written, parse_float=Decimal))
