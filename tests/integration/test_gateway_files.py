"""Papers of dossiers: kept, fetched by their URL alone, and by nothing like it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus.gateway.limits import GatewayLimits
from bus.ledger.backup import needed_blobs
from schemas.instant import SECOND
from tests.integration.gateway_harness import Harness, opened

CODE = "H38.02-261102-0001"
BASE = "https://lgsp.example"
CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 9_000  # more than a JSON body may have


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    limits = GatewayLimits(public_url=BASE, file_days=30)
    async with opened(ledger_url, tmp_path, limits=limits, secrets=lambda _: b"khoa") as harness:
        yield harness


async def keep(bus: Harness, content: bytes, *, client: str = "so-xay-dung", **query: str) -> Any:
    given = {"name": "Đơn đề nghị.pdf"} | query
    path = f"/api/v1/dossiers/{CODE}/files"
    headers = {"Content-Type": "application/pdf"}
    return await bus.call(client, "POST", path, params=given, content=content, headers=headers)


async def fetch(bus: Harness, url: str) -> Any:
    return await bus.http.get(url.removeprefix(BASE))


async def test_7_a_portal_gets_the_bytes_from_a_url_that_stays_the_same(bus: Harness) -> None:
    kept = await keep(bus, CONTENT)
    assert kept.status_code == 201, kept.text
    url = kept.json()["url"]
    assert (await keep(bus, CONTENT)).json() == kept.json(), "stable between syncs"
    assert (await keep(bus, CONTENT + b"2")).json()["url"] != url
    fetched = await fetch(bus, url)
    assert (fetched.status_code, fetched.content) == (200, CONTENT)
    assert fetched.headers["content-type"] == "application/pdf"
    assert fetched.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert "Đơn" not in url
    sha256 = kept.json()["sha256"]
    assert await bus.ledger.queries.named_blobs([sha256]) == {sha256}, "the sweep lets it be"
    url_of_ledger = bus.ledger.db.url.render_as_string(hide_password=False)
    assert sha256 in await needed_blobs(url_of_ledger), "a backup copies it"


async def test_8_nothing_but_the_url_itself_opens_a_paper(bus: Harness) -> None:
    url: str = (await keep(bus, CONTENT)).json()["url"]
    path, _, token = url.rpartition("/")
    turned = "B" if token[3] != "B" else "C"
    for wrong in (token[:3] + turned + token[4:], token[:-4], "", "x", "á", "A" * 48, "A" * 100):
        assert (await fetch(bus, f"{path}/{wrong}")).status_code == 404, wrong
    assert (await keep(bus, b"x", client="so-y-te")).status_code == 403


async def test_a_url_ends(bus: Harness) -> None:
    url: str = (await keep(bus, CONTENT)).json()["url"]
    now = bus.ledger.clock()
    bus.ledger.clock = lambda: now + 29 * 86_400 * SECOND
    assert (await fetch(bus, url)).status_code == 200
    bus.ledger.clock = lambda: now + 32 * 86_400 * SECOND
    assert (await fetch(bus, url)).status_code == 404


async def test_without_an_address_or_a_key_the_administrator_is_named(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with opened(sqlite_url, tmp_path) as bus:
        answer = await keep(bus, b"x")
        assert (answer.status_code, answer.json()["whoMustAct"]) == (500, "administrator")
