"""Document systems written for the national axis work against the bus, by address and secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.http import open_session
from adapters.registry import create
from adapters.vxp import codec
from adapters.vxp.facade import FILE_PART, VxpFacade
from adapters.vxp.signing import hash_file
from bus.engine.collect import EndpointInbox
from bus.ledger.config_store import Change
from schemas.adapter import OutboundDelivery, Result
from schemas.message import Lane
from schemas.province import Agency, Client
from tests.integration.gateway_harness import (
    BUILD,
    CLIENTS,
    HEALTH,
    OFFICE,
    Harness,
    opened,
    packet,
    served,
)
from tests.integration.test_exchange import status
from tests.waiting import wait_until

SYSTEMS = {"van-phong": "00.38.W01", "so-xay-dung": "00.38.W02"}
SECRETS = {"khoa-vp": b"c2VjcmV0LXZhbi1waG9uZw==", "khoa-sxd": b"c2VjcmV0LXNvLXhheS1kdW5n"}
KEYS = {"00.38.W01": "khoa-vp", "00.38.W02": "khoa-sxd"}


def secret(name: str) -> bytes:
    return SECRETS[name]


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    facades = {"/vxp": VxpFacade()}
    async with opened(sqlite_url, tmp_path, facades=facades, secrets=secret) as harness:
        for client in CLIENTS:
            system = SYSTEMS.get(client.id)
            if system is not None:
                more = {"system_id": system, "secret": KEYS[system]}
                await harness.declare("client", client, client.model_copy(update=more))
        yield harness


async def call(
    bus: Harness,
    operation: str,
    fields: dict[str, str] | None = None,
    *,
    system: str = "00.38.W01",
    key: bytes | None = None,
    at: datetime | None = None,
    headers: dict[str, str] | None = None,
    content: bytes | None = b"",
    **given: Any,
) -> Any:
    """As the vendor's client signs and sends it (header names and order as on the wire)."""
    kind = codec.OCTETS if operation == "sendEdoc" else codec.JSON
    signed = codec.request_headers(
        fields or {},
        system=system,
        secret=key or SECRETS[KEYS.get(system, "khoa-vp")],
        now=at or _moment(),
        content=kind,
    )
    method = "GET" if operation.startswith(("count", "download")) else "POST"
    if "files" in given:
        signed.pop("Content-Type")
    else:
        given["content"] = content
    return await bus.http.request(
        method, f"/vxp/{operation}", headers=signed | (headers or {}), **given
    )


_last = datetime.fromtimestamp(0, UTC)


def _moment() -> datetime:
    """No millisecond twice: equal requests would be replays."""
    global _last  # noqa: PLW0603
    _last = max(datetime.now(UTC), _last + timedelta(milliseconds=1))
    return _last


async def good(bus: Harness, operation: str, fields: dict[str, str], **given: Any) -> Any:
    answer = (await call(bus, operation, fields, **given)).json()
    assert (answer["status"], answer["ErrorCode"]) == ("OK", "0"), answer
    return answer


def sending(content: bytes, kind: str = "edoc", *, padded: bool = False) -> dict[str, str]:
    digest = hashlib.sha256(content).digest()
    told = digest.hex() if padded else hash_file(digest)
    return {"servicetype": "eDoc", "messagetype": kind, "hash-file": told, "from": OFFICE}


LIST = {"servicetype": "eDoc", "messagetype": "edoc"}


@pytest.mark.parametrize("padded", [True, False])
async def test_a_document_crosses_by_the_axis_protocol(bus: Harness, padded: bool) -> None:
    """Both forms of hash-file; the list keeps the packet until done; the bytes are the sender's."""
    content = packet(OFFICE, (BUILD,))
    sent = await good(bus, "sendEdoc", sending(content, padded=padded), content=content)
    receiver = "00.38.W02"
    for _ in range(2):  # it stays in the list
        (row,) = (await good(bus, "getReceivedEdocList", LIST, system=receiver))["data"]
        assert (row["from"], row["to"], row["status"]) == (OFFICE, BUILD, "initial")
    doc = {"docId": row["docId"]}
    got = await good(bus, "getEdoc", doc | {"filePath": "x"}, system=receiver, content=b"{}")
    assert base64.b64decode(got["data"]) == content
    raw = await call(bus, "downloadEdoc", doc, system=receiver)
    assert raw.content == content
    assert (await good(bus, "countReceiveEdoc", {}, system=receiver))["count"] == 1
    await good(bus, "updateStatus", doc | {"status": "processing"}, system=receiver)
    assert (await good(bus, "countReceiveEdoc", {}, system=receiver))["count"] == 1
    for _ in range(2):  # repeating it changes nothing
        await good(bus, "updateStatus", doc | {"status": "done"}, system=receiver, content=b"{}")
    assert (await good(bus, "getReceivedEdocList", LIST, system=receiver))["data"] == []
    (shown,) = (await good(bus, "getSentEdocList", LIST | {"docId": sent["DocId"]}))["data"]
    assert (shown["toCode"], shown["receiveStatus"]) == (BUILD, "done")


async def test_a_status_comes_back_as_a_packet(bus: Harness) -> None:
    content = packet(OFFICE, (BUILD,))
    await good(bus, "sendEdoc", sending(content), content=content)
    told = status("03", 1, sender=BUILD, to=OFFICE)
    fields = sending(told, "status") | {"from": BUILD}
    await good(bus, "sendEdoc", fields, content=told, system="00.38.W02")
    rows = (await good(bus, "getReceivedEdocList", LIST | {"messagetype": "status"}))["data"]
    assert [(row["messageType"], row["from"]) for row in rows] == [("status", BUILD)]
    assert (await good(bus, "countReceiveStatus", {}))["count"] == 1


async def test_the_form_some_clients_send(bus: Harness) -> None:
    content = packet(OFFICE, (BUILD,))
    files = {FILE_PART: ("goi.edxml", content, "application/xml")}
    await good(bus, "sendEdoc", sending(content), files=files)
    assert (await good(bus, "countReceiveEdoc", {}, system="00.38.W02"))["count"] == 1


async def test_docid_in_small_letters(bus: Harness) -> None:
    content = packet(OFFICE, (BUILD,))
    await good(bus, "sendEdoc", sending(content), content=content)
    (row,) = (await good(bus, "getReceivedEdocList", LIST, system="00.38.W02"))["data"]
    await good(bus, "updateStatus", {"docid": row["docId"], "status": "done"}, system="00.38.W02")


@pytest.mark.parametrize("status", ["01", "03", "13", "16", "inbox", "initial", ""])
async def test_a_business_status_is_no_transport_state(bus: Harness, status: str) -> None:
    """01…16 are packets of their own; as a transport state they are refused, and nothing moves."""
    content = packet(OFFICE, (BUILD,))
    await good(bus, "sendEdoc", sending(content), content=content)
    (row,) = (await good(bus, "getReceivedEdocList", LIST, system="00.38.W02"))["data"]
    fields = {"docId": row["docId"], "status": status}
    answer = (await call(bus, "updateStatus", fields, system="00.38.W02")).json()
    assert (answer["status"], answer["ErrorCode"]) == ("FAIL", "10")
    assert "trạng thái nghiệp vụ gửi bằng sendEdoc" in answer["ErrorDesc"]
    (still,) = (await good(bus, "getReceivedEdocList", LIST, system="00.38.W02"))["data"]
    assert still == row


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": packet(OFFICE, (BUILD,)) + b"\n"}, "10"),  # not the bytes that were signed
        ({"content": b"not XML", "hash": b"not XML"}, "22"),
        ({"content": packet(BUILD, (OFFICE,)), "hash": packet(BUILD, (OFFICE,))}, "19"),
        ({"content": packet(OFFICE, ("H38.99",)), "hash": packet(OFFICE, ("H38.99",))}, "18"),
        ({"key": b"another secret"}, "15"),
        ({"system": "00.99.W00"}, "15"),
        ({"at": datetime.now(UTC) - timedelta(hours=1)}, "15"),
        ({"headers": {"XroadVnpt-from": BUILD}}, "15"),  # not the value that was signed
    ],
)
async def test_refusals_in_the_words_of_the_axis(
    bus: Harness, change: dict[str, Any], code: str
) -> None:
    content = packet(OFFICE, (BUILD,))
    given = {"content": content} | change
    signed = given.pop("hash", content)
    answer = await call(bus, "sendEdoc", sending(signed), **given)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["ErrorCode"]) == ("FAIL", code)
    assert told["ErrorDesc"].startswith(codec.ERRORS[code].vi)
    assert (await good(bus, "countReceiveEdoc", {}, system="00.38.W02"))["count"] == 0


async def test_a_recorded_request_is_not_served_twice(bus: Harness) -> None:
    at = _moment()
    assert (await call(bus, "countReceiveEdoc", at=at)).json()["status"] == "OK"
    assert (await call(bus, "countReceiveEdoc", at=at)).json()["ErrorCode"] == "15"


async def test_nobody_fetches_or_answers_for_another(bus: Harness) -> None:
    content = packet(OFFICE, (HEALTH,))
    await good(bus, "sendEdoc", sending(content), content=content)
    (item,) = (await bus.call("so-y-te", "GET", "/api/v1/mailbox")).json()["items"]
    doc = {"docId": str(item["deliveryId"])}
    for operation, fields in (("getEdoc", doc), ("updateStatus", doc | {"status": "done"})):
        answer = (await call(bus, operation, fields, system="00.38.W02")).json()
        assert answer["ErrorCode"] == "21", operation


async def test_what_the_sender_cannot_reach_is_named(bus: Harness) -> None:
    content = packet(OFFICE, (BUILD, "H38.99"))
    answer = await good(bus, "sendEdoc", sending(content), content=content)
    assert "H38.99" in answer["ErrorDesc"]


async def test_the_directory_in_its_three_forms(bus: Harness) -> None:
    rows = (await good(bus, "getAgenciesList", {}))["data"]
    office = next(row for row in rows if row["code"] == OFFICE)
    assert office == {
        "id": OFFICE,
        "pid": "H38",
        "code": OFFICE,
        "name": "Văn phòng UBND tỉnh",
        "mail": "",
        "oldCode": "000.00.01.H38",
    }
    rows = (await good(bus, "getAgenciesListQD20", {"level": "1"}))["data"]
    assert {"H38.01": "000.00.01.H38"}.items() <= {r["code"]: r["code102"] for r in rows}.items()
    assert len((await good(bus, "getSynchronizeUnit", {}))["data"]) == len(rows)
    answer = (await call(bus, "registerAgency", content=b"{}")).json()
    assert answer["ErrorCode"] == "19"


async def test_our_own_client_of_the_axis_is_served(bus: Harness) -> None:
    """The adapter that speaks to the national axis speaks to another bus, too."""
    config = {"systemid": "00.38.W01", "secret": "khoa-vp", "poll_seconds": 1}
    content = packet(OFFICE, (BUILD,))
    async with served(bus.app) as url, open_session() as http:
        sender = create("vxp", config | {"url": f"{url}/vxp"}, http=http, secrets=secret)
        outcome = await sender.deliver(
            OutboundDelivery(
                id=1,
                message_id="01938c5e-7a10-7c3e-9d2f-5a1b2c3d4e5f",
                sender=OFFICE,
                receivers=(BUILD,),
                kind="document",
                media_type="application/edxml+xml",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                lane=Lane.NORMAL,
                order_key="k",
                attempt=1,
                maybe_sent=False,
                trace="",
                content=content,
            )
        )
        assert outcome.result is Result.DELIVERED, outcome
        other = config | {"systemid": "00.38.W02", "secret": "khoa-sxd", "url": f"{url}/vxp"}
        receiver: Any = create("vxp", other, http=http, secrets=secret)
        acceptor = bus.app.state.services.deps.acceptor
        assert await receiver.poll(EndpointInbox("hop-thu", bus.ledger, bus.live, acceptor)) == 1
        assert await receiver.poll(EndpointInbox("hop-thu", bus.ledger, bus.live, acceptor)) == 0


async def test_expect_100_continue_is_answered(bus: Harness) -> None:
    """The vendor's client waits for it before it sends the body."""
    headers = codec.request_headers(
        {"docId": "1", "status": "done"},
        system="00.38.W01",
        secret=SECRETS["khoa-vp"],
        now=_moment(),
    )
    async with served(bus.app) as url:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /vxp/updateStatus HTTP/1.1", "Host: bus", *lines]
        head += ["Expect: 100-continue", "Content-Length: 2", "", ""]
        writer.write("\r\n".join(head).encode())
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 100")
            await reader.readline()
            writer.write(b"{}")
            text = await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()
    assert json.loads(text[text.index(b"{") :])["ErrorCode"] == "21", "no such packet"


def test_a_client_is_declared_with_the_name_of_its_secret() -> None:
    assert Client(id="a", system_id="00.38.W01", secret="khoa").secret == "khoa"


async def test_a_long_directory_is_listed_whole_in_pieces(bus: Harness) -> None:
    """Pages of the directory become pieces of the answer; no row is missing or doubled."""
    codes = {f"H99.{number:05d}" for number in range(5_000)}
    changes = [Change("agency", c, None, Agency(code=c, name=f"Đơn vị {c}")) for c in codes]
    revision = await bus.ledger.config.revision()
    await bus.ledger.config.apply(changes, expected=revision, actor="test", reason="test")
    await wait_until(lambda: bus.live.snapshot.revision > revision, 30, "followed")
    for operation in ("getAgenciesList", "getAgenciesListQD20", "getSynchronizeUnit"):
        rows = (await good(bus, operation, {}))["data"]
        listed = [row["code"] for row in rows]
        assert len(listed) == len(set(listed))
        assert codes <= set(listed)
