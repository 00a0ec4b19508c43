"""Every packet through every door in, and out of every way out, byte for byte.

The packets are those of tests/vectors/edxml; EDXML_SAMPLES may name another folder of them.  Their
agencies are declared as they stand in the packet, at one endpoint.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.http import open_session
from adapters.registry import create
from adapters.rest_push.sandbox import Sandbox
from adapters.vxp import codec
from adapters.vxp.facade import FILE_PART, VxpFacade
from adapters.vxp.sandbox import Axis, Province
from bus.engine.collect import EndpointInbox
from schemas.adapter import OutboundDelivery, Result
from schemas.edxml import StatusPacket, addressing, read
from schemas.errors import LgspError
from schemas.message import Lane
from schemas.province import Agency, Client
from tests.integration.gateway_harness import Harness, opened
from tests.integration.soap_harness import SOAP_11, XOP, answer, call, envelope, mtom, post, value
from tests.integration.test_vxp_facade import _moment, sending

FOLDERS = [Path(__file__).parents[1] / "vectors" / "edxml"]
FOLDERS += [Path(folder) for folder in (os.environ.get("EDXML_SAMPLES"),) if folder]
PACKETS = [path for folder in FOLDERS for path in sorted(folder.glob("*.edxml"))]
SENDS, RECEIVES = "noi-gui", "noi-nhan"
SYSTEMS = {SENDS: "00.38.W01", RECEIVES: "00.38.W02"}
SECRET = b"secret-of-both-systems"
MAIL = "hop-thu"


def _addresses(content: bytes) -> tuple[str, tuple[str, ...]] | LgspError:
    """Sender and receivers; the error by which the packet is refused."""
    try:
        return addressing(read(content))[:2]
    except LgspError as error:
        return error


def _sender(content: bytes) -> str:
    """As far as a packet that is refused names one."""
    try:
        return read(content).header.sender.organ_id
    except LgspError:
        return "H38.01"


@asynccontextmanager
async def _bus(
    database: str, folder: Path, content: bytes, *, sends: bool = True
) -> AsyncIterator[Harness]:
    """A gateway that knows the packet's agencies; both sides also speak the axis's protocol.

    Without `sends` the sender is not of this province.
    """
    found = _addresses(content)
    sender, receivers = (_sender(content), ()) if isinstance(found, LgspError) else found
    facades = {"/vxp": VxpFacade()}
    async with opened(database, folder, facades=facades, secrets=lambda _: SECRET) as bus:
        known = bus.live.snapshot.directory
        for code in dict.fromkeys((*((sender,) if sends else ()), *receivers)):
            if known.get(code) is None:
                await bus.declare("agency", None, Agency(code=code, name=code, endpoint=MAIL))
        sides = [(RECEIVES, receivers or ("H38.02",))] + ([(SENDS, (sender,))] if sends else [])
        for name, codes in sides:
            client = Client(
                id=name,
                agencies=tuple(dict.fromkeys(codes)),
                system_id=SYSTEMS[name],
                secret="khoa",
                rate=10_000,
                burst=10_000,
            )
            await bus.declare("client", None, client)
            bus.keys[name] = await bus.ledger.identities.add_key(
                name, expires_at=None, clock=bus.ledger.clock
            )
        yield bus


# --- in -------------------------------------------------------------------------------------------


async def _rest(bus: Harness, content: bytes) -> Any:
    return await bus.send(SENDS, content)


async def _soap_inline(bus: Harness, content: bytes) -> Any:
    return await call(bus, SENDS, "SendDocument", {"packet": content})


async def _soap_mtom(bus: Harness, content: bytes) -> Any:
    include = f'<x:Include xmlns:x="{XOP}" href="cid:p"/>'.encode()
    root = envelope("SendDocument", {"packet": b""}).replace(
        b"<o:packet></o:packet>", b"<o:packet>" + include + b"</o:packet>"
    )
    body, media = mtom(root, {"p": content})
    return await post(bus, SENDS, body, media)


async def _vxp(
    bus: Harness, side: str, operation: str, fields: dict[str, str], **given: Any
) -> Any:
    """One signed call, as the vendor's client makes it."""
    kind = codec.OCTETS if operation == "sendEdoc" else codec.JSON
    headers = codec.request_headers(
        fields, system=SYSTEMS[side], secret=SECRET, now=_moment(), content=kind
    )
    if "files" in given:
        headers.pop("Content-Type")
    method = "GET" if operation == "downloadEdoc" else "POST"
    return await bus.http.request(method, f"/vxp/{operation}", headers=headers, **given)


def _upload(content: bytes) -> dict[str, str]:
    found = _addresses(content)
    kind = "edoc"
    if not isinstance(found, LgspError) and isinstance(read(content), StatusPacket):
        kind = "status"
    return sending(content, kind)


async def _vxp_raw(bus: Harness, content: bytes) -> Any:
    return await _vxp(bus, SENDS, "sendEdoc", _upload(content), content=content)


async def _vxp_form(bus: Harness, content: bytes) -> Any:
    files = {FILE_PART: ("goi.edxml", content, "application/xml")}
    return await _vxp(bus, SENDS, "sendEdoc", _upload(content), files=files)


DOORS = {
    "rest": _rest,
    "soap-inline": _soap_inline,
    "soap-mtom": _soap_mtom,
    "vxp-raw": _vxp_raw,
    "vxp-form": _vxp_form,
}


# --- out ------------------------------------------------------------------------------------------


async def _ways_out(bus: Harness, number: int, message_id: str) -> dict[str, bytes]:
    """What each way out gives of one delivery; fetching may be repeated."""
    doc = {"docId": str(number)}
    content = await bus.call(RECEIVES, "GET", f"/api/v1/mailbox/{number}/content")
    members = {"deliveryId": number}
    inline = answer(await call(bus, RECEIVES, "FetchDocument", members))
    body, media = mtom(envelope("FetchDocument", members), {})
    attached = await post(bus, RECEIVES, body, media)
    got = await _vxp(bus, RECEIVES, "getEdoc", doc, content=b"{}")
    raw = await _vxp(bus, RECEIVES, "downloadEdoc", doc)
    return {
        "rest": content.content,
        "soap-inline": base64.b64decode(value(inline, "packet")),
        "soap-mtom": _last_part(attached),
        "vxp-getEdoc": base64.b64decode(got.json()["data"]),
        "vxp-downloadEdoc": raw.content,
        "rest-push": await _pushed(bus, message_id),
    }


def _last_part(response: Any) -> bytes:
    boundary = response.headers["content-type"].partition('boundary="')[2].partition('"')[0]
    whole: bytes = response.content.removesuffix(f"\r\n--{boundary}--\r\n".encode())
    return whole[whole.rindex(f"\r\n--{boundary}\r\n".encode()) :].partition(b"\r\n\r\n")[2]


async def _delivery(bus: Harness, message_id: str) -> OutboundDelivery:
    row = await bus.ledger.queries.message(message_id)
    assert row is not None
    async with bus.ledger.original(message_id) as pieces:
        content = b"".join([piece async for piece in pieces])
    return OutboundDelivery(
        id=1,
        message_id=message_id,
        sender=row.sender,
        receivers=row.receivers,
        kind=row.kind,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        lane=Lane.NORMAL,
        order_key="k",
        attempt=1,
        maybe_sent=False,
        trace="",
        content=content,
    )


async def _pushed(bus: Harness, message_id: str) -> bytes:
    """By rest-push to a system that writes down the digest of what arrived."""
    delivery = await _delivery(bus, message_id)
    secret = b"secret-of-the-receiving-system"
    async with Sandbox(secrets=(secret,), keep_bodies=True) as system, open_session() as http:
        config = {"url": system.url, "secret": "khoa"}
        adapter = create("rest-push", config, http=http, secrets=lambda _: secret)
        outcome = await adapter.deliver(delivery)
        assert outcome.result is Result.DELIVERED, outcome
        (arrived,) = system.bodies.values()
    return arrived


def _told(door: str, response: Any) -> tuple[str, str]:
    """(id of the message, stable code of the refusal): one of them."""
    if door == "rest":
        told = response.json()
        return told.get("messageId", ""), told.get("code", "")
    if door.startswith("soap"):
        if b"Fault>" in response.content:
            return "", response.text.partition("<code>")[2].partition("</code>")[0]
        return value(answer(response, SOAP_11), "receipt", "messageId"), ""
    told = response.json()
    return told.get("DocId", ""), "" if told["status"] == "OK" else told["ErrorCode"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", PACKETS, ids=lambda path: path.stem)
async def test_a_packet_keeps_its_bytes_through_every_door(
    path: Path, door: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Or it is refused, by every door for the same reason."""
    content = path.read_bytes()
    found = _addresses(content)
    async with _bus(sqlite_url, tmp_path, content) as bus:
        message_id, code = _told(door, await DOORS[door](bus, content))
        if isinstance(found, LgspError):
            assert code == ("22" if door.startswith("vxp") else found.code)
            return
        assert message_id, code
        items = (await bus.call(RECEIVES, "GET", "/api/v1/mailbox")).json()["items"]
        assert {item["messageId"] for item in items} == {message_id}
        number = items[0]["deliveryId"]
        ways = await _ways_out(bus, number, message_id)
        assert {name for name, got in ways.items() if got != content} == set()


@pytest.mark.parametrize("path", PACKETS, ids=lambda path: path.stem)
async def test_a_packet_crosses_the_axis(path: Path, sqlite_url: str, tmp_path: Path) -> None:
    """To the axis with the sender's bytes; from there, with the bytes that the axis gives."""
    content = path.read_bytes()
    found = _addresses(content)
    if isinstance(found, LgspError):
        pytest.skip("refused by every door")
    sender, receivers = found
    provinces = [
        Province("00.01.W00", SECRET, (sender,)),
        Province("00.02.W00", SECRET, tuple(code for code in receivers if code != sender)),
    ]
    async with (
        _bus(sqlite_url, tmp_path, content) as bus,
        Axis(provinces) as axis,
        open_session() as http,
    ):
        message_id, _ = _told("rest", await _rest(bus, content))
        config = {"url": axis.url, "secret": "khoa", "systemid": "00.01.W00"}
        out = create("vxp", config, http=http, secrets=lambda _: SECRET)
        outcome = await out.deliver(await _delivery(bus, message_id))
        assert outcome.result is Result.DELIVERED, outcome
        assert list(axis.bodies.values()) == [content]
        (doc_id,) = axis.bodies
        given = axis.store.content(doc_id, "00.02.W00")
        assert given is not None
        async with _bus(_beside(sqlite_url), tmp_path / "away", given, sends=False) as away:
            config["systemid"] = "00.02.W00"
            back: Any = create("vxp", config, http=http, secrets=lambda _: SECRET)
            acceptor = away.app.state.services.deps.acceptor
            inbox = EndpointInbox("truc", away.ledger, away.live, acceptor)
            assert await back.poll(inbox) == 1
            items = (await away.call(RECEIVES, "GET", "/api/v1/mailbox")).json()["items"]
            fetched = await away.call(
                RECEIVES, "GET", f"/api/v1/mailbox/{items[0]['deliveryId']}/content"
            )
            assert fetched.content == given


def _beside(url: str) -> str:
    """Another database in the same folder."""
    return f"{url.removesuffix('.db')}-away.db"


def test_there_are_packets() -> None:
    assert len(PACKETS) > 25
