"""The mailbox protocol as its simulated client speaks it, beyond the conformance suite."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

import adapters.mailbox
from adapters.http import open_session
from adapters.mailbox.codec import Ack, Listing
from adapters.mailbox.sandbox import Account, MailboxClient, MailboxProblem, SimulatedCrash
from adapters.receipts import ReceiptBook
from tests.contract.adapter_mailbox import ACCOUNT, MailboxServer
from tests.waiting import wait_until

README = (Path(adapters.mailbox.__path__[0]) / "README.md").read_text()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[MailboxServer]:
    server = MailboxServer()
    await server.start()
    yield server
    await server.close()


def status(packet: bytes, code: str) -> bytes:
    return b"<status code='%s'>%s</status>" % (code.encode(), packet)


def test_the_examples_of_the_readme_are_read_and_written() -> None:
    listing, ack = (each.split("```")[0] for each in README.split("```json\n")[1:])
    (item,) = Listing.model_validate_json(listing).items
    assert (item.delivery_id, item.lane, item.subject) == (123, "urgent", "Báo cáo tháng 11")
    assert json.loads(Ack("delivered", receipt="VB-00000001").to_json()) == json.loads(ack)


async def test_statuses_are_sent_for_documents_only(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    document, reply = server.put(b"<a/>"), server.put(b"<b/>", kind="status")
    client = MailboxClient(server.url, ACCOUNT, ReceiptBook(), http, make_status=status)
    assert await client.poll() == 2
    assert reply.ack is not None
    assert server.documents == {
        f"{document.message_id}-01": b"<status code='01'><a/></status>",
        f"{document.message_id}-03": b"<status code='03'><a/></status>",
    }
    assert client.statuses_sent == 2


async def test_no_status_is_sent_where_none_is_made(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    server.put(b"<a/>")
    client = MailboxClient(server.url, ACCOUNT, ReceiptBook(), http, make_status=lambda *_: None)
    assert await client.poll() == 1
    assert server.documents == {}


async def test_a_status_repeated_after_a_crash_keeps_its_key(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    item = server.put(b"<a/>")
    book = ReceiptBook()
    client = MailboxClient(server.url, ACCOUNT, book, http, make_status=status)
    for place in ("after-fetch", "after-store"):
        client.crash = place
        with pytest.raises(SimulatedCrash):
            await client.poll()
    assert await client.poll() == 1
    assert (len(book.effects), book.repeats) == (1, 1)
    assert set(server.documents) == {f"{item.message_id}-01", f"{item.message_id}-03"}


async def test_a_wrong_digest_is_not_acknowledged_and_stops_no_other(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    bad, good = server.put(b"<a/>", sha256="0" * 64), server.put(b"<b/>")
    book = ReceiptBook()
    client = MailboxClient(server.url, ACCOUNT, book, http)
    assert await client.poll() == 1
    assert bad.ack is None
    assert good.ack == {"result": "delivered", "receipt": "VB-00000001"}
    assert set(book.effects) == {good.message_id}
    assert "digest" in client.problems[0]


async def test_a_refusal_carries_its_reason_and_has_no_effect(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    item = server.put(b"<a/>")
    book = ReceiptBook()
    client = MailboxClient(server.url, ACCOUNT, book, http, refuse=lambda _: "Sai nơi nhận")
    assert await client.poll() == 1
    assert item.ack == {"result": "rejected", "reason": "Sai nơi nhận"}
    assert book.effects == {}


async def test_a_revoked_token_is_replaced(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    client = MailboxClient(server.url, ACCOUNT, ReceiptBook(), http)
    await client.poll()
    server.tokens.clear()
    server.put(b"<a/>")
    assert await client.poll() == 1


async def test_wrong_credentials_and_wrong_agencies_are_told(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    for account, status_code in [
        (Account(ACCOUNT.agency, ACCOUNT.client_id, "wrong"), "401"),
        (Account("H38.99", ACCOUNT.client_id, ACCOUNT.client_secret), "403"),
    ]:
        client = MailboxClient(server.url, account, ReceiptBook(), http)
        with pytest.raises(MailboxProblem, match=status_code):
            await client.poll()


def test_the_client_secret_is_not_shown() -> None:
    assert ACCOUNT.client_secret not in repr(ACCOUNT)


async def test_packets_are_handled_side_by_side(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    items = [server.put(b"<a>%d</a>" % number) for number in range(45)]
    book = ReceiptBook()
    client = MailboxClient(server.url, ACCOUNT, book, http, parallel=10, page=20)
    assert await client.poll() == 45
    assert all(each.ack for each in items)
    assert len(book.received) == 45


async def test_it_goes_on_polling_when_the_bus_comes_back(
    server: MailboxServer, http: aiohttp.ClientSession
) -> None:
    client = MailboxClient(server.url, ACCOUNT, ReceiptBook(), http)
    stop = asyncio.Event()
    server.tokens.clear()
    running = asyncio.create_task(client.run(stop, interval=0.02))
    first = server.put(b"<a/>")
    await wait_until(lambda: first.ack, what="the first acknowledged")
    second = server.put(b"<b/>")
    await wait_until(lambda: second.ack, what="the second acknowledged")
    stop.set()
    await running


async def test_it_waits_while_the_bus_is_away(
    http: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    client = MailboxClient(url, ACCOUNT, ReceiptBook(), http)
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.poll()
    stop = asyncio.Event()
    running = asyncio.create_task(client.run(stop, interval=30))
    stop.set()
    async with asyncio.timeout(5):
        await running


async def test_the_sandbox_runs_as_a_process(server: MailboxServer, tmp_path: Path) -> None:
    item = server.put(b"<a/>")
    (tmp_path / "secret").write_text(ACCOUNT.client_secret)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "adapters.mailbox.sandbox", "--url", server.url, "--agency", ACCOUNT.agency),
        *("--client-id", ACCOUNT.client_id, "--client-secret-file", str(tmp_path / "secret")),
        *("--log", str(tmp_path / "log")),
    )
    try:
        await wait_until(lambda: item.ack, deadline=30, what="the packet acknowledged")
    finally:
        process.terminate()
        assert await process.wait() == 0
    assert item.message_id.encode() in (tmp_path / "log").read_bytes()
