"""Foreign SOAP clients call JSON services from the generated WSDL: zeep and PHP's SoapClient.

The server speaks HTTP on both sides: SOAP from the client, JSON to a backend that records what
arrives, byte by byte.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zeep
import zeep.exceptions
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from bus.gateway.translate.rest import RestContract, compile_openapi

VECTORS = Path(__file__).parents[1] / "vectors" / "openapi"
SECONDS = 60
SOAP_11 = "text/xml"


@dataclass(slots=True)
class Arrived:
    method: str
    target: str
    body: Any


@dataclass(slots=True)
class Served:
    """One JSON service behind its generated WSDL. `answers`: what the backend says, in turn."""

    contract: RestContract
    url: str = ""
    arrived: list[Arrived] = field(default_factory=list)
    answers: list[tuple[int, str, bytes]] = field(default_factory=list)

    def answer(self, value: Any, status: int = 200, media: str = "application/json") -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.answers.append((status, media, body))

    async def wsdl(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.contract.wsdl(self.url), content_type="text/xml")

    async def backend(self, request: web.Request) -> web.Response:
        data = await request.read()
        target = request.raw_path.removeprefix("/backend")
        sent = request.content_type == "application/json"
        self.arrived.append(
            Arrived(request.method, target, json.loads(data, parse_float=Decimal) if sent else data)
        )
        status, media, body = self.answers.pop(0)
        return web.Response(status=status, content_type=media, body=body or None)

    async def soap(self, request: web.Request) -> web.Response:
        data, media = await request.read(), request.content_type
        version = "1.1" if media == SOAP_11 else "1.2"
        name = data.split(b"Body>", 1)[1].split(b"<", 1)[1]
        plain = name.replace(b">", b" ").replace(b"/", b" ").split()[0].rpartition(b":")[2]
        operation = self.contract.operations[plain.decode()]
        call = operation.call_from_soap(data, request.headers["Content-Type"])
        address = URL(f"{self.url.removesuffix('/soap')}/backend{call.target}", encoded=True)
        async with (
            ClientSession() as session,
            session.request(call.method, address, headers=call.headers, data=call.body) as answer,
        ):
            body = await answer.read()
            wire = operation.reply_to_soap(answer.status, answer.headers, body, version)
        status = 500 if b"Fault>" in wire.body else 200
        return web.Response(body=wire.body, headers=wire.headers, status=status)


@asynccontextmanager
async def served(file: str) -> AsyncIterator[Served]:
    found = Served(compile_openapi((VECTORS / file).read_bytes()))
    app = web.Application()
    app.router.add_get("/soap", found.wsdl)
    app.router.add_post("/soap", found.soap)
    app.router.add_route("*", "/backend/{rest:.*}", found.backend)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        found.url = str(server.make_url("/soap"))
        yield found
    finally:
        await server.close()


# --- zeep ---


def talk(url: str, port: str, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """The values that zeep gives, or its faults."""
    client = zeep.Client(f"{url}?wsdl")  # type: ignore[no-untyped-call]
    (service,) = client.wsdl.services
    bound = client.bind(service, f"{service}{port}")
    found: list[Any] = []
    try:
        for name, arguments in calls:
            try:
                found.append(bound[name](**arguments))
            except zeep.exceptions.Fault as fault:
                found.append(fault)
    finally:
        client.transport.session.close()
    return found


PORTS = pytest.mark.parametrize("port", ["Soap11", "Soap12"])


@PORTS
async def test_zeep_looks_a_business_up(port: str) -> None:
    enterprise = {
        "GDT_CODE": "0100109106",
        "NAME": "Công ty <A> & B",
        "CAPITAL_AMOUNT": 1,
        "FOUNDING_DATE": "2001-02-03",
        "ACTIVITIES": [{"CODE": "6201", "IS_MAIN": True}],
        "NEW_MEMBER": 5,
    }
    async with served("business-registration.yaml") as service:
        text = json.dumps({"Status": "1", "Message": None, "Data": enterprise})
        exact = text.replace('"CAPITAL_AMOUNT": 1,', '"CAPITAL_AMOUNT": 9007199254740993.10,')
        service.answer(exact.encode())
        service.answer({"Status": "0", "Message": "Không tìm thấy"})
        calls: list[tuple[str, dict[str, Any]]] = [
            ("GetEnterprise", {"gdtCode": "0100109106", "siteId": 7, "withHistory": True}),
            ("GetEnterprise", {"gdtCode": "0100109106-001"}),
        ]
        found, none = await asyncio.to_thread(talk, service.url, port, calls)
    assert service.arrived == [
        Arrived("GET", "/GetEnterprise?gdtCode=0100109106&siteId=7&withHistory=true", b""),
        Arrived("GET", "/GetEnterprise?gdtCode=0100109106-001", b""),
    ]
    data = found.Data
    assert (found.Status, found.Message) == ("1", None)
    assert Decimal("9007199254740993.10") == data.CAPITAL_AMOUNT
    assert (dt.date(2001, 2, 3), "Công ty <A> & B") == (data.FOUNDING_DATE, data.NAME)
    assert [(a.CODE, a.IS_MAIN) for a in data.ACTIVITIES.item] == [("6201", True)]
    assert [(e.key, e.value.number) for e in data.entry] == [("NEW_MEMBER", "5")]
    assert (none.Status, none.Message, none.Data) == ("0", "Không tìm thấy", None)


@PORTS
async def test_zeep_sends_alternatives_numbers_maps_and_lists(port: str) -> None:
    thing = {
        "party": {"Company": {"kind": "company", "name": "A", "taxCode": "1"}},
        "when": {"date": dt.date(2026, 1, 31)},
        "value": {"integer": 7},
        "list": {"array": {"item": ["a", ""]}},
    }
    meant = {
        "party": {"kind": "company", "name": "A", "taxCode": "1"},
        "when": "2026-01-31",
        "value": 7,
        "list": ["a", ""],
    }
    async with served("one-of.yaml") as service:
        service.answer(meant)
        (found,) = await asyncio.to_thread(
            talk, service.url, port, [("sendThing", {"body": thing})]
        )
    assert service.arrived == [Arrived("POST", "/things", meant)]
    assert found.party.Company.taxCode == "1"
    assert (found.when.date, found.value.integer) == (dt.date(2026, 1, 31), 7)
    assert found.list.array.item in (["a", ""], ["a", None])  # zeep reads no text as None

    numbers = {"price": Decimal("0.10"), "huge": 2**70, "long": -(2**63), "level": 3}
    matrix = {"item": [{"item": [1, 2]}, {"item": []}]}
    async with served("numbers.yaml") as service:
        service.answer(b'{"price": 0.10, "huge": 1180591620717411303424}')
        (found,) = await asyncio.to_thread(
            talk, service.url, port, [("sendNumbers", {"body": numbers})]
        )
    assert service.arrived[0].body == numbers
    assert str(service.arrived[0].body["price"]) == "0.10"
    assert (str(found.price), found.huge) == ("0.10", 2**70)
    maps = {
        "counts": {"entry": [{"key": "a b", "value": 1}, {"key": "", "value": 2}]},
        "mixed": {"id": "7", "entry": [{"key": "tags", "value": {"item": ["x"]}}]},
        "free": {"array": {"item": [{"boolean": True}, {"number": "1.50"}]}},
        "entry": [{"key": "more", "value": {"string": "kept"}}],
    }
    async with served("maps.yaml") as service:
        service.answer({"patterned": {"x-a": "1"}, "other": [None]})
        (found,) = await asyncio.to_thread(talk, service.url, port, [("sendMaps", {"body": maps})])
    assert service.arrived[0].body == {
        "counts": {"a b": 1, "": 2},
        "mixed": {"id": "7", "tags": ["x"]},
        "free": [True, Decimal("1.50")],
        "more": "kept",
    }
    assert [(e.key, e.value) for e in found.patterned.entry] == [("x-a", "1")]
    assert found.entry[0].key == "other"

    async with served("arrays.yaml") as service:
        service.answer([[1], [2]])
        (found,) = await asyncio.to_thread(
            talk, service.url, port, [("transpose", {"body": matrix})]
        )
    assert service.arrived[0].body == [[1, 2], []]
    assert [row.item for row in found] == [[1], [2]]


@PORTS
async def test_zeep_meets_names_nulls_statuses_and_faults(port: str) -> None:
    async with served("names.yaml") as service:
        service.answer({"họ và tên": "Nguyễn", "": "empty"})
        odd = {"họ_x0020_và_x0020_tên": "Nguyễn", "_x_": "empty", "_x0031_st": 1, "entry": "e"}
        (found,) = await asyncio.to_thread(
            talk,
            service.url,
            port,
            [("put_x0020_names", {"the_x0020_id": "a/b", "body2": odd})],
        )
    assert service.arrived == [
        Arrived(
            "POST",
            "/names/a%2Fb",
            {"họ và tên": "Nguyễn", "": "empty", "1st": 1, "entry": "e"},
        )
    ]
    assert found["họ_x0020_và_x0020_tên"] == "Nguyễn"

    async with served("nullable.yaml") as service:
        service.answer(b"null")
        body = {"must": zeep.xsd.Nil, "count": zeep.xsd.Nil, "text": ""}
        (found,) = await asyncio.to_thread(
            talk, service.url, port, [("putNullable", {"body": body})]
        )
    assert service.arrived[0].body == {"must": None, "count": None, "text": ""}
    assert found.must is None  # zeep makes an empty object of a complex element that is nil

    async with served("statuses.yaml") as service:
        problem = {"title": "Không có", "status": 404}
        service.answer(b"%PDF", media="application/pdf")
        service.answer(problem, 404, "application/problem+json")
        service.answer(b"<h1>Bad gateway</h1>", 502, "text/html")
        service.answer(b"", 204)
        paper, missing, broken, gone = await asyncio.to_thread(
            talk,
            service.url,
            port,
            [("getPaper", {"id": "1"})] * 3 + [("putPaper", {"id": "1", "body": b"\1\2"})],
        )
    assert (paper.contentType, paper.content) == ("application/pdf", b"%PDF")
    assert missing.message == "Không có"
    assert missing.detail[0].tag.endswith("}ProblemFault")
    assert missing.detail[0].findtext("{*}status") == "404"
    assert broken.detail[0].findtext("{*}text") == "<h1>Bad gateway</h1>"
    assert service.arrived[-1] == Arrived("PUT", "/papers/1", b"\1\2")
    assert (gone.status, gone.status201) == (204, None)


# --- PHP ---


async def php_told(php: str, service: Served, script: str, tmp_path: Path, version: int) -> Any:
    file = tmp_path / "client.php"
    head = """<?php
ini_set('soap.wsdl_cache_enabled', '0');
$client = new SoapClient(getenv('URL') . '?wsdl', [
    'soap_version' => (int) getenv('VERSION'), 'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
"""
    file.write_text(head + script, "utf-8")
    process = await asyncio.create_subprocess_exec(
        php,
        str(file),
        env=dict(os.environ) | {"URL": service.url, "VERSION": str(version)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return json.loads(output)


VERSIONS = pytest.mark.parametrize("version", [1, 2])


@VERSIONS
async def test_php_looks_a_business_up(php: str, tmp_path: Path, version: int) -> None:
    script = """
$found = $client->GetEnterprise(['gdtCode' => '0100109106', 'withHistory' => false])->result;
echo json_encode($found);
"""
    async with served("business-registration.yaml") as service:
        data = {"GDT_CODE": "1", "NAME": "Công ty", "ACTIVITIES": [{"CODE": "6201"}]}
        service.answer({"Status": "1", "Message": None, "Data": data})
        found = await php_told(php, service, script, tmp_path, version)
    target = "/GetEnterprise?gdtCode=0100109106&withHistory=false"
    assert service.arrived == [Arrived("GET", target, b"")]
    assert found == {
        "Status": "1",
        "Message": None,
        "Data": {"GDT_CODE": "1", "NAME": "Công ty", "ACTIVITIES": {"item": [{"CODE": "6201"}]}},
    }


@VERSIONS
async def test_php_sends_what_it_means(php: str, tmp_path: Path, version: int) -> None:
    script = """
$found = $client->sendThing(['body' => [
    'party' => ['Person' => ['kind' => 'person', 'name' => 'Nguyễn & con']],
    'when' => ['string' => 'tomorrow'],
    'value' => ['boolean' => true],
    'list' => ['array' => ['item' => ['one']]],
]])->result;
echo json_encode($found);
"""
    meant = {
        "party": {"kind": "person", "name": "Nguyễn & con"},
        "when": "tomorrow",
        "value": True,
        "list": ["one"],
    }
    async with served("one-of.yaml") as service:
        service.answer({"value": "a text", "maybe": None, "list": []})
        found = await php_told(php, service, script, tmp_path, version)
    assert service.arrived == [Arrived("POST", "/things", meant)]
    assert found["value"] == {"string": "a text"}
    assert found["maybe"] is None

    script = """
$found = $client->sendNumbers(['body' => [
    'price' => '0.10', 'huge' => '9007199254740993', 'long' => '9223372036854775807',
    'anything' => ['object' => ['entry' => [['key' => 'a', 'value' => ['number' => '1.50']]]]],
]])->result;
echo json_encode($found);
"""
    async with served("numbers.yaml") as service:
        service.answer(b'{"price": 12345678901234567890.10, "level": 3}')
        found = await php_told(php, service, script, tmp_path, version)
    (arrived,) = service.arrived
    assert arrived.body == {
        "price": Decimal("0.10"),
        "huge": 9007199254740993,
        "long": 9223372036854775807,
        "anything": {"a": Decimal("1.50")},
    }
    assert found == {"price": "12345678901234567890.10", "level": 3}


@VERSIONS
async def test_php_meets_faults_and_files(php: str, tmp_path: Path, version: int) -> None:
    script = r"""
$paper = $client->getPaper(['id' => '1']);
try {
    $client->getPaper(['id' => '2']);
    $fault = null;
} catch (SoapFault $caught) {
    $problem = $caught->detail->ProblemFault;
    $fault = [$caught->getMessage(), (int) $problem->status, $problem->result->detail];
}
$put = $client->putPaper(['id' => '3', 'body' => 'bytes']);
echo json_encode([base64_encode($paper->content), $fault, $put->status201->result->id]);
"""
    async with served("statuses.yaml") as service:
        service.answer(b"%PDF\xff", media="application/pdf")
        problem = {"title": "Không có", "detail": "hồ sơ 2", "status": 404}
        service.answer(problem, 404, "application/problem+json")
        service.answer({"id": "3"}, 201)
        found = await php_told(php, service, script, tmp_path, version)
    content, fault, identity = found
    assert base64.b64decode(content) == b"%PDF\xff"
    assert fault == ["Không có: hồ sơ 2", 404, "hồ sơ 2"]
    assert identity == "3"
    assert service.arrived[-1] == Arrived("PUT", "/papers/3", b"bytes")
