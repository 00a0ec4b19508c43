"""Dossiers through the whole engine: every record and step once, in order, mapped, or held."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import orjson
import pytest

from bus.ledger.records import DeliveryRow, Receipt
from schemas.adapter import OutboundDelivery
from schemas.delivery import DeliveryState
from schemas.dossier import DossierRecord
from schemas.province import Mapping
from tests.integration.dossier_harness import Engine, engine, record, step
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
    look: Callable[[], Awaitable[list[DeliveryRow]]] = partial(_held, bus, receipt)
    (row,) = await wait_until(look, what="the delivery held")
    return row


async def _held(bus: Engine, receipt: Receipt) -> list[DeliveryRow]:
    rows = await bus.ledger.queries.deliveries_of(receipt.message_id)
    return [row for row in rows if row.state is DeliveryState.HELD]
