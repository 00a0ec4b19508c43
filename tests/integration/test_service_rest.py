"""A partner's JSON service, declared by its OpenAPI document: called in JSON and in SOAP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
import zeep.wsse.username
from aiohttp import web
from aiohttp.test_utils import TestServer
from openapi_spec_validator import validate
from pydantic import ValidationError

from adapters.citizens.sandbox import document
from bus.cli.service_check import faults_of_service
from bus.ops.province_contracts import pinned
from schemas.service import OperationSettings, Service, SoapNames
from tests.integration.gateway_harness import BUILD, OFFICE, Harness, opened, served
from tests.integration.service_harness import grant

MAIN = "business-registration.yaml"
DOCUMENT = (Path(__file__).parents[1] / "vectors" / "openapi" / MAIN).read_bytes()
FOUND = {
    "Status": "1",
    "Message": None,
    "Data": {"GDT_CODE": "0100000001", "NAME": "CÔNG TY <A> & B", "CAPITAL_AMOUNT": 1000.5},
}
TITLE = "ĐKKD"


@dataclass
class Partner:
    """The JSON service: what arrived, and what it says."""

    arrived: list[tuple[str, str, str]] = field(default_factory=list)  # method, target, who
    answer: Any = field(default_factory=lambda: FOUND)
    status: int = 200

    async def serve(self, request: web.Request) -> web.Response:
        who = request.headers.get("Authorization", "")
        self.arrived.append((request.method, request.raw_path, who))
        if isinstance(self.answer, str):
            return web.Response(status=self.status, text=self.answer, content_type="text/html")
        return web.json_response(self.answer, status=self.status)


@dataclass
class Scene:
    bus: Harness
    partner: Partner
    service: Service

    async def ask(self, client: str = "van-phong", **question: Any) -> Any:
        path = "/services/dkkd/GetEnterprise"
        return await self.bus.call(client, "POST", path, json=question)


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    partner = Partner()
    app = web.Application()
    app.router.add_route("*", "/api/{rest:.*}", partner.serve)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        opened(sqlite_url, tmp_path, secrets=lambda _: b"partner-secret") as bus,
    ):
        await bus.ledger.contracts.keep([DOCUMENT])
        service = Service.model_validate(
            {
                "name": "dkkd",
                "title_vi": TITLE,
                "contract": pinned(MAIN, {MAIN: DOCUMENT}),
                "address": str(server.make_url("/api")),
                "timeout": 5,
                "sign_on": {"kind": "basic", "user": "truc", "password": "dkkd"},
                "operations": {"GetEnterprise": OperationSettings(idempotent=True, attempts=2)},
            }
        )
        await bus.declare("service", None, service)
        await bus.declare("grant", None, grant(OFFICE, "dkkd"))
        await bus.declare("grant", None, grant(BUILD, "dkkd", fields=("Data/NAME",)))
        yield Scene(bus, partner, service)


async def test_json_to_json_with_the_bus_s_own_sign_on(on: Scene) -> None:
    answer = await on.ask(gdtCode="0100000001", siteId=7)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert json.dumps(FOUND["Data"]["NAME"]) in json.dumps(told)  # type: ignore[index]
    ((method, target, who),) = on.partner.arrived
    assert (method, target) == ("GET", "/api/GetEnterprise?gdtCode=0100000001&siteId=7")
    assert who.startswith("Basic ")


async def test_what_a_grant_does_not_name_is_withheld(on: Scene) -> None:
    whole, limited = [await on.ask(c, gdtCode="0100000001") for c in ("van-phong", "so-xay-dung")]
    assert "#withheld" not in whole.text
    assert limited.status_code == 200, limited.text
    assert "#withheld" in limited.text
    assert "0100000001" not in limited.text


async def test_a_question_against_the_document_is_never_sent(on: Scene) -> None:
    answer = await on.ask(gdtCode="12")
    assert (answer.status_code, answer.json()["code"]) == (422, "contract-mismatch")
    assert on.partner.arrived == []


@pytest.mark.parametrize(
    ("status", "said", "code", "times"),
    [
        (503, "bảo trì", "partner-unavailable", 2),
        (504, "", "partner-timeout", 2),
        (403, "", "partner-refused", 1),
        (200, "<html>Cổng thông tin</html>", "partner-garbage", 2),
        (200, {"Status": 1}, "partner-garbage", 2),
    ],
)
async def test_failures_of_the_partner_have_their_codes(
    on: Scene, status: int, said: Any, code: str, times: int
) -> None:
    on.partner.status, on.partner.answer = status, said
    answer = await on.ask(gdtCode="0100000001")
    assert (answer.json()["code"], len(on.partner.arrived)) == (code, times), answer.text


async def test_an_error_of_the_service_keeps_its_words(on: Scene) -> None:
    on.partner.status, on.partner.answer = 400, {"error": "Mã số không tồn tại"}
    answer = await on.ask(gdtCode="0100000001")
    assert answer.status_code >= 400
    assert "Mã số không tồn tại" in answer.text or "400" in answer.text
    assert answer.json()["code"].startswith(("partner", "service-fault"))


def _talk_zeep(url: str, key: str, port: str) -> tuple[Any, str]:
    session = requests.Session()
    token = zeep.wsse.username.UsernameToken("van-phong", key)  # type: ignore[no-untyped-call]
    transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
    wsdl = f"{url}/services/dkkd?wsdl"
    client = zeep.Client(wsdl, wsse=token, transport=transport)  # type: ignore[no-untyped-call]
    try:
        (service,) = client.wsdl.services
        bound = client.bind(service, f"{service}{port}")
        found = bound.GetEnterprise(gdtCode="0100000001")
        with pytest.raises(zeep.exceptions.Fault) as refused:
            bound.GetEnterprise(gdtCode="12")
        return found, str(refused.value.message)
    finally:
        session.close()


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
async def test_zeep_calls_it_from_the_wsdl_that_the_bus_serves(on: Scene, port: str) -> None:
    async with served(on.bus.app) as url:
        key = on.bus.keys["van-phong"]
        found, refused = await asyncio.to_thread(_talk_zeep, url, key, port)
    assert "CÔNG TY <A> & B" in str(found)
    assert refused
    assert len(on.partner.arrived) == 1


NAMES = SoapNames(
    namespace="http://dkkd.example/2017/",
    service="TraCuuDoanhNghiep",
    port="TraCuuPort",
    port_12="TraCuuPort12",
)
PHP = r"""<?php
ini_set('soap.wsdl_cache_enabled', '0');
$headers = ['Authorization: Bearer ' . getenv('TOKEN')];
$client = new SoapClient(getenv('URL') . '/services/dkkd?wsdl', [
    'trace' => true, 'soap_version' => (int) getenv('VERSION'),
    'stream_context' => stream_context_create(['http' => ['header' => implode("\r\n", $headers)]]),
]);
$found = $client->GetEnterprise(['gdtCode' => '0100000001'])->result->Data->NAME;
$sent = preg_match('~"http://dkkd.example/2017/"~', $client->__getLastRequest());
echo json_encode([$found, $sent]);
"""


def _zeep_named(url: str, key: str) -> tuple[list[str], list[str], str]:
    """Ports, namespaces of operations' elements, and what was found."""
    token = zeep.wsse.username.UsernameToken("van-phong", key)  # type: ignore[no-untyped-call]
    with requests.Session() as session:
        transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
        wsdl = f"{url}/services/dkkd?wsdl"
        client = zeep.Client(wsdl, wsse=token, transport=transport)  # type: ignore[no-untyped-call]
        found = client.bind(NAMES.service, NAMES.port_12).GetEnterprise(gdtCode="0100000001")
        ports = list(client.wsdl.services[NAMES.service].ports)
        spaces = [str(each) for each in client.wsdl.types.namespaces]
    return ports, spaces, str(found)


@pytest.mark.parametrize("version", [1, 2])
async def test_declared_names_are_those_of_the_wsdl_for_zeep_and_php(
    on: Scene, php: str, tmp_path: Path, version: int
) -> None:
    await on.bus.declare("service", on.service, on.service.model_copy(update={"soap": NAMES}))
    script = tmp_path / "client.php"
    script.write_text(PHP)
    token = await on.bus.token("van-phong")
    async with served(on.bus.app) as url:
        key = on.bus.keys["van-phong"]
        ports, spaces, found = await asyncio.to_thread(_zeep_named, url, key)
        env = {"URL": url, "TOKEN": token, "VERSION": str(version), "PATH": os.environ["PATH"]}
        done = await asyncio.to_thread(
            subprocess.run,
            [php, str(script)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ports == ["TraCuuPort", "TraCuuPort12"]
    assert "http://dkkd.example/2017/" in spaces
    assert "CÔNG TY <A> & B" in found
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == ["CÔNG TY <A> & B", 1]


def test_names_are_for_openapi_alone_and_ports_differ() -> None:
    documents = {each: document(each) for each in ("citizens.wsdl", "citizens.xsd")}
    declared = Service(name="x", contract=pinned("citizens.wsdl", documents), soap=NAMES)
    digests = declared.contract.documents
    (fault,) = faults_of_service(declared, {digests[name]: documents[name] for name in documents})
    assert "OpenAPI" in fault
    with pytest.raises(ValidationError, match="one name"):
        SoapNames(port="A", port_12="A")
    with pytest.raises(ValidationError):
        SoapNames(namespace="dkkd")


async def test_it_is_described_and_checked(on: Scene) -> None:
    described = (await on.bus.http.get("/services/dkkd/openapi.json")).json()
    validate(described)
    assert described["paths"]
    contents = {on.service.contract.documents[MAIN]: DOCUMENT}
    assert faults_of_service(on.service, contents) == []
    nowhere = DOCUMENT.replace(b"https://dkkd.example/api", b"/api")
    declared = on.service.model_copy(
        update={"address": "", "contract": on.service.contract.model_copy()}
    )
    (fault,) = faults_of_service(declared, {on.service.contract.documents[MAIN]: nowhere})
    assert "address" in fault
