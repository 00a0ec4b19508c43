"""Dossiers through the whole engine: every record and step once, in order, mapped, or held."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus.ledger.records import DeliveryRow, Receipt
from bus.ops import dossier_figures
from schemas.adapter import OutboundDelivery
from schemas.delivery import DeliveryState
from schemas.dossier import DossierRecord, Step
from schemas.errors import InvalidRequest
from schemas.province import Mapping, calendar_of
from tests.integration.dossier_harness import BEGIN, BUILD, Engine, engine, record, step
from tests.waiting import wait_until

NEW = Mapping(table="procedure", local="TT.99", national="2.000999")


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(sqlite_url, tmp_path) as running:
        yield running


@pytest.mark.parametrize("seed", range(3))
async def test_2_4_steps_accepted_are_steps_delivered_once_and_in_order(
    bus: Engine, seed: int
) -> None:
    """Invariants 2 and 4, nothing coalesces: dossiers side by side, portals that fail in between,
    records told again with other content, steps repeated by their sender.
    """
    dice = random.Random(seed)
    bus.trouble.share = 0.3
    accepted: dict[str, list[tuple[str, str]]] = {}

    async def one(code: str) -> None:
        mine = accepted.setdefault(code, [])
        for number in range(dice.randrange(3, 15)):
            if dice.random() < 0.3:
                receipt = await bus.record(record(code, note=f"lần {number % 2}"))
                mine += [] if receipt.duplicate else [(code, "")]
            else:
                receipt = await bus.step(step(code, number))
                mine.append((code, f"B{number}"))
                if dice.random() < 0.2:
                    again = await bus.step(step(code, number))
                    assert (again.duplicate, again.message_id) == (True, receipt.message_id)

    codes = [f"H99.02-261102-{n:04d}" for n in range(25)]
    await asyncio.gather(*(one(code) for code in codes))
    total = sum(map(len, accepted.values()))
    for endpoint in ("quoc-gia", "cap-tinh"):
        got = bus.got[endpoint]
        await wait_until(partial(_as_many, got, total), 60, f"everything at {endpoint}")
        told = bus.told(endpoint)
        for code in codes:
            assert [each for each in told if each[0] == code] == accepted[code]
        assert len(told) == total


async def test_7_portals_get_national_codes_and_the_original_stays(bus: Engine) -> None:
    receipt = await bus.record(record("H99.02-261102-0001"))
    await wait_until(lambda: bus.got["quoc-gia"] and bus.got["cap-tinh"], what="both portals")
    mapped = DossierRecord.model_validate_json(bus.got["quoc-gia"][0].content or b"")
    plain = DossierRecord.model_validate_json(bus.got["cap-tinh"][0].content or b"")
    assert (mapped.procedure, plain.procedure) == ("1.000656", "TT.01")
    async with bus.ledger.original(receipt.message_id) as pieces:
        original = b"".join([piece async for piece in pieces])
    assert orjson.loads(original)["procedure"] == "TT.01"


async def test_an_unmapped_dossier_is_held_alone_and_leaves_by_itself(bus: Engine) -> None:
    """Its own key waits, with the reason; other dossiers and the other portal do not."""
    strange, known = "H99.02-261102-0001", "H99.02-261102-0002"
    receipt = await bus.record(record(strange, procedure="TT.99"))
    await bus.step(step(strange, 1))
    await bus.record(record(known))
    await wait_until(lambda: len(bus.got["cap-tinh"]) == 3, what="the portal that maps nothing")
    await wait_until(lambda: bus.told("quoc-gia") == [(known, "")], what="the mapped one")

    row = await _one_held(bus, receipt)
    assert row.endpoint == "quoc-gia"
    assert row.code == "unmapped"
    assert "TT.99" in (row.detail or "")
    assert "procedure" in (row.detail or "")
    await bus.declare("mapping", None, NEW)
    await wait_until(lambda: len(bus.got["quoc-gia"]) == 3, what="the dossier, let go")
    assert bus.told("quoc-gia")[1:] == [(strange, ""), (strange, "B1")]
    events = [
        each.event for each in await bus.ledger.queries.journal(message_id=receipt.message_id)
    ]
    assert {"held", "released", "delivered"} <= set(events)


async def test_what_lacks_two_mappings_is_held_until_both_are_there(bus: Engine) -> None:
    code = "H99.02-261102-0001"
    fee = {"code": "LP.1", "name": "Lệ phí", "amount": 1000}
    other = Mapping(table="fee", local="LP.2", national="QG.2")
    await bus.declare("mapping", None, other)
    await wait_until(lambda: bus.live.snapshot.revision == 2, what="a table of fees")
    receipt = await bus.record(record(code, procedure="TT.99", fees=[fee]))
    row = await _one_held(bus, receipt)
    assert "TT.99" in (row.detail or "")
    await bus.declare("mapping", None, NEW)
    await wait_until(lambda: bus.live.snapshot.revision == 3, what="the procedure mapped")
    assert await _held(bus, receipt), "still held: its fee is not mapped"
    await bus.declare("mapping", None, Mapping(table="fee", local="LP.1", national="QG.1"))
    await wait_until(lambda: bus.told("quoc-gia") == [(code, "")], what="the dossier, let go")


@pytest.fixture
async def kept(ledger_url: str, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(ledger_url, tmp_path) as running:
        yield running


def status_of(local: str, national: int, **given: Any) -> Mapping:
    return Mapping(table="status", agency=BUILD, local=local, national=str(national), **given)


async def test_a_status_that_nobody_understands_is_held_and_comes_in_order_once_mapped(
    kept: Engine,
) -> None:
    """Portals, timeline, figures and events: nothing of it is lost, nothing overtakes it."""
    bus, code, other = kept, "H99.02-261102-0001", "H99.02-261102-0002"
    dossiers = bus.ledger.dossiers
    await bus.record(record(code))
    waiting = await bus.step(step(code, 1, status=0, local_status="XONG"))
    await bus.step(step(code, 2, status=0, local_status="TRẢ"))
    await bus.step(step(code, 3, status=10))
    again = await bus.step(step(code, 1, status=0, local_status="XONG"))
    assert (again.duplicate, again.message_id) == (True, waiting.message_id)
    await bus.record(record(other))
    for portal in ("quoc-gia", "cap-tinh"):
        await wait_until(
            lambda portal=portal: sorted(bus.told(portal)) == [(code, ""), (other, "")],  # type: ignore[misc]
            what=f"everything before it at {portal}, and the other dossier",
        )
    held = [each for each in await _all_held(bus, waiting, 2) if each.code == "unmapped"]
    assert {each.endpoint for each in held} == {"quoc-gia", "cap-tinh"}
    assert all("trạng thái XONG" in (each.detail or "") for each in held)
    assert await _events(bus) == [(code, "dossier"), (other, "dossier")]
    (row,) = [each for each in await dossiers.page(senders=None) if each.code == code]
    assert row.status == 10, "told later than what is not understood"

    await bus.declare("mapping", None, status_of("XONG", 9))
    await wait_until(lambda: (code, "B1") in bus.told("cap-tinh"), what="the first, let go")
    assert (code, "B3") not in bus.told("cap-tinh"), "behind one that is not understood yet"
    await bus.declare("mapping", None, status_of("TRẢ", 10))
    for portal in ("quoc-gia", "cap-tinh"):
        await wait_until(lambda portal=portal: len(bus.told(portal)) == 5, what=portal)  # type: ignore[misc]
        mine = [each for each in bus.told(portal) if each[0] == code]
        assert mine == [(code, ""), (code, "B1"), (code, "B2"), (code, "B3")]
    statuses = [
        Step.model_validate_json(each.content or b"").status
        for each in bus.got["quoc-gia"]
        if each.kind == "step"
    ]
    assert statuses == [9, 10, 10]
    steps = [Step.model_validate_json(each.record) for each in await dossiers.steps(BUILD, code)]
    told = [(each.status, each.local_status) for each in steps]
    assert told == [(9, "XONG"), (10, "TRẢ"), (10, "")]
    assert (await _events(bus))[2:] == [(code, "step")] * 3
    assert await dossiers.statuses_waiting() == []
    again = await bus.step(step(code, 1, status=0, local_status="XONG"))
    assert (again.duplicate, again.message_id) == (True, waiting.message_id)


async def test_figures_are_right_once_a_status_is_understood(kept: Engine) -> None:
    """A record and a step in the sender's words: open until then, then on time; the last told
    status is the dossier's.
    """
    bus, code = kept, "H99.02-261102-0001"
    await bus.record(record(code, status=0, local_status="Mới nhận"))
    await bus.step(step(code, 1, status=0, local_status="Đã ký"))
    found = await bus.ledger.dossiers.find(code)
    assert [row.status for row in found] == [0]
    assert await _figures(bus) == (1, 0, 1)
    await bus.declare("mapping", None, status_of("Mới nhận", 2))
    await wait_until(lambda: (code, "") in bus.told("quoc-gia"), what="the record, let go")
    assert await _figures(bus) == (1, 0, 1)
    await bus.declare("mapping", None, status_of("Đã ký", 9, valid_from=BEGIN.date()))
    await wait_until(lambda: (code, "B1") in bus.told("quoc-gia"), what="the step, let go")
    found = await bus.ledger.dossiers.find(code)
    assert [row.status for row in found] == [9]
    assert await _figures(bus) == (1, 1, 0)


async def test_a_status_that_is_known_is_translated_at_the_door(bus: Engine) -> None:
    """Of the agency's units too, and by the tables of the day of the step."""
    old = status_of("KÝ", 4, valid_to=BEGIN.date())
    new = status_of("KÝ", 9, valid_from=BEGIN.date() + timedelta(days=1))
    for entry in (old, new):
        await bus.declare("mapping", None, entry)
    await wait_until(lambda: bus.live.snapshot.revision == 3, what="the table")
    code = "H99.02-261102-0001"
    await bus.record(record(code))
    await bus.step(step(code, 1, status=0, local_status="KÝ"))
    await bus.step(step(code, 2, status=0, local_status="KÝ", at=BEGIN + timedelta(days=1)))
    steps = [
        Step.model_validate_json(each.record)
        for each in await bus.ledger.dossiers.steps(BUILD, code)
    ]
    assert [each.status for each in steps] == [4, 9]
    with pytest.raises(InvalidRequest):
        await bus.record(record(code, status=0, local_status="KÝ", received=None))


async def _all_held(bus: Engine, receipt: Receipt, count: int) -> list[DeliveryRow]:
    async def all_of_them() -> list[DeliveryRow]:
        found = await _held(bus, receipt)
        return found if len(found) == count else []

    return await wait_until(all_of_them, what="its deliveries held")


async def _events(bus: Engine) -> list[tuple[str, str]]:
    while await bus.ledger.number_events():
        pass
    return [(each.code, each.kind) for each in await bus.ledger.events.after(0, 100)]


async def _figures(bus: Engine) -> tuple[int, int, int]:
    """Received, early, open."""
    rows = await dossier_figures.of_period(
        bus.ledger.dossiers,
        first=BEGIN.date(),
        last=BEGIN.date(),
        senders=None,
        calendar=calendar_of(()),
        procedures={},
        now=bus.ledger.clock(),
    )
    return rows[0].received, rows[0].early, rows[0].open


async def test_3_a_record_like_an_earlier_one_is_news_again(bus: Engine) -> None:
    """Status 4, 5, 4: the third says what the first said, and must travel; a repeat must not."""
    code = "H99.02-261102-0001"
    for status in (4, 5, 4, 4):
        await bus.record(record(code, status=status))
    await bus.record(record(code, status=5))  # behind them, to know when all have come
    await wait_until(lambda: len(bus.got["cap-tinh"]) >= 4, what="four records")
    statuses = [
        DossierRecord.model_validate_json(each.content or b"").status
        for each in bus.got["cap-tinh"]
    ]
    assert statuses == [4, 5, 4, 5]


def _as_many(got: list[OutboundDelivery], wanted: int) -> bool:
    return len(got) >= wanted


async def _one_held(bus: Engine, receipt: Receipt) -> DeliveryRow:
    async def look() -> bool:
        return bool(await _held(bus, receipt))

    condition: Callable[[], bool | Awaitable[bool]] = look
    await wait_until(condition, what="the delivery held")
    (row,) = await _held(bus, receipt)
    return row


async def _held(bus: Engine, receipt: Receipt) -> list[DeliveryRow]:
    rows = await bus.ledger.queries.deliveries_of(receipt.message_id)
    return [row for row in rows if row.state is DeliveryState.HELD]
