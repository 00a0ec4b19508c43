"""Requests as .NET and Java write them, and attacks, at the SOAP door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.gateway_harness import OFFICE, Harness, opened
from tests.integration.soap_harness import SOAP_11, SOAP_12, answer, fault, post, value

VECTORS = Path(__file__).parents[1] / "vectors"
REQUESTS = sorted((VECTORS / "soap").glob("*.http"))
ATTACKS = sorted((VECTORS / "xml_attacks").glob("*.xml"))


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(sqlite_url, tmp_path) as harness:
        yield harness


@pytest.mark.parametrize("request_file", REQUESTS, ids=lambda path: path.stem)
async def test_what_other_clients_send_is_taken(bus: Harness, request_file: Path) -> None:
    head, _, body = request_file.read_bytes().partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    version = SOAP_12 if "_12" in request_file.stem else SOAP_11
    body = body.replace(b"@KEY@", bus.keys["van-phong"].encode())
    client = None if b"UsernameToken" in body else "van-phong"
    media = headers.pop("Content-Type")
    receipt = answer(await post(bus, client, body, media, **headers), version)
    assert value(receipt, "receipt", "sender") == OFFICE
    row = await bus.ledger.queries.message(value(receipt, "receipt", "messageId"))
    assert row is not None
    assert row.document_code == "1/VP"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda path: path.stem)
async def test_attacks_get_a_fault_that_names_them(bus: Harness, attack: Path) -> None:
    content = attack.read_bytes()
    code, stable = fault(await post(bus, "van-phong", content))
    assert code in {"Client", "VersionMismatch"}
    assert stable in {"malformed-xml", "too-large", "invalid-request", "soap-version"}


def test_there_are_vectors() -> None:
    assert len(REQUESTS) >= 4
    assert len(ATTACKS) >= 10
