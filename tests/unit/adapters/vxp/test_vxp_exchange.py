"""Two provinces exchange packets through the simulated axis, byte for byte what it is told."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.http import open_session
from adapters.vxp import Vxp
from adapters.vxp.config import VxpConfig
from adapters.vxp.sandbox import Axis, Province
from schemas.adapter import Addressed, Result, Taken
from schemas.edxml import (
    Code,
    DocumentPacket,
    MessageHeader,
    Organ,
    PromulgationInfo,
    read,
    write,
)
from schemas.errors import LedgerUnavailable
from tests.contract.adapter_conformance import small

HOME, AWAY, THIRD = "00.38.W00", "00.99.W00", "00.98.W00"
SECRETS = {HOME: b"secret-of-home-aaaa", AWAY: b"secret-of-away-bbbb", THIRD: b"secret-of-third-c"}


class Kept:
    """An inbox that keeps what it takes, or fails as it is told."""

    def __init__(self) -> None:
        self.packets: dict[str, bytes] = {}
        self.away = False
        self.refuses = False

    async def take(self, ref: str, pieces: AsyncIterator[bytes]) -> Taken:
        content = b"".join([piece async for piece in pieces])
        if self.away:
            raise LedgerUnavailable
        self.packets[ref] = content
        return Taken(accepted=not self.refuses, reason="không nhận" if self.refuses else "")

    async def take_dossier(self, ref: str, *_: Any, **__: Any) -> Taken:
        raise AssertionError(ref)  # the document axis carries no dossiers

    async def take_item(self, ref: str, *_: Any, **__: Any) -> Taken:
        raise AssertionError(ref)

    async def refuse(self, ref: str, *_: Any) -> Taken:
        raise AssertionError(ref)


def packet(*receivers: str, sender: str = "H38.01") -> bytes:
    header = MessageHeader(
        sender=Organ(organ_id=sender, organ_name="Đơn vị gửi"),
        receivers=tuple(Organ(organ_id=code, organ_name=f"Đơn vị {code}") for code in receivers),
        document_id=f"{sender},{random.randrange(10**9)}",
        code=Code(number="12", notation="UBND-VX"),
        promulgation_info=PromulgationInfo(promulgation_date=date(2026, 11, 20)),
        subject="V/v kiểm tra kết nối",
    )
    return b"".join(write(DocumentPacket(header=header), []))


def receivers_of(content: bytes) -> list[str]:
    found = read(content)
    assert isinstance(found, DocumentPacket)
    return [each.organ_id for each in found.header.receivers]


@pytest.fixture
async def axis() -> AsyncIterator[Axis]:
    codes = {HOME: ("H38.01", "H38.02"), AWAY: ("H99.01", "H99.02"), THIRD: ("H98.01",)}
    async with Axis([Province(each, SECRETS[each], codes[each]) for each in codes]) as running:
        yield running


@pytest.fixture
async def hubs(axis: Axis) -> AsyncIterator[dict[str, Vxp]]:
    async with open_session() as http:
        yield {
            system: Vxp(
                VxpConfig(url=axis.url, systemid=system, secret=system),
                http=http,
                secrets=SECRETS.__getitem__,
            )
            for system in SECRETS
        }


async def test_a_packet_reaches_each_hub_once_and_no_other(hubs: dict[str, Vxp]) -> None:
    content = packet("H99.01", "H99.02")
    outcome = await hubs[HOME].deliver(small(content))
    assert outcome.result is Result.DELIVERED
    inbox, other = Kept(), Kept()
    assert await hubs[AWAY].poll(inbox) == 1
    assert await hubs[THIRD].poll(other) == 0
    assert list(inbox.packets) == [outcome.partner_ref]
    found = read(inbox.packets[outcome.partner_ref])
    assert isinstance(found, DocumentPacket)
    assert found.header.subject == "V/v kiểm tra kết nối"
    assert found.trace.trace_headers[-1].organ_id == "00.00.W00"
    assert await hubs[AWAY].poll(inbox) == 0


async def test_the_to_list_is_cut_to_the_receivers_of_the_delivery(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    content = packet("H38.02", "H99.01", "H98.01")
    addressed = Addressed("H38.01", ("H99.01", "H98.01"), whole=False)
    outcome = await hubs[HOME].deliver(small(content, addressed=addressed))
    assert outcome.result is Result.DELIVERED
    assert receivers_of(axis.bodies[outcome.partner_ref]) == ["H99.01", "H98.01"]


async def test_the_original_is_sent_unchanged_when_all_its_receivers_are_there(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    content = packet("H99.01")
    addressed = Addressed("H38.01", ("H99.01",), whole=True)
    outcome = await hubs[HOME].deliver(small(content, addressed=addressed))
    assert axis.bodies[outcome.partner_ref] == content


async def test_nothing_is_acknowledged_while_the_ledger_is_away(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    outcome = await hubs[HOME].deliver(small(packet("H99.01")))
    inbox = Kept()
    inbox.away = True
    with pytest.raises(LedgerUnavailable):
        await hubs[AWAY].poll(inbox)
    assert axis.store.states()[outcome.partner_ref] == {"H99.01": "initial"}
    inbox.away = False
    assert await hubs[AWAY].poll(inbox) == 1
    assert axis.store.states()[outcome.partner_ref] == {"H99.01": "done"}


async def test_what_can_never_be_accepted_is_answered_fail(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    outcome = await hubs[HOME].deliver(small(packet("H99.01")))
    inbox = Kept()
    inbox.refuses = True
    await hubs[AWAY].poll(inbox)
    assert axis.store.states()[outcome.partner_ref] == {"H99.01": "fail"}


async def test_get_edoc_gives_the_same_bytes_as_download_edoc(
    axis: Axis, hubs: dict[str, Vxp]
) -> None:
    outcome = await hubs[HOME].deliver(small(packet("H99.01", "H98.01")))
    new, old = Kept(), Kept()
    await hubs[AWAY].poll(new)
    axis.has_download = False
    await hubs[THIRD].poll(old)
    assert new.packets == old.packets
    assert outcome.partner_ref in old.packets


async def test_a_sender_of_another_hub_is_refused(hubs: dict[str, Vxp]) -> None:
    content = packet("H98.01", sender="H99.01")
    outcome = await hubs[HOME].deliver(replace(small(content), sender="H99.01"))
    assert (outcome.result, outcome.code) == (Result.REJECTED, "partner-refused")
    assert "khong dung voi ma da dang ky" in outcome.answer


async def test_wrong_credentials_hold_the_document(axis: Axis) -> None:
    config = VxpConfig(url=axis.url, systemid=HOME, secret="wrong")
    async with open_session() as http:
        hub = Vxp(config, http=http, secrets=lambda _: b"not-the-secret-at-all")
        outcome = await hub.deliver(small(packet("H99.01")))
    assert (outcome.result, outcome.code) == (Result.TRANSIENT, "configuration")


async def test_packets_outlive_the_axis(tmp_path: Path) -> None:
    provinces = [
        Province(HOME, SECRETS[HOME], ("H38.01",)),
        Province(AWAY, SECRETS[AWAY], ("H99.01",)),
    ]
    content = packet("H99.01")
    async with open_session() as http:
        async with Axis(provinces, store=tmp_path / "axis.db") as first:
            hub = _hub(first, HOME, http)
            sent = await hub.deliver(small(content))
        async with Axis(provinces, store=tmp_path / "axis.db") as second:
            assert second.store.repeat_of(HOME, hashlib.sha256(content).hexdigest())
            inbox = Kept()
            assert await _hub(second, AWAY, http).poll(inbox) == 1
    assert list(inbox.packets) == [sent.partner_ref]


def _hub(axis: Axis, system: str, http) -> Vxp:  # type: ignore[no-untyped-def]  # noqa: ANN001
    config = VxpConfig(url=axis.url, systemid=system, secret=system)
    return Vxp(config, http=http, secrets=SECRETS.__getitem__)
