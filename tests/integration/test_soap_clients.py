"""Foreign SOAP clients against the served WSDL: zeep (Python) and PHP's SoapClient."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zeep
import zeep.exceptions
import zeep.wsse.username
from zeep.helpers import serialize_object

from schemas.soap import NAMESPACE
from tests.integration.gateway_harness import BUILD, OFFICE, Harness, opened, packet, served

SECONDS = 60


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(sqlite_url, tmp_path) as harness:
        yield harness


class ZeepClient:
    """zeep as a user of it would write: WSDL from the server, objects in and out."""

    def __init__(self, url: str, port: str, *, username: str, key: str) -> None:
        token = zeep.wsse.username.UsernameToken(username, key)  # type: ignore[no-untyped-call]
        address = f"{url}/soap/documents?wsdl"
        self._client = zeep.Client(address, wsse=token)  # type: ignore[no-untyped-call]
        self._service = self._client.bind("DocumentsService", port)

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._service, operation)

    def close(self) -> None:
        self._client.transport.session.close()


def _talk_zeep(url: str, port: str, keys: dict[str, str]) -> dict[str, Any]:
    office = ZeepClient(url, port, username="van-phong", key=keys["van-phong"])
    build = ZeepClient(url, port, username="so-xay-dung", key=keys["so-xay-dung"])
    try:
        sent = packet()
        receipt = office.SendDocument(messageRef="VP-1", packet=sent)
        again = office.SendDocument(messageRef="VP-1", packet=sent)
        listed = build.ListWaiting(kind="document")
        (delivery,) = listed.delivery
        fetched = build.FetchDocument(deliveryId=delivery.deliveryId)
        state = build.Acknowledge(deliveryId=delivery.deliveryId, result="delivered", receipt="7")
        status = {
            "sender": {"organId": BUILD},
            "responseFor": {"organId": OFFICE, "code": "1/VP"},
            "statusCode": "03",
            "timestamp": "2026-11-02T09:05:00",
        }
        told = build.SendStatus(status=status)
        agencies = office.SearchAgencies(query="xây dựng")
        with pytest.raises(zeep.exceptions.Fault) as failed:
            office.SendDocument(packet=packet(sender=BUILD))
        problem = failed.value.detail[0]
        found = serialize_object(agencies.agency)  # type: ignore[no-untyped-call]
        return {
            "same": receipt.messageId == again.messageId and again.duplicate,
            "outcome": receipt.receiver[0].outcome,
            "code": delivery.documentCode,
            "content": fetched.packet == sent,
            "state": state.state,
            "status from": told.sender,
            "agencies": [each["code"] for each in found],
            "fault": (failed.value.code, problem.findtext(f"{{{NAMESPACE}}}code")),
        }
    finally:
        office.close()
        build.close()


@pytest.mark.parametrize(
    ("port", "sender"), [("DocumentsSoap11", "Client"), ("DocumentsSoap12", "Sender")]
)
async def test_zeep(bus: Harness, port: str, sender: str) -> None:
    async with served(bus.app) as url:
        told = await asyncio.to_thread(_talk_zeep, url, port, bus.keys)
    code, problem = told.pop("fault")
    assert (code.rpartition(":")[2], problem) == (sender, "forbidden")
    assert told == {
        "same": True,
        "outcome": "deliver",
        "code": "1/VP",
        "content": True,
        "state": "delivered",
        "status from": BUILD,
        "agencies": [BUILD],
    }


PHP = r"""<?php
ini_set('soap.wsdl_cache_enabled', '0');
function client(string $token): SoapClient {
    $http = ['header' => "Authorization: Bearer $token"];
    return new SoapClient(getenv('URL') . '/soap/documents?wsdl', [
        'soap_version' => (int) getenv('VERSION'),
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'stream_context' => stream_context_create(['http' => $http]),
    ]);
}
$office = client(getenv('OFFICE'));
$build = client(getenv('BUILD'));
$packet = file_get_contents(getenv('PACKET'));
$receipt = $office->SendDocument(['messageRef' => 'VP-1', 'packet' => $packet])->receipt;
$again = $office->SendDocument(['messageRef' => 'VP-1', 'packet' => $packet])->receipt;
$delivery = $build->ListWaiting(['kind' => 'document'])->delivery[0];
$fetched = $build->FetchDocument(['deliveryId' => $delivery->deliveryId]);
$state = $build->Acknowledge([
    'deliveryId' => $delivery->deliveryId, 'result' => 'delivered', 'receipt' => '7',
])->state;
$told = $build->SendStatus(['status' => [
    'sender' => ['organId' => 'H38.02'],
    'responseFor' => ['organId' => 'H38.01', 'code' => '1/VP'],
    'statusCode' => '03',
    'timestamp' => '2026-11-02T09:05:00',
]])->receipt;
$agencies = $office->SearchAgencies(['query' => 'xây dựng'])->agency;
try {
    $build->SendDocument(['packet' => $packet]);
    $fault = null;
} catch (SoapFault $caught) {
    $fault = [$caught->faultcode, $caught->detail->Problem->code, $caught->getMessage()];
}
echo json_encode([
    'same' => $receipt->messageId === $again->messageId && $again->duplicate,
    'outcome' => $receipt->receiver[0]->outcome,
    'code' => $delivery->documentCode,
    'content' => $fetched->packet === $packet,
    'state' => $state,
    'status from' => $told->sender,
    'agencies' => array_map(fn ($each) => $each->code, $agencies),
    'fault' => $fault,
]);
"""


@pytest.mark.parametrize(("version", "sender"), [(1, "Client"), (2, "Sender")])
async def test_php(bus: Harness, php: str, tmp_path: Path, version: int, sender: str) -> None:
    script, content = tmp_path / "client.php", tmp_path / "packet.edxml"
    script.write_text(PHP, "utf-8")
    content.write_bytes(packet())
    async with served(bus.app) as url:
        told = await _run_php(
            php,
            script,
            URL=url,
            VERSION=str(version),
            OFFICE=await bus.token("van-phong"),
            BUILD=await bus.token("so-xay-dung"),
            PACKET=str(content),
        )
    code, problem, text = told.pop("fault")
    assert (code.rpartition(":")[2], problem) == (sender, "forbidden")
    assert text.startswith("Không có quyền: ")
    assert told == {
        "same": True,
        "outcome": "deliver",
        "code": "1/VP",
        "content": True,
        "state": "delivered",
        "status from": BUILD,
        "agencies": [BUILD],
    }


async def _run_php(php: str, script: Path, **environment: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        php,
        str(script),
        env=dict(os.environ) | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    told: dict[str, Any] = json.loads(output)
    return told
