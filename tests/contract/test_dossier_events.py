"""The line of dossier events, on every database, by two processes: no gap, no change, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger import dossier_events, dossier_waits, postgres
from bus.ledger.event_queries import Place
from bus.ledger.journal import Chain
from bus.ledger.ledger import Ledger
from bus.ledger.tx import Tx
from schemas.errors import LedgerUnavailable
from schemas.instant import Instant
from tests.contract.test_dossiers import SENDER, record, step
from tests.ledgers import prepare


@pytest.fixture
async def ledgers(ledger_url: str, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    await prepare(ledger_url)
    a = await Ledger.open(ledger_url, tmp_path / "blobs", actor="a")
    b = await Ledger.open(ledger_url, tmp_path / "blobs", actor="b")
    yield a, b
    await asyncio.gather(a.close(), b.close())


async def _accept(ledger: Ledger, codes: list[str], count: int, first: int) -> None:
    """Steps of each dossier one after the other, the dossiers side by side."""

    async def one(code: str) -> None:
        for number in range(first, first + count):
            await ledger.accept(step(code, number))

    await asyncio.gather(*map(one, codes))


async def _follow(ledger: Ledger, seen: list[Place], expected: int) -> None:
    """A reader that asks again and again, however little there is."""
    while len(seen) < expected:
        await ledger.number_events()
        seen += await ledger.events.after(seen[-1].position if seen else 0, 7)
        await asyncio.sleep(0)


async def test_readers_beside_two_writing_processes_see_every_event_once_and_in_order(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    a, b = ledgers
    mine, others = [f"a{n}" for n in range(8)], [f"b{n}" for n in range(8)]
    seen: tuple[list[Place], list[Place]] = ([], [])
    expected = 2 * 8 * 15
    async with asyncio.timeout(60):
        await asyncio.gather(
            _accept(a, mine, 15, 0),
            _accept(b, others, 15, 0),
            _follow(a, seen[0], expected),
            _follow(b, seen[1], expected),
        )
    assert seen[0] == seen[1]
    assert [each.position for each in seen[0]] == list(range(1, expected + 1))
    for code in (*mine, *others):
        ids = [each.message_id for each in seen[0] if each.code == code]
        assert ids == [each.message_id for each in await a.dossiers.steps(SENDER, code)]
    assert await a.events.after(expected, 7) == []
    assert await a.events.newest() == expected


async def test_what_is_repeated_or_refused_is_no_event(ledgers: tuple[Ledger, Ledger]) -> None:
    a, _ = ledgers
    told = step("d1", 1)
    await a.accept(told)
    await a.accept(told)
    await a.accept(record("d1", "r1"))
    await a.number_events()
    seen = await a.events.after(0, 10)
    assert [(each.kind, each.sender) for each in seen] == [("step", SENDER), ("dossier", SENDER)]
    assert not await a.events.unnumbered()
    said = await a.events.said([seen[0].message_id])
    assert said[seen[0].message_id].record == told.record


async def test_a_transaction_that_commits_late_is_not_passed_over(
    ledgers: tuple[Ledger, Ledger], ledger_url: str
) -> None:
    """It took its row id first; a cursor made of row ids would have gone past it."""
    if ledger_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time: nothing can commit late")
    late, early = ledgers
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(tx: Tx, _chain: Chain, _now: Instant) -> None:
        await dossier_waits.note(tx, [step("late", 1)])
        inside.set()
        await go_on.wait()

    slow = asyncio.create_task(late.act(slowly))
    async with asyncio.timeout(30):
        await inside.wait()
        await early.accept(step("early", 1))
        await early.number_events()
        assert [each.code for each in await early.events.after(0, 10)] == ["early"]
        go_on.set()
        await slow
        await early.number_events()
        assert [each.code for each in await early.events.after(1, 10)] == ["late"]


async def test_a_process_that_freezes_while_it_gives_positions_stops_nobody_for_long(
    ledgers: tuple[Ledger, Ledger], ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time: it has no lock to be held")
    monkeypatch.setattr(postgres, "IDLE_SECONDS", 1.0)
    frozen, other = ledgers
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def numbering(tx: Tx, _chain: Chain, _now: Instant) -> None:
        await dossier_events.number(tx)
        inside.set()
        await go_on.wait()

    task = asyncio.create_task(frozen.act(numbering))
    async with asyncio.timeout(30):
        await inside.wait()
        await other.accept(step("d1", 1))
        assert await other.number_events() == 0, "one process at a time gives positions"
        assert await other.events.after(0, 10) == []
        while not await other.number_events():
            await asyncio.sleep(0.05)
        assert [each.code for each in await other.events.after(0, 10)] == ["d1"]
        go_on.set()
        with pytest.raises(LedgerUnavailable):
            await task
