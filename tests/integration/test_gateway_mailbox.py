"""The mailbox routes on both ledgers, and the mailbox client of the adapters against them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event

from adapters.http import open_session
from adapters.mailbox.sandbox import Account, MailboxClient
from adapters.receipts import ReceiptBook
from tests.integration.gateway_harness import (
    BUILD,
    COMMUNE,
    DISTRICT,
    OFFICE,
    Harness,
    opened,
    packet,
    served,
)


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(ledger_url, tmp_path) as harness:
        yield harness


async def waiting(bus: Harness, client: str, **query: object) -> list[dict[str, object]]:
    answer = await bus.call(client, "GET", "/api/v1/mailbox", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_listing_names_what_waits(bus: Harness) -> None:
    sent = packet(subject="Mời họp")
    receipt = (await bus.send("van-phong", sent)).json()
    (item,) = await waiting(bus, "so-xay-dung")
    assert item.pop("deliveryId")
    assert item == {
        "messageId": receipt["messageId"],
        "kind": "document",
        "sender": OFFICE,
        "receiver": BUILD,
        "size": len(sent),
        "sha256": hashlib.sha256(sent).hexdigest(),
        "acceptedAt": receipt["acceptedAt"],
        "lane": "normal",
        "subject": "Mời họp",
        "documentId": f"{OFFICE},2026/11/02,1/VP",
        "documentCode": "1/VP",
    }


async def test_urgent_first_then_in_order_of_acceptance_over_pages(bus: Harness) -> None:
    for number in range(1, 6):
        await bus.send("van-phong", packet(number=number, priority=2 if number == 4 else 0))
    codes: list[str] = []
    query: dict[str, object] = {"limit": 2}
    while True:
        page = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox", params=query)).json()
        codes += [item["documentCode"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert codes == ["4/VP", "1/VP", "2/VP", "3/VP", "5/VP"]


async def test_a_page_costs_the_same_number_of_queries_whatever_it_holds(bus: Harness) -> None:
    asked: list[str] = []

    @event.listens_for(bus.ledger.db._reader.sync_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    async def cost() -> tuple[int, int]:
        asked.clear()
        items = await waiting(bus, "so-xay-dung")
        return len(items), sum("FROM delivery" in each or "FROM message" in each for each in asked)

    await bus.token("so-xay-dung")
    await bus.send("van-phong", packet(number=1))
    one = await cost()
    for number in range(2, 12):
        await bus.send("van-phong", packet(number=number))
    many = await cost()
    assert (one, many) == ((1, 2), (11, 2))  # one for each lane


async def test_kind_can_be_asked_for(bus: Harness) -> None:
    await bus.send("van-phong", packet(number=1))
    status = {
        "sender": {"organId": OFFICE},
        "responseFor": {"organId": BUILD, "code": "7/XD", "documentId": "7"},
        "statusCode": "03",
        "timestamp": "2026-11-02T09:05:00",
    }
    await bus.call("van-phong", "POST", "/api/v1/documents/status", json=status)
    for kind in ("document", "status"):
        assert [item["kind"] for item in await waiting(bus, "so-xay-dung", kind=kind)] == [kind]
    assert len(await waiting(bus, "so-xay-dung")) == 2


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["in the row", "in the blob store"])
async def test_content_is_the_original_with_its_digest(bus: Harness, size: int) -> None:
    sent = packet(subject="x" * size) if size < 1000 else _with_attachment(size)
    await bus.send("van-phong", sent)
    (item,) = await waiting(bus, "so-xay-dung")
    path = f"/api/v1/mailbox/{item['deliveryId']}/content"
    got = await bus.call("so-xay-dung", "GET", path)
    assert got.content == sent
    digest = hashlib.sha256(sent)
    assert got.headers["etag"] == f'"{digest.hexdigest()}"'
    assert got.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert got.headers["content-length"] == str(len(sent))


def _with_attachment(size: int) -> bytes:
    encoded = base64.b64encode(b"%PDF-1.7" + bytes(size))
    ns = b'xmlns:e="http://www.mic.gov.vn/TBT/QCVN_102_2016"'
    attachment = (
        b"<AttachmentEncoded><Attachment><ContentId>cid:1</ContentId>"
        b"<AttachmentName>a.pdf</AttachmentName><e:ContentTransferEncoded "
        + ns
        + b">"
        + encoded
        + b"</e:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>"
    )
    return packet().removesuffix(b"</edXML>") + attachment


async def test_fetching_is_journalled_and_looking_is_not(bus: Harness) -> None:
    receipt = (await bus.send("van-phong", packet())).json()
    (item,) = await waiting(bus, "so-xay-dung")
    path = f"/api/v1/mailbox/{item['deliveryId']}/content"
    head = await bus.call("so-xay-dung", "HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(item["size"])
    await bus.call("so-xay-dung", "GET", path)
    entries = await bus.ledger.queries.journal(message_id=receipt["messageId"])
    fetched = [(row.actor, row.delivery_id) for row in entries if row.event == "fetched"]
    assert fetched == [("client:so-xay-dung", item["deliveryId"])]


async def test_acknowledging_takes_it_out_and_may_be_repeated(bus: Harness) -> None:
    await bus.send("van-phong", packet())
    (item,) = await waiting(bus, "so-xay-dung")
    path = f"/api/v1/mailbox/{item['deliveryId']}/ack"
    ack = {"result": "delivered", "receipt": "VB-7"}
    first = await bus.call("so-xay-dung", "POST", path, json=ack)
    again = await bus.call("so-xay-dung", "POST", path, json=ack)
    assert (first.status_code, again.json()) == (200, first.json())
    assert first.json() == {"deliveryId": item["deliveryId"], "state": "delivered"}
    assert await waiting(bus, "so-xay-dung") == []
    refusal = await bus.call("so-xay-dung", "POST", path, json={"result": "rejected"})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "conflict")
    content = await bus.call("so-xay-dung", "GET", path.replace("/ack", "/content"))
    assert content.status_code == 200  # fetched again after a crash on the other side


@pytest.mark.parametrize(
    "ack",
    [
        {},
        {"result": "lost"},
        {"result": "delivered", "x": 1},
        {"result": "delivered", "receipt": "x" * 201},
    ],
)
async def test_unreadable_acknowledgement_changes_nothing(
    bus: Harness, ack: dict[str, object]
) -> None:
    await bus.send("van-phong", packet())
    (item,) = await waiting(bus, "so-xay-dung")
    path = f"/api/v1/mailbox/{item['deliveryId']}/ack"
    answer = await bus.call("so-xay-dung", "POST", path, json=ack)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
    assert len(await waiting(bus, "so-xay-dung")) == 1


async def test_parent_fetches_for_the_agencies_below_it(bus: Harness) -> None:
    await bus.send("van-phong", packet(to=(COMMUNE, DISTRICT)))
    assert {item["receiver"] for item in await waiting(bus, "huyen")} == {COMMUNE, DISTRICT}
    assert [item["receiver"] for item in await waiting(bus, "huyen", agency=COMMUNE)] == [COMMUNE]


async def test_unknown_cursor_is_refused(bus: Harness) -> None:
    query = {"cursor": "x"}
    answer = await bus.call("so-xay-dung", "GET", "/api/v1/mailbox", params=query)
    assert (answer.status_code, answer.json()["context"]) == (400, {"field": "cursor"})


async def test_mailbox_client_of_the_adapters_works_over_http(bus: Harness) -> None:
    """The sandbox that other tests trust speaks the protocol these routes serve."""
    for number in range(1, 8):
        await bus.send("van-phong", packet(number=number))

    def refuse(content: bytes) -> str | None:
        return "Không đúng thẩm quyền" if b">5</e:CodeNumber>" in content else None

    account = Account(BUILD, "so-xay-dung", bus.keys["so-xay-dung"])
    async with served(bus.app) as url, open_session() as http:
        with ReceiptBook() as book:
            client = MailboxClient(url, account, book, http, refuse=refuse, parallel=3, page=4)
            assert await client.poll() == 7
            assert client.problems == []
            assert await client.poll() == 0
    mine = (await bus.call("van-phong", "GET", "/api/v1/messages")).json()["items"]
    states = [
        (await bus.call("van-phong", "GET", f"/api/v1/messages/{each['messageId']}")).json()
        for each in mine
    ]
    assert [each["deliveries"][0]["state"] for each in states] == [
        "delivered",
        "delivered",
        "rejected",
        "delivered",
        "delivered",
        "delivered",
        "delivered",
    ]
