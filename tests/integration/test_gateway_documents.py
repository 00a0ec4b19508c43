"""Sending documents and statuses, and following them, on both ledgers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.edxml import DocumentPacket, read
from tests.integration.gateway_harness import (
    BUILD,
    DISTRICT,
    HEALTH,
    OFFICE,
    Harness,
    opened,
    packet,
)

DOCUMENT = {
    "header": {
        "sender": {"organId": OFFICE},
        "receivers": [{"organId": BUILD}],
        "code": {"number": "9", "notation": "VP"},
        "subject": "Kèm tệp",
        "documentId": f"{OFFICE},2026/11/02,9/VP",
    },
    "trace": {"traceHeaders": [{"organId": OFFICE, "timestamp": "2026-11-02T08:00:00"}]},
}
STATUS = {
    "sender": {"organId": BUILD},
    "responseFor": {"organId": OFFICE, "code": "1/VP", "documentId": f"{OFFICE},2026/11/02,1/VP"},
    "statusCode": "03",
    "timestamp": "2026-11-02T09:05:00",
}


@pytest.fixture
async def bus(ledger_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(ledger_url, tmp_path) as harness:
        yield harness


async def form(bus: Harness, files: list[tuple[str, bytes]], key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    parts = [("file", (name, content, "application/pdf")) for name, content in files]
    return await bus.call(
        "van-phong",
        "POST",
        "/api/v1/documents",
        headers=headers,
        data={"document": json.dumps(DOCUMENT)},
        files=parts or {"file": ("", b"")},
    )


async def test_raw_packet_gets_a_receipt_and_is_kept_byte_for_byte(bus: Harness) -> None:
    sent = packet()
    answer = await bus.send("van-phong", sent, "VP-1")
    assert answer.status_code == 202
    receipt = answer.json()
    assert receipt["messageRef"] == "VP-1"
    assert receipt["sender"] == OFFICE
    assert receipt["sha256"] == hashlib.sha256(sent).hexdigest()
    assert receipt["receivers"] == [
        {
            "code": BUILD,
            "agency": BUILD,
            "name": "Sở Xây dựng",
            "outcome": "deliver",
            "endpoint": "hop-thu",
        }
    ]
    assert answer.headers["location"] == f"/api/v1/messages/{receipt['messageId']}"
    assert "lgsp-duplicate" not in answer.headers
    async with bus.ledger.original(receipt["messageId"]) as pieces:
        assert b"".join([piece async for piece in pieces]) == sent


@pytest.mark.parametrize("key", ["VP-1", None])
async def test_repeat_gets_the_same_bytes(bus: Harness, key: str | None) -> None:
    first = await bus.send("van-phong", packet(), key)
    again = await bus.send("van-phong", packet(), key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["lgsp-duplicate"] == "true"
    assert len((await bus.call("van-phong", "GET", "/api/v1/messages")).json()["items"]) == 1


async def test_same_id_with_other_content_is_a_conflict(bus: Harness) -> None:
    await bus.send("van-phong", packet(number=1), "VP-1")
    answer = await bus.send("van-phong", packet(number=2), "VP-1")
    assert answer.status_code == 409
    assert answer.json()["code"] == "duplicate-message"


async def test_ids_of_two_senders_do_not_meet(bus: Harness) -> None:
    await bus.send("van-phong", packet(), "1")
    other = await bus.send("so-y-te", packet(sender=HEALTH), "1")
    assert other.status_code == 202
    assert "lgsp-duplicate" not in other.headers


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "\x7f"])
async def test_unusable_idempotency_key_is_refused(bus: Harness, key: str) -> None:
    answer = await bus.send("van-phong", packet(), key)
    assert answer.status_code == 400
    assert answer.json()["context"] == {"field": "Idempotency-Key"}


async def test_form_becomes_a_packet_with_the_files_inside(bus: Harness) -> None:
    files = [("công văn.pdf", b"%PDF-1.7 " + bytes(range(256)) * 9000), ("C:\\x\\b.txt", b"abc")]
    answer = await form(bus, files)
    assert answer.status_code == 202, answer.text
    async with bus.ledger.original(answer.json()["messageId"]) as pieces:
        stored = b"".join([piece async for piece in pieces])
    read_back = read(stored)
    assert isinstance(read_back, DocumentPacket)
    assert read_back.header.subject == "Kèm tệp"
    assert [each.info.attachment_name for each in read_back.attachments] == [
        "công văn.pdf",
        "b.txt",
    ]
    digests = [hashlib.sha256(content).hexdigest() for _, content in files]
    assert [each.content.sha256 for each in read_back.attachments] == digests


async def test_repeated_form_is_recognised_and_changed_file_is_not(bus: Harness) -> None:
    first = await form(bus, [("a.pdf", b"%PDF-1.4")], "F-1")
    again = await form(bus, [("a.pdf", b"%PDF-1.4")], "F-1")
    other = await form(bus, [("a.pdf", b"%PDF-1.5")], "F-1")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["lgsp-duplicate"] == "true"
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "not JSON"),
        (json.dumps({"header": {"senders": {}}}), "header.senders"),
        (json.dumps({"header": {"dueDate": "mai"}}), "header.dueDate"),
        ("[" * 40 + "]" * 40, "nested"),
    ],
)
async def test_unreadable_document_part_names_the_field(
    bus: Harness, document: str, told: str
) -> None:
    answer = await bus.call(
        "van-phong", "POST", "/api/v1/documents", data={"document": document}, files={"f": b"x"}
    )
    assert answer.status_code == 400
    assert told in answer.json()["detailEn"]


async def test_status_as_json_reaches_the_sender_of_the_document(bus: Harness) -> None:
    await bus.send("van-phong", packet())
    answer = await bus.call("so-xay-dung", "POST", "/api/v1/documents/status", json=STATUS)
    again = await bus.call("so-xay-dung", "POST", "/api/v1/documents/status", json=STATUS)
    assert answer.status_code == 202, answer.text
    assert again.content == answer.content
    waiting = (await bus.call("van-phong", "GET", "/api/v1/mailbox")).json()["items"]
    assert [(each["kind"], each["sender"]) for each in waiting] == [("status", BUILD)]
    content = await bus.call(
        "van-phong", "GET", f"/api/v1/mailbox/{waiting[0]['deliveryId']}/content"
    )
    assert b"<edXML:StatusCode>03</edXML:StatusCode>" in content.content


async def test_unknown_status_code_is_refused(bus: Harness) -> None:
    wrong = STATUS | {"statusCode": "07"}
    answer = await bus.call("so-xay-dung", "POST", "/api/v1/documents/status", json=wrong)
    assert answer.status_code == 400
    assert "01, 02" in answer.json()["detailEn"]


async def test_unknown_receiver_is_told_apart_from_a_known_one(bus: Harness) -> None:
    none = await bus.send("van-phong", packet(to=("H38.99",)))
    one = await bus.send("van-phong", packet(to=("H38.99", BUILD)))
    assert (none.status_code, none.json()["code"]) == (422, "unknown-receiver")
    assert one.status_code == 202
    outcomes = [(each["code"], each["outcome"]) for each in one.json()["receivers"]]
    assert outcomes == [("H38.99", "unknown"), (BUILD, "deliver")]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "malformed-xml"),
        (b"<a>", 400, "malformed-xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 400, "malformed-xml"),
        (b"<a/>", 422, "malformed-packet"),
    ],
)
async def test_what_is_no_packet_is_refused(
    bus: Harness, content: bytes, status: int, code: str
) -> None:
    answer = await bus.send("van-phong", content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_other_media_types_are_refused_with_those_served(bus: Harness) -> None:
    answer = await bus.call(
        "van-phong",
        "POST",
        "/api/v1/documents",
        headers={"Content-Type": "text/html"},
        content=b"x",
    )
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.headers["accept-post"]


async def test_following_a_message_shows_states_and_reasons(bus: Harness) -> None:
    sent = await bus.send("van-phong", packet(to=(BUILD, HEALTH), subject="Họp giao ban"))
    message_id = sent.json()["messageId"]
    for item in (await bus.call("so-y-te", "GET", "/api/v1/mailbox")).json()["items"]:
        refusal = {"result": "rejected", "reason": "Không đúng thẩm quyền"}
        await bus.call("so-y-te", "POST", f"/api/v1/mailbox/{item['deliveryId']}/ack", json=refusal)
    shown = (await bus.call("van-phong", "GET", f"/api/v1/messages/{message_id}")).json()
    by_receiver = {each["receivers"][0]: each for each in shown["deliveries"]}
    assert by_receiver[BUILD]["state"] == "queued"
    assert by_receiver[HEALTH]["state"] == "rejected"
    assert by_receiver[HEALTH]["reason"] == "Không đúng thẩm quyền"
    assert by_receiver[HEALTH]["stateVi"] == "Hệ thống nhận từ chối, xem lý do"
    assert shown["subject"] == "Họp giao ban"
    assert shown["correlationId"] == sent.headers["x-correlation-id"]
    assert all(each["stepsVi"] and each["stepsEn"] for each in shown["decision"])


async def test_messages_are_paged_newest_first_and_filtered(bus: Harness) -> None:
    ids = [(await bus.send("van-phong", packet(number=n))).json()["messageId"] for n in range(1, 6)]
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await bus.call("van-phong", "GET", "/api/v1/messages", params=query)).json()
        seen += [item["messageId"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    one = {"documentId": f"{OFFICE},2026/11/02,3/VP"}
    found = (await bus.call("van-phong", "GET", "/api/v1/messages", params=one)).json()["items"]
    assert [item["messageId"] for item in found] == [ids[2]]
    late = {"since": found[0]["acceptedAt"]}
    found = (await bus.call("van-phong", "GET", "/api/v1/messages", params=late)).json()["items"]
    assert [item["messageId"] for item in found] == ids[:1:-1]


async def test_sender_withdraws_what_was_not_fetched(bus: Harness) -> None:
    sent = (await bus.send("van-phong", packet(to=(BUILD, HEALTH)))).json()["messageId"]
    item = (await bus.call("so-y-te", "GET", "/api/v1/mailbox")).json()["items"][0]
    ack = f"/api/v1/mailbox/{item['deliveryId']}/ack"
    await bus.call("so-y-te", "POST", ack, json={"result": "delivered"})
    path = f"/api/v1/messages/{sent}/cancel"
    first = await bus.call("van-phong", "POST", path, json={"reason": "Gửi nhầm"})
    again = await bus.call("van-phong", "POST", path, json={})
    assert (first.status_code, again.json()) == (200, first.json())
    assert len(first.json()["cancelled"]) == 1
    assert [each["state"] for each in first.json()["notCancelled"]] == ["delivered"]
    assert (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"] == []


async def test_nothing_left_to_withdraw_is_a_conflict(bus: Harness) -> None:
    sent = (await bus.send("van-phong", packet())).json()["messageId"]
    item = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"][0]
    ack = f"/api/v1/mailbox/{item['deliveryId']}/ack"
    await bus.call("so-xay-dung", "POST", ack, json={"result": "delivered"})
    answer = await bus.call("van-phong", "POST", f"/api/v1/messages/{sent}/cancel", json={})
    assert (answer.status_code, answer.json()["context"]) == (409, {"states": "delivered"})


async def test_parent_agency_sends_for_those_below_it(bus: Harness) -> None:
    answer = await bus.send("huyen", packet(sender="H38.30.07", to=(DISTRICT,)))
    assert answer.status_code == 202
    assert answer.json()["sender"] == "H38.30.07"


async def test_old_code_of_the_sender_is_the_same_agency(bus: Harness) -> None:
    answer = await bus.send("van-phong", packet(sender="000.00.01.H38"))
    assert (answer.status_code, answer.json()["sender"]) == (202, OFFICE)


async def test_directory_is_searched_without_diacritics_and_by_alias(bus: Harness) -> None:
    found = (await bus.call("so-y-te", "GET", "/api/v1/agencies", params={"q": "xay dung"})).json()
    assert [each["code"] for each in found["items"]] == [BUILD]
    one = await bus.call("so-y-te", "GET", "/api/v1/agencies/000.00.01.h38")
    assert one.json()["code"] == OFFICE
    assert one.json()["connected"] is True
    gone = await bus.call("so-y-te", "GET", "/api/v1/agencies/H38.77")
    assert gone.status_code == 404


async def test_directory_pages_reach_every_agency_once(bus: Harness) -> None:
    codes: list[str] = []
    query: dict[str, object] = {"limit": 2}
    while True:
        page = (await bus.call("so-y-te", "GET", "/api/v1/agencies", params=query)).json()
        codes += [each["code"] for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert codes == ["H38", OFFICE, BUILD, HEALTH, DISTRICT, "H38.30.07"]
