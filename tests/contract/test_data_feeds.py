"""How far feeds have come, in the ledger, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from bus.ledger.data_feeds import Backlog
from bus.ledger.ledger import Ledger
from bus.ledger.tables import delivery
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


async def test_what_subscribers_have_not_taken_is_counted_by_feed(ledger: Ledger) -> None:
    rows = [
        ("feed:dan-toc:1", "queued", 5),
        ("feed:dan-toc:2", "waiting", 3),
        ("feed:dan-toc:2", "delivered", 1),
        ("feed:thu-tuc", "dead", 9),
        ("feed:xong", "rejected", 1),
        ("feedback", "queued", 1),
    ]
    common: dict[str, Any] = {
        "message_id": "m",
        "endpoint": "e",
        "receivers": "H99",
        "lane": "normal",
    }
    common |= {"pull": True, "head": False, "next_attempt_at": 0}
    async with ledger.db.write() as connection:
        for key, state, at in rows:
            row = common | {"order_key": key, "state": state, "created_at": at}
            await connection.execute(insert(delivery).values(row))
    assert await ledger.feeds.backlogs() == {"dan-toc": Backlog(2, 3), "thu-tuc": Backlog(1, 9)}
