"""Services called in SOAP, by foreign clients and by hand."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import zeep
import zeep.exceptions
import zeep.wsse.username
from lxml import etree

from adapters.citizens.sandbox import NAMESPACE, SOAP11, SOAP12
from adapters.faults import Mode
from bus.gateway.translate.reading import WITHHELD
from schemas.xml import parse
from tests.integration.gateway_harness import BUILD, served
from tests.integration.service_harness import LIMITED, ONE, WHY, Services, calling

SECONDS = 60


@pytest.fixture
async def on(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    async with calling(sqlite_url, tmp_path) as services:
        yield services


def _zeep(url: str, port: str, *, username: str, key: str, **headers: str) -> tuple[Any, Any]:
    """Zeep as a user of it would write: WSDL from the bus, officer and purpose as headers."""
    session = requests.Session()
    session.headers.update(WHY | headers)
    token = zeep.wsse.username.UsernameToken(username, key)  # type: ignore[no-untyped-call]
    transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
    client = zeep.Client(  # type: ignore[no-untyped-call]
        f"{url}/services/cong-dan?wsdl", wsse=token, transport=transport
    )
    return client.bind("SoCongDan", port), session


def _talk_zeep(url: str, port: str, keys: dict[str, str]) -> dict[str, Any]:
    office, first = _zeep(url, port, username="van-phong", key=keys["van-phong"])
    build, second = _zeep(url, port, username="so-xay-dung", key=keys["so-xay-dung"])
    health, third = _zeep(url, port, username="so-y-te", key=keys["so-y-te"])
    try:
        found = office.TraCuu(SoDinhDanh=ONE)
        limited = build.TraCuu(SoDinhDanh=ONE)
        with pytest.raises(zeep.exceptions.Fault) as partners:
            office.TraCuu(SoDinhDanh="999999999999")
        with pytest.raises(zeep.exceptions.Fault) as ours:
            health.DanhSach(Xa="Suối Mẫu")
        return {
            "name": found.HoVaTen,
            "born": str(found.NgaySinh),
            "former": found.SoGiayToCu,
            "limited": (limited.HoVaTen, limited.NgaySinh, limited.DiaChi.Tinh),
            "count": office.Dem(Xa="Suối Mẫu"),
            "partner's": (partners.value.message, partners.value.detail[0][0].text),
            "ours": ours.value.detail[0].findtext("{*}code"),
        }
    finally:
        for session in (first, second, third):
            session.close()


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
async def test_zeep(on: Services, port: str) -> None:
    async with served(on.bus.app) as url:
        told = await asyncio.to_thread(_talk_zeep, url, port, on.bus.keys)
    assert told == {
        "name": "NGUYỄN THỊ MẪU",
        "born": "1999-01-31",
        "former": ["123456789"],
        "limited": ("NGUYỄN THỊ MẪU", None, None),
        "count": 2,
        "partner's": ("số định danh 999999999999 sai", "17"),
        "ours": "forbidden",
    }


PHP = r"""<?php
ini_set('soap.wsdl_cache_enabled', '0');
$headers = ['Authorization: Bearer ' . getenv('TOKEN'), 'Lgsp-Officer: CB-01',
            'Lgsp-Purpose: khai%20sinh'];
$client = new SoapClient(getenv('URL') . '/services/cong-dan?wsdl', [
    'soap_version' => (int) getenv('VERSION'),
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'stream_context' => stream_context_create(['http' => ['header' => implode("\r\n", $headers)]]),
]);
$found = $client->TraCuu(['SoDinhDanh' => getenv('ONE')])->CongDan;
$count = $client->Dem(['Xa' => 'Suối Mẫu'])->So;
try {
    $client->TraCuu(['SoDinhDanh' => '999999999999']);
    $fault = null;
} catch (SoapFault $caught) {
    $fault = [$caught->getMessage(), $caught->detail->Loi->MaLoi];
}
echo json_encode([$found->HoVaTen, $found->DiaChi->Xa, $found->SoGiayToCu, $count, $fault]);
"""


@pytest.mark.parametrize("version", [1, 2])
async def test_php(on: Services, php: str, version: int, tmp_path: Path) -> None:
    script = tmp_path / "client.php"
    script.write_text(PHP)
    token = await on.bus.token("van-phong")
    async with served(on.bus.app) as url:
        env = {"URL": url, "TOKEN": token, "VERSION": str(version), "ONE": ONE}
        done = await asyncio.to_thread(
            subprocess.run,
            [php, str(script)],
            env={"PATH": os.environ["PATH"]} | env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == [
        "NGUYỄN THỊ MẪU",
        "Suối Mẫu",
        ["123456789"],
        2,
        ["số định danh 999999999999 sai", "17"],
    ]


# By hand


def envelope(body: str, *, namespace: str = SOAP11, header: str = "") -> bytes:
    return (
        f'<e:Envelope xmlns:e="{namespace}" xmlns:t="{NAMESPACE}">'
        f"<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


ASK = f"<t:TraCuu><t:SoDinhDanh>{ONE}</t:SoDinhDanh></t:TraCuu>"


async def post(
    on: Services,
    content: bytes,
    *,
    client: str | None = "van-phong",
    media: str = "text/xml",
    **headers: str,
) -> Any:
    sent = WHY | {"Content-Type": media} | headers
    return await on.bus.call(client, "POST", "/services/cong-dan", content=content, headers=sent)


def fault(answer: Any) -> str | None:
    """The bus's own code in a fault."""
    return parse(answer.content).findtext(".//{urn:lgsp:documents:1}code")


async def test_what_may_not_be_seen_is_marked_in_xml(on: Services) -> None:
    answer = await post(on, envelope(ASK), client="so-xay-dung")
    citizen = parse(answer.content).find(f".//{{{NAMESPACE}}}CongDan")
    assert citizen is not None
    marked = [etree.QName(each).localname for each in citizen.iter() if each.get(WITHHELD)]
    assert marked == ["NgaySinh", "GioiTinh", "NhomMau", "Tinh", "SoGiayToCu"]
    assert "1999" not in answer.text
    assert "123456789" not in answer.text


async def test_the_answer_is_in_the_version_of_the_question(on: Services) -> None:
    answer = await post(on, envelope(ASK, namespace=SOAP12), media="application/soap+xml")
    assert answer.headers["content-type"].startswith("application/soap+xml")
    assert parse(answer.content).tag == f"{{{SOAP12}}}Envelope"
    assert b"NGUY" in answer.content


async def test_a_callers_password_never_reaches_the_partner(on: Services) -> None:
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    key = on.bus.keys["van-phong"]
    header = (
        f'<w:Security xmlns:w="{wsse}" e:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>van-phong</w:Username><w:Password>{key}</w:Password>"
        "</w:UsernameToken></w:Security><x:Other xmlns:x='urn:x'>đi cùng</x:Other>"
    )
    answer = await post(on, envelope(ASK, header=header), client=None)
    assert answer.status_code == 200, answer.text
    (asked,) = on.register.asked
    assert key.encode() not in asked.body
    assert b"Security" not in asked.body
    assert b"urn:x" not in asked.body
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not xml", "malformed-xml"),
        (envelope("<t:XoaHet/>"), "invalid-request"),
        (envelope("<t:TraCuu><t:SoDinhDanh>1</t:SoDinhDanh></t:TraCuu>"), "contract-mismatch"),
        (envelope(ASK, header="<x:A xmlns:x='urn:x' e:mustUnderstand='1'/>"), "soap-header"),
        (envelope(ASK).replace(SOAP11.encode(), b"urn:other"), "soap-version"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope(ASK), "malformed-xml"),
    ],
)
async def test_what_cannot_be_asked_is_a_fault(on: Services, content: bytes, code: str) -> None:
    answer = await post(on, content)
    assert fault(answer) == code, answer.text
    assert on.asked == []


async def test_rights_and_troubles_are_faults_with_the_codes_of_rest(on: Services) -> None:
    assert fault(await post(on, envelope(ASK), client=None)) == "unauthenticated"
    assert fault(await post(on, envelope(ASK), client="huyen")) == "forbidden"
    unsaid = await post(on, envelope(ASK), **{"Lgsp-Officer": ""})
    assert fault(unsaid) == "invalid-request"
    await on.register.set(Mode.BUSY)
    await on.declare(operations={})
    busy = await post(on, envelope(ASK))
    assert fault(busy) == "partner-unavailable"
    assert busy.headers["retry-after"]


async def test_an_access_in_soap_is_written_down_too(on: Services) -> None:
    await post(on, envelope(ASK), client="so-xay-dung")
    (row,) = await on.bus.ledger.accesses.find()
    assert (row.agency, row.fields) == (BUILD, tuple(sorted(LIMITED)))


async def test_the_published_contract_hides_where_the_partner_is(on: Services) -> None:
    http: httpx2.AsyncClient = on.bus.http
    wsdl = (await http.get("/services/cong-dan?wsdl")).text
    assert wsdl.count('location="http://bus/services/cong-dan"') == 2
    assert "127.0.0.1" not in wsdl
    schema = await http.get("/services/cong-dan?doc=citizens.xsd")
    assert schema.headers["content-type"].startswith("text/xml")
    assert b"SoDinhDanh" in schema.content
    assert (await http.get("/services/cong-dan?doc=../../etc/passwd")).status_code == 404
    assert (await http.get("/services/khong-co?wsdl")).status_code == 404
