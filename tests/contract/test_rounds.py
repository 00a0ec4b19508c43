"""What is written down of fetching, on both ledgers: when it was last good, and why it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.engine.rounds import NOTE_SECONDS, SILENT_SECONDS, Rounds
from bus.ledger.ledger import Ledger
from bus.ledger.records import Poll
from schemas.instant import SECOND
from tests.ledgers import prepare

INTERVAL = 10.0
START = 1_000 * SECOND


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", clock=clock)
    yield opened
    await opened.close()


async def _poll(ledger: Ledger) -> Poll:
    return (await ledger.queries.polls())["truc"]


async def test_rounds_are_written_down_now_and_then_and_failures_move_nothing(
    ledger: Ledger, clock: Clock
) -> None:
    rounds = Rounds(ledger, "truc", INTERVAL)
    await rounds.good()
    first = await _poll(ledger)
    assert (first.good_at, first.error) == (START, None)
    assert SILENT_SECONDS * SECOND < first.due_at - START < 2 * SILENT_SECONDS * SECOND
    clock.forward(NOTE_SECONDS - 1)
    await rounds.good()
    assert await _poll(ledger) == first
    await rounds.bad("partner-timeout: x")
    assert await _poll(ledger) == Poll("truc", START, first.due_at, "partner-timeout: x")
    clock.forward(1)
    await rounds.good()
    mended = await _poll(ledger)
    assert (mended.good_at, mended.error) == (clock.now, None), "at once after a failure"
    assert mended.due_at - clock.now == first.due_at - START


async def test_one_that_never_worked_falls_silent_too(ledger: Ledger, clock: Clock) -> None:
    rounds = Rounds(ledger, "truc", INTERVAL)
    await rounds.bad("a")
    first = await _poll(ledger)
    clock.forward(100)
    await rounds.bad("b")
    assert await _poll(ledger) == Poll("truc", None, first.due_at, "b")
