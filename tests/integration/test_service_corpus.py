"""Every WSDL of the corpus is called through the gateway, and what other buses get wrong is not.

The failures are those that users of WSO2 API Manager, API Microgateway and Micro Integrator
reported where a SOAP service is put behind REST; each test names them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.faults import FaultyServer
from bus.gateway.translate import Wire
from bus.gateway.translate.examples import example
from bus.ledger.config_store import Change
from bus.ops.province_contracts import pinned
from schemas.service import Grant, Service
from schemas.xml import parse
from tests.integration.gateway_harness import OFFICE, Harness, opened
from tests.unit.translate.corpus import NAMES, contract, documents
from tests.waiting import wait_until


@dataclass
class Partner:
    """Keeps what it was sent, and answers what it was told to."""

    sent: list[bytes] = field(default_factory=list)
    reply: Wire | None = None

    async def serve(self, request: web.Request) -> web.Response:
        self.sent.append(await request.read())
        if self.reply is None:
            return web.Response(status=202)
        return web.Response(body=self.reply.body, headers={"Content-Type": self.reply.content_type})


@dataclass
class Corpus:
    bus: Harness
    partner: Partner

    async def ask(self, name: str, operation: str, request: Any, reply: Any = None) -> Any:
        """The JSON answer; the partner answers with `reply`, else with an example."""
        found = contract(name).operations[operation]
        answer = example(found.reply) if reply is None else reply
        self.partner.reply = None if found.one_way else found.reply.to_xml(answer)
        path = f"/services/{service_name(name)}/{operation}"
        return await self.bus.call("van-phong", "POST", path, json=request)

    @property
    def body(self) -> Any:
        """The element in the body of what the partner got last."""
        return parse(self.partner.sent[-1]).find("{*}Body/*")


def service_name(name: str) -> str:
    return re.sub("[^a-z0-9]", "-", name.removesuffix(".wsdl").lower())[:60]


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Corpus]:
    partner = Partner()
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/service", partner.serve)
    server = FaultyServer(app)
    await server.start()
    try:
        async with opened(sqlite_url, tmp_path) as bus:
            await _declare(bus, f"{server.url}/service")
            yield Corpus(bus, partner)
    finally:
        await server.close()


async def _declare(bus: Harness, address: str) -> None:
    changes: list[Change] = []
    for name in NAMES:
        given = documents(name)
        await bus.ledger.contracts.keep(list(given.values()))
        service = Service(
            name=service_name(name),
            contract=pinned(name, given),
            address=address,
        )
        grant = Grant(name=service.name, agency=OFFICE, service=service.name)
        changes += [
            Change("service", service.id, None, service),
            Change("grant", grant.name, None, grant),
        ]
    expected = await bus.ledger.config.revision()
    await bus.ledger.config.apply(changes, expected=expected, actor="test", reason="test")
    await wait_until(lambda: bus.live.snapshot.services, what="the services are in force")


async def test_every_operation_of_the_corpus_is_called_11534(on: Corpus) -> None:
    """product-apim#11534: valid WSDLs are rejected. #5699: no conversion happens at all."""
    called = 0
    for name in NAMES:
        for key, operation in contract(name).operations.items():
            if operation.problems:
                continue
            answer = await on.ask(name, key, example(operation.request))
            expected = 202 if operation.one_way else 200
            assert answer.status_code == expected, f"{name} {key}: {answer.text}"
            assert on.partner.sent[-1].lstrip().startswith((b"<", b"--")), "XML, not JSON"
            if not operation.one_way:
                wire = operation.reply.to_xml(answer.json())
                assert on.partner.reply is not None
                assert operation.reply.to_json(wire.body, wire.content_type) == answer.json()
            called += 1
    assert called > 200


async def test_elements_keep_their_namespace_4580(on: Corpus) -> None:
    """product-apim#4580: elements of an imported schema get the wrong namespace."""
    name = "imports/imports.wsdl"
    request = example(contract(name).operations["Ask"].request)
    assert (await on.ask(name, "Ask", request)).status_code == 200
    namespaces = {str(each.tag).partition("}")[0] for each in on.body.iter("*")}
    assert namespaces == {"{urn:lgsp:corpus:imports", "{urn:lgsp:corpus:imports:types"}


async def test_no_element_is_missing_or_misplaced_627(on: Corpus) -> None:
    """api-manager#627: elements are missing, arguments in the wrong place."""
    request = {"item": {"last": True, "few": [1, 2], "many": ["b", "a"]}}
    assert (await on.ask("arrays.wsdl", "Put", request)).status_code == 200
    written = [(str(each.tag).rpartition("}")[2], each.text) for each in on.body[0]]
    assert written == [("many", "b"), ("many", "a"), ("few", "1"), ("few", "2"), ("last", "true")]


async def test_what_may_repeat_is_an_array_1880(on: Corpus) -> None:
    """api-manager#1880: maxOccurs="unbounded" is lost, one item is no array."""
    for count in (0, 1, 500):
        item = {"many": [f"v{n}" for n in range(count)], "few": [1], "last": False}
        reply = {"item": item if count else {"few": [1], "last": False}}
        answer = await on.ask("arrays.wsdl", "Get", {"item": "k"}, reply)
        assert answer.json() == reply


async def test_rpc_style_is_called_1879(on: Corpus) -> None:
    """api-manager#1879: RPC style cannot be called."""
    request = {"item": {"a": "x", "b": 1}, "note": "ghi chú"}
    answer = await on.ask("rpc-sequence.wsdl", "Put", request, {"done": True})
    assert answer.json() == {"done": True}
    assert str(on.body.tag).endswith("}Put")
    assert [each.tag for each in on.body] == ["item", "note"], "parts are unqualified"


async def test_names_with_dashes_and_dots_stay_what_they_are_2018(on: Corpus) -> None:
    """api-manager#2018: a name with `-` becomes `Default_Object`."""
    item = {"@ma-so": "7", "ho-va-ten": "A", "ngay.sinh": "1990-01-31"}
    item |= {"Default_Object": "B", "_x": "C"}
    assert (await on.ask("names-odd.wsdl", "Put", {"item": item})).status_code == 200
    assert on.body[0].get("ma-so") == "7"
    assert on.body.findtext(".//{*}ho-va-ten") == "A"
    assert (await on.ask("names-odd.wsdl", "Get", {"item": "k"}, {"item": item})).json() == {
        "item": item
    }


async def test_long_attributes_are_carried_3775(on: Corpus) -> None:
    """micro-integrator#3775: an attribute above 512 KB breaks mediation."""
    item = {"@id": 1, "@kind": "k" * 600_000, "a": "x"}
    assert (await on.ask("attributes.wsdl", "Put", {"item": item})).status_code == 200
    assert len(on.body[0].get("kind")) == 600_000
    answer = await on.ask("attributes.wsdl", "Get", {"item": "k"}, {"item": item})
    assert answer.json()["item"]["@kind"] == item["@kind"]
