"""One packet through each door: REST, SOAP in two forms, the axis's protocol in two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.vxp import codec
from adapters.vxp.facade import FILE_PART, VxpFacade
from bus.ledger.config_store import Change
from schemas.edxml import StatusPacket, addressing, read
from schemas.errors import LgspError
from schemas.province import Agency, Client
from tests.integration.gateway_harness import Harness, opened
from tests.integration.soap_harness import SOAP_11, XOP, answer, call, envelope, mtom, post, value
from tests.integration.test_vxp_facade import _moment, sending

SENDS, RECEIVES = "noi-gui", "noi-nhan"
SYSTEMS = {SENDS: "00.38.W01", RECEIVES: "00.38.W02"}
SECRET = b"secret-of-both-systems"
MAIL = "hop-thu"


def addresses(content: bytes) -> tuple[str, tuple[str, ...]] | LgspError:
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
async def province(
    database: str, folder: Path, content: bytes, *, sends: bool = True
) -> AsyncIterator[Harness]:
    """A gateway that knows the packet's agencies; both sides also speak the axis's protocol.

    Without `sends` the sender is not of this province.
    """
    found = addresses(content)
    sender, receivers = (_sender(content), ()) if isinstance(found, LgspError) else found
    facades = {"/vxp": VxpFacade()}
    async with opened(database, folder, facades=facades, secrets=lambda _: SECRET) as bus:
        known = bus.live.snapshot.directory
        ours = dict.fromkeys((*((sender,) if sends else ()), *receivers))
        changes = [
            Change("agency", code, None, Agency(code=code, name=code, endpoint=MAIL))
            for code in ours
            if known.get(code) is None
        ]
        sides = [(RECEIVES, receivers or ("H38.02",))] + ([(SENDS, (sender,))] if sends else [])
        changes += [Change("client", name, None, _client(name, codes)) for name, codes in sides]
        await bus.apply(changes)
        for name, _ in sides:
            bus.keys[name] = await bus.ledger.identities.add_key(
                name, expires_at=None, clock=bus.ledger.clock
            )
        yield bus


def _client(name: str, codes: tuple[str, ...]) -> Client:
    return Client(
        id=name,
        agencies=tuple(dict.fromkeys(codes)),
        system_id=SYSTEMS[name],
        secret="khoa",
        rate=10_000,
        burst=10_000,
    )


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


async def vxp(bus: Harness, side: str, operation: str, fields: dict[str, str], **given: Any) -> Any:
    """One signed call, as the vendor's client makes it."""
    kind = codec.OCTETS if operation == "sendEdoc" else codec.JSON
    headers = codec.request_headers(
        fields, system=SYSTEMS[side], secret=SECRET, now=_moment(), content=kind
    )
    if "files" in given:
        headers.pop("Content-Type")
    headers |= given.pop("headers", {})
    method = "GET" if operation == "downloadEdoc" else "POST"
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return await bus.http.request(method, f"/vxp/{operation}", headers=sent, **given)


def _upload(content: bytes) -> dict[str, str]:
    found = addresses(content)
    kind = "edoc"
    if not isinstance(found, LgspError) and isinstance(read(content), StatusPacket):
        kind = "status"
    return sending(content, kind)


async def _vxp_raw(bus: Harness, content: bytes) -> Any:
    return await vxp(bus, SENDS, "sendEdoc", _upload(content), content=content)


async def _vxp_form(bus: Harness, content: bytes) -> Any:
    files = {FILE_PART: ("goi.edxml", content, "application/xml")}
    return await vxp(bus, SENDS, "sendEdoc", _upload(content), files=files)


DOORS = {
    "rest": _rest,
    "soap-inline": _soap_inline,
    "soap-mtom": _soap_mtom,
    "vxp-raw": _vxp_raw,
    "vxp-form": _vxp_form,
}


def told(door: str, response: Any) -> tuple[str, str]:
    """(id of the message, stable code of the refusal): one of them."""
    if door == "rest":
        fields = response.json()
        return fields.get("messageId", ""), fields.get("code", "")
    if door.startswith("soap"):
        if b"Fault>" in response.content:
            return "", response.text.partition("<code>")[2].partition("</code>")[0]
        return value(answer(response, SOAP_11), "receipt", "messageId"), ""
    fields = response.json()
    return fields.get("DocId", ""), "" if fields["status"] == "OK" else fields["ErrorCode"]
