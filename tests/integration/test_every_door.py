"""Every packet through every door in, and out of every way out, byte for byte.

The packets are those of tests/vectors/edxml; EDXML_SAMPLES may name another folder of them.  Their
agencies are declared as they stand in the packet, at one endpoint.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.http import open_session
from adapters.registry import create
from adapters.rest_push.sandbox import Sandbox
from adapters.vxp.sandbox import Axis, Province
from bus.engine.collect import EndpointInbox
from schemas.adapter import OutboundDelivery, Result
from schemas.errors import LgspError
from schemas.message import Lane
from tests.integration.doors import (
    DOORS,
    RECEIVES,
    SECRET,
    addresses,
    province,
    told,
    vxp,
)
from tests.integration.gateway_harness import Harness
from tests.integration.soap_harness import answer, call, envelope, mtom, post, value

FOLDERS = [Path(__file__).parents[1] / "vectors" / "edxml"]
FOLDERS += [Path(folder) for folder in (os.environ.get("EDXML_SAMPLES"),) if folder]
PACKETS = [path for folder in FOLDERS for path in sorted(folder.glob("*.edxml"))]


async def _ways_out(bus: Harness, number: int, message_id: str) -> dict[str, bytes]:
    """What each way out gives of one delivery; fetching may be repeated."""
    doc = {"docId": str(number)}
    content = await bus.call(RECEIVES, "GET", f"/api/v1/mailbox/{number}/content")
    members = {"deliveryId": number}
    inline = answer(await call(bus, RECEIVES, "FetchDocument", members))
    body, media = mtom(envelope("FetchDocument", members), {})
    attached = await post(bus, RECEIVES, body, media)
    got = await vxp(bus, RECEIVES, "getEdoc", doc, content=b"{}")
    raw = await vxp(bus, RECEIVES, "downloadEdoc", doc)
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


def _doors(path: Path) -> list[str]:
    """Each packet begins at another door."""
    names, first = list(DOORS), PACKETS.index(path) % len(DOORS)
    return names[first:] + names[:first]


@pytest.mark.parametrize("path", PACKETS, ids=lambda path: path.stem)
async def test_a_packet_keeps_its_bytes_through_every_door(
    path: Path, sqlite_url: str, tmp_path: Path
) -> None:
    """One door takes it; at every other it is the same message, by the digest of what arrived.

    Or it is refused, by every door for the same reason.
    """
    content = path.read_bytes()
    found = addresses(content)
    async with province(sqlite_url, tmp_path, content) as bus:
        answers = {name: told(name, await DOORS[name](bus, content)) for name in _doors(path)}
        if isinstance(found, LgspError):
            assert answers == {
                name: ("", "22" if name.startswith("vxp") else found.code) for name in DOORS
            }
            return
        message_id, _ = next(iter(answers.values()))
        assert message_id, answers
        assert answers == dict.fromkeys(DOORS, (message_id, ""))
        items = (await bus.call(RECEIVES, "GET", "/api/v1/mailbox")).json()["items"]
        assert {item["messageId"] for item in items} == {message_id}
        ways = await _ways_out(bus, items[0]["deliveryId"], message_id)
        assert {name for name, got in ways.items() if got != content} == set()


@pytest.mark.parametrize("path", PACKETS, ids=lambda path: path.stem)
async def test_a_packet_crosses_the_axis(path: Path, sqlite_url: str, tmp_path: Path) -> None:
    """To the axis with the sender's bytes; from there, with the bytes that the axis gives."""
    content = path.read_bytes()
    found = addresses(content)
    if isinstance(found, LgspError):
        pytest.skip("refused by every door")
    sender, receivers = found
    provinces = [
        Province("00.01.W00", SECRET, (sender,)),
        Province("00.02.W00", SECRET, tuple(code for code in receivers if code != sender)),
    ]
    async with (
        province(sqlite_url, tmp_path, content) as bus,
        Axis(provinces) as axis,
        open_session() as http,
    ):
        message_id, _ = told("rest", await DOORS["rest"](bus, content))
        config = {"url": axis.url, "secret": "khoa", "systemid": "00.01.W00"}
        out = create("vxp", config, http=http, secrets=lambda _: SECRET)
        outcome = await out.deliver(await _delivery(bus, message_id))
        assert outcome.result is Result.DELIVERED, outcome
        assert list(axis.bodies.values()) == [content]
        (doc_id,) = axis.bodies
        given = axis.store.content(doc_id, "00.02.W00")
        assert given is not None
        async with province(_beside(sqlite_url), tmp_path / "away", given, sends=False) as away:
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
            assert set(axis.store.states()[doc_id].values()) == {"done"}


def _beside(url: str) -> str:
    """Another database in the same folder."""
    return f"{url.removesuffix('.db')}-away.db"


def test_there_are_packets() -> None:
    assert len(PACKETS) > 25
