"""How far feeds have come, in the ledger, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from schemas.instant import SECOND
from tests.ledgers import prepare

HOUR = 3_600 * SECOND


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", actor="test")
    yield opened
    await opened.close()


async def test_one_asks_at_a_time_and_only_its_cursor_counts(ledger: Ledger) -> None:
    mine = await ledger.take_feed("dan-toc", lease=HOUR)
    assert (mine.cursor, mine.round) == ("", 0)
    assert mine.due_at <= ledger.clock(), "it was due, so it is taken"
    later = await ledger.take_feed("dan-toc", lease=HOUR)
    assert later.due_at > ledger.clock(), "another has it"
    due = ledger.clock() + HOUR
    assert await ledger.advance_feed(mine, cursor="c1", due_at=due, acceptances=[])
    assert not await ledger.advance_feed(mine, cursor="c2", due_at=due, acceptances=[])
    (state,) = await ledger.feeds.states()
    assert (state.cursor, state.round, state.due_at, state.failures) == ("c1", 1, due, 0)
    assert state.good_at is not None


async def test_failures_are_counted_until_it_answers(ledger: Ledger) -> None:
    for count in (1, 2):
        state = await ledger.take_feed("dan-toc", lease=0)
        await ledger.fail_feed(state, due_at=0, error="partner-unavailable: HTTP 503")
        (known,) = await ledger.feeds.states()
        assert (known.failures, known.error) == (count, "partner-unavailable: HTTP 503")
    state = await ledger.take_feed("dan-toc", lease=0)
    assert await ledger.advance_feed(state, cursor="c", due_at=0, acceptances=[])
    (known,) = await ledger.feeds.states()
    assert (known.failures, known.error) == (0, None)
    await ledger.fail_feed(state, due_at=HOUR, error="late")
    assert await ledger.feeds.states() == [known], "of a round that is over"
