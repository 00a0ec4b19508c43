"""Hostile packets at every door of one gateway: refused by name, and the door lives on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.vxp import codec
from tests.integration.doors import DOORS, RECEIVES, SENDS, province, told, vxp
from tests.integration.gateway_harness import Harness
from tests.integration.test_vxp_facade import sending
from tests.unit.schemas.edxml.test_hostile import HOSTILE, MB, packet, zipped

AXIS = {
    "malformed-xml": codec.BAD_FORMAT,
    "malformed-packet": codec.BAD_FORMAT,
    "too-large": codec.BAD_FILE,
}
"""ErrorCode of the axis's protocol for each code that a hostile packet may get."""

FORM = b"--b\r\nContent-Disposition: form-data; name=file_doc; filename=a\r\n\r\n"
FORMS = {
    "no-boundary": (b"x", "multipart/form-data"),
    "header-flood": (b"--b\r\n" + b"A: b\r\n" * 200_000, "multipart/form-data; boundary=b"),
    "files": ((FORM + b"x\r\n") * 5 + b"--b--", "multipart/form-data; boundary=b"),
    "no-end": (FORM + b"<", "multipart/form-data; boundary=b"),
    "garbage": (b"\xff" * 1_000, "multipart/form-data; boundary=b"),
}


async def _waiting(bus: Harness) -> list[Any]:
    items: list[Any] = (await bus.call(RECEIVES, "GET", "/api/v1/mailbox")).json()["items"]
    return items


async def _forms(bus: Harness) -> dict[str, str]:
    """ErrorCode of the axis's protocol for each hostile form."""
    codes = {}
    for name, (body, media) in FORMS.items():
        answer = await vxp(
            bus, SENDS, "sendEdoc", sending(body), content=body, headers={"Content-Type": media}
        )
        codes[name] = answer.json()["ErrorCode"]
    return codes


async def test_hostile_packets_are_refused_at_every_door(sqlite_url: str, tmp_path: Path) -> None:
    good = packet(b"eA==")
    attacks = HOSTILE | {"zip-bomb": (packet(zipped(10_000 * MB)), "too-large")}
    async with province(sqlite_url, tmp_path, good) as bus:
        wrong = {}
        for name, (content, code) in attacks.items():
            for door, send in DOORS.items():
                answer = told(door, await send(bus, content))
                if answer != ("", AXIS[code] if door.startswith("vxp") else code):
                    wrong[name, door] = answer
        assert wrong == {}
        assert await _forms(bus) == dict.fromkeys(FORMS, codec.BAD_FILE)
        assert await _waiting(bus) == []
        assert [each for each in (tmp_path / "blobs").rglob("*") if each.is_file()] == []
        answers = {door: told(door, await send(bus, good)) for door, send in DOORS.items()}
        (item,) = await _waiting(bus)
        assert answers == dict.fromkeys(DOORS, (item["messageId"], ""))
