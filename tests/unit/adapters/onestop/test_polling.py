"""Polling the simulated one-stop system: nothing lost, nothing out of order, whatever fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from adapters.http import open_session
from adapters.onestop import OneStop
from adapters.onestop.config import OneStopConfig
from adapters.onestop.sandbox import PAGE, OneStopSandbox, detail
from adapters.onestop.stories import Change, Desk, Teller
from adapters.profiles import PATIENCE
from schemas.adapter import Taken
from schemas.dossier import DossierRecord, Step
from schemas.errors import (
    ConfigurationError,
    LedgerUnavailable,
    LgspError,
    PartnerError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)

UNIT, SECRET = "000.00.00.H99", b"access-key-of-the-one-stop"
DESKS = (Desk("H99.132", "UBND xã Mẫu"), Desk("H99.133", "UBND phường Mẫu"))


class Kept:
    """An inbox that keeps what it takes, or fails as it is told."""

    def __init__(self) -> None:
        self.items: list[tuple[str, DossierRecord | Step]] = []
        self.refs: list[str] = []
        self.refused: dict[str, LgspError] = {}
        self.away_after: int | None = None

    async def take(self, ref: str, *_: Any) -> Taken:
        raise AssertionError(ref)  # no edXML comes from here

    async def take_item(self, ref: str, *_: Any, **__: Any) -> Taken:
        raise AssertionError(ref)

    async def take_dossier(
        self,
        ref: str,
        agency: str,
        item: DossierRecord | Step,
        original: bytes,
        *,
        media_type: str = "application/json",
    ) -> Taken:
        assert original
        assert media_type == "application/json"
        if self.away_after is not None and len(self.refs) >= self.away_after:
            raise LedgerUnavailable
        duplicate = ref in self.refs
        self.refs.append(ref)
        if not duplicate:
            self.items.append((agency, item))
        return Taken(accepted=True, duplicate=duplicate)

    async def refuse(self, ref: str, original: bytes, error: LgspError) -> Taken:
        assert original
        self.refused[ref] = error
        return Taken(accepted=False, reason=error.detail.vi)


def changes(dossiers: int, seed: int = 1) -> list[Change]:
    teller = Teller(DESKS, seed, date(2026, 8, 3))
    told = [change for story in teller.stories(dossiers) for change in story.changes]
    return sorted(told, key=lambda change: change.at)


@pytest.fixture
async def onestop() -> AsyncIterator[OneStopSandbox]:
    async with OneStopSandbox(UNIT, SECRET) as sandbox:
        yield sandbox


@pytest.fixture
async def poller(onestop: OneStopSandbox) -> AsyncIterator[OneStop]:
    config = OneStopConfig(
        url=onestop.url, unit_code=UNIT, secret="x", connect_seconds=0.5, answer_seconds=0.5
    )
    async with open_session() as http:
        yield OneStop(config, http=http, secrets=lambda _: SECRET)


async def test_everything_arrives_in_order_exactly_as_it_was(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(40), Kept()
    assert len(told) > 2 * PAGE
    onestop.publish(told)
    assert await poller.poll(inbox) == len(told)
    assert inbox.items == [(change.agency, change.item) for change in told]
    assert set(onestop.acks) == {str(n + 1) for n in range(len(told))}
    assert all(said == ["done"] for said in onestop.acks.values())
    assert await poller.poll(inbox) == 0


async def test_a_lost_acknowledgement_makes_a_repeat(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(3), Kept()
    onestop.publish(told)
    onestop.lose_acks(1)
    with pytest.raises(PartnerUnavailable):
        await poller.poll(inbox)
    assert not onestop.acks
    assert await poller.poll(inbox) == len(told)
    assert inbox.refs[0] == inbox.refs[1]
    assert [item for _, item in inbox.items] == [change.item for change in told]


async def test_nothing_is_acknowledged_before_it_is_durable(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(3), Kept()
    onestop.publish(told)
    inbox.away_after = 4
    with pytest.raises(LedgerUnavailable):
        await poller.poll(inbox)
    assert list(onestop.acks) == ["1", "2", "3", "4"]
    inbox.away_after = None
    assert await poller.poll(inbox) == len(told) - 4
    assert [item for _, item in inbox.items] == [change.item for change in told]


async def test_an_item_that_does_not_come_holds_the_next_for_a_while_only(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(3), Kept()
    ids = onestop.publish(told)
    onestop.break_item(ids[0])
    for _ in range(PATIENCE):
        with pytest.raises(PartnerGarbage):
            await poller.poll(inbox)
    assert not inbox.refs
    assert await poller.poll(inbox) == len(told) - 1
    onestop.break_item(ids[0], broken=False)
    assert await poller.poll(inbox) == 1


def faulty(change: Change, **fields: Any) -> dict[str, Any]:
    return detail(change) | fields


async def test_what_can_never_be_read_is_refused_by_name_and_stops_nothing(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(3), Kept()
    step = next(change for change in told if isinstance(change.item, Step))
    record = next(change for change in told if isinstance(change.item, DossierRecord))
    profile = detail(record)["profile"]
    wrong = {
        "code": faulty(step, source_id="không mã"),
        "content": faulty(step, process_content=None),
        "by": faulty(step, process_officials="x" * 51),
        "time_of_process": faulty(step, time_of_process="04/08/2026"),
        "status": faulty(step, status_profile=None),
        "from_unit_code": faulty(step, from_unit_code="UBND"),
        "type": faulty(step, type="khác"),
        "profile": faulty(record, profile=None),
        "attachments": faulty(record, profile=profile | {"attachments": "không"}),
        "note": faulty(record, profile=profile | {"note": "x" * 2001}),
    }
    own = onestop.publish_raw(step, faulty(step, status_profile="Chờ ký", step_id="own"))
    refs = {name: onestop.publish_raw(step, model) for name, model in wrong.items()}
    onestop.publish(told)
    assert await poller.poll(inbox) == len(wrong) + len(told) + 1
    assert onestop.acks[own] == ["done"], "a status of its own is mapped, or waits until it is"
    for name, profile_id in refs.items():
        assert onestop.acks[profile_id] == ["fail"]
        error = inbox.refused[f"{UNIT}:{profile_id}"]
        assert error.context["field"] == name
        assert error.detail.vi
    assert len(inbox.items) == len(told) + 1
    assert [each.status for _, each in inbox.items if each.local_status == "Chờ ký"] == [0]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503", PartnerUnavailable),
        ("500", PartnerGarbage),
        ("garbage", PartnerGarbage),
        ("hang", PartnerTimeout),
        ("slow", PartnerTimeout),
        ("cut", PartnerTimeout),
        ("half", PartnerTimeout),
        ("refuse", PartnerUnavailable),
    ],
)
async def test_a_fault_ends_the_round_and_the_next_one_has_everything(
    onestop: OneStopSandbox, poller: OneStop, fault: str, error: type[PartnerError]
) -> None:
    told, inbox = changes(2), Kept()
    onestop.publish(told)
    await onestop.set_fault(fault)
    with pytest.raises(error):
        await poller.poll(inbox)
    await onestop.set_fault("ok")
    await poller.poll(inbox)
    assert [item for _, item in inbox.items] == [change.item for change in told]


async def test_faults_now_and_then_lose_and_double_nothing(
    onestop: OneStopSandbox, poller: OneStop
) -> None:
    told, inbox = changes(6), Kept()
    onestop.publish(told)
    await onestop.set_fault("cut", probability=0.1)
    for _ in range(200):
        try:
            await poller.poll(inbox)
        except PartnerTimeout:
            continue
        if not onestop.waiting:
            break
    assert [item for _, item in inbox.items] == [change.item for change in told]


async def test_a_wrong_access_key_is_ours_to_mend(onestop: OneStopSandbox) -> None:
    config = OneStopConfig(url=onestop.url, unit_code=UNIT, secret="x")
    async with open_session() as http:
        other = OneStop(config, http=http, secrets=lambda _: b"another key, 16 b")
        with pytest.raises(ConfigurationError):
            await other.poll(Kept())
