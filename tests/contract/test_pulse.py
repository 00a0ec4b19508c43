"""The pulse of the bus, from the journal of every ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ops.pulse import KEPT_SECONDS, Pulse
from schemas.instant import SECOND, Instant
from tests.ledgers import prepare


class Clock:
    now: Instant = 1_790_000_000 * SECOND

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, ledger_url: str, clock: Clock) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", clock=clock)
    yield opened
    await opened.close()


async def accepted(ledger: Ledger, sender: str, *flows: list[str]) -> None:
    await ledger.note("accepted", actor="c", data={"sender": sender, "deliveries": flows})


async def test_each_entry_is_counted_once_and_forgotten_in_time(
    ledger: Ledger, clock: Clock
) -> None:
    pulse = Pulse(ledger.queries, clock)
    await pulse.read()
    await accepted(ledger, "A", ["e1", "B", "C"], ["e2", "D"])
    await accepted(ledger, "A", ["e1", "B", "C"])
    await ledger.note("delivered", actor="w", data={"endpoint": "e1", "ms": 20.0}, delivery_id=1)
    await ledger.note("waiting", actor="w", data={"endpoint": "e1", "ms": 40.0}, delivery_id=2)
    await ledger.note("delivered", actor="w", data={"endpoint": "e1"})  # of no delivery
    await pulse.read()
    await pulse.read()
    assert dict(pulse.flows()) == {("A", "e1", ("B", "C")): 2, ("A", "e2", ("D",)): 1}
    (slot,) = pulse.slots()
    assert (slot.accepted, dict(slot.sent_on), dict(slot.failed)) == (2, {"e1": 1}, {"e1": 1})
    assert pulse.latency("e1") == 30
    assert pulse.latency("e2") is None
    clock.now += (KEPT_SECONDS + 20) * SECOND
    await accepted(ledger, "B", ["e2", "A"])
    await pulse.read()
    assert dict(pulse.flows()) == {("B", "e2", ("A",)): 1}
    late = Pulse(ledger.queries, clock)
    await late.read()
    assert late.flows() == pulse.flows(), "who begins later sees the same"
