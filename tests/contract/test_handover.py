"""What is accepted where a runner has a free place is in hand at once, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.records import Claimed, Head
from schemas.delivery import DeliveryState
from schemas.message import Lane
from tests.contract.test_ledger import acceptance, finish, states
from tests.ledgers import prepare


@dataclass
class Runner:
    """So many places for endpoint `ep`."""

    free: int
    sent: list[Claimed] = field(default_factory=list)
    heard: list[Head] = field(default_factory=list)

    def reserve(self, endpoint: str) -> _Place | None:
        if endpoint != "ep" or not self.free:
            return None
        self.free -= 1
        return _Place(self)


@dataclass
class _Place:
    runner: Runner
    endpoint: str = "ep"
    open: bool = True

    def fill(self, claimed: Claimed) -> None:
        self._end()
        self.runner.sent.append(claimed)

    def give_up(self) -> None:
        self._end()
        self.runner.free += 1

    def _end(self) -> None:
        assert self.open, "a place ends once"
        self.open = False


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    one = await Ledger.open(ledger_url, tmp_path / "blobs", actor="a")
    yield one
    await one.close()


async def handing(ledger: Ledger, places: int) -> Runner:
    runner = Runner(places)
    await ledger.hear_heads(runner.heard.extend, lambda _endpoint: True)
    ledger.hand_over(runner.reserve)
    return runner


async def test_it_is_claimed_with_its_acceptance_and_no_dispatcher_hears_of_it(
    ledger: Ledger,
) -> None:
    runner = await handing(ledger, 2)
    receipt = await ledger.accept(acceptance("a", content=b"goes on"))
    (sent,) = runner.sent
    assert (sent.message_id, sent.content) == (receipt.message_id, b"goes on")
    assert await states(ledger) == [(DeliveryState.SENDING, True)]
    assert (runner.heard, runner.free) == ([], 1)
    assert await ledger.claim([sent.id]) == []
    assert (await ledger.finish(finish(sent))).held


async def test_one_of_a_key_goes_and_the_places_of_the_others_come_back(ledger: Ledger) -> None:
    runner = await handing(ledger, 10)
    await asyncio.gather(*(ledger.accept(acceptance(str(n))) for n in range(5)))
    assert len(runner.sent) == 1
    assert runner.free == 9
    finished = await ledger.finish(finish(runner.sent[0]), take_next=True)
    assert finished.next is not None
    assert finished.next.id > runner.sent[0].id


async def test_what_finds_no_place_is_the_dispatchers_and_urgent_ones_go_first(
    ledger: Ledger,
) -> None:
    runner = await handing(ledger, 0)
    await ledger.accept(acceptance("none", key="none"))
    assert [head.endpoint for head in runner.heard] == ["ep"]
    runner.free = 1
    normal, urgent = acceptance("n", key="n"), acceptance("u", key="u")
    message = urgent.message.model_copy(update={"lane": Lane.URGENT})
    both = (normal, replace(urgent, message=message))
    await asyncio.gather(*map(ledger.accept, both))
    assert [sent.lane for sent in runner.sent] == [Lane.URGENT]
    assert [head.lane for head in runner.heard[1:]] == [Lane.NORMAL]


async def test_a_repeat_a_fetched_or_a_held_one_and_a_refused_commit_take_no_place(
    ledger: Ledger,
) -> None:
    runner = await handing(ledger, 3)
    await ledger.accept(acceptance("fetched", pull=True))
    held = acceptance("held", key="held")
    await ledger.accept(replace(held, planned=(replace(held.planned[0], held="a person looks"),)))
    assert (runner.sent, runner.free) == ([], 3)
    await ledger.accept(acceptance("same", key="same"))
    await ledger.accept(acceptance("same", key="same"))
    assert (len(runner.sent), runner.free) == (1, 2)
    (refused,) = await asyncio.gather(
        ledger.accept(acceptance("\ud800", key="poison")), return_exceptions=True
    )
    assert isinstance(refused, UnicodeEncodeError | ValueError), refused
    assert (len(runner.sent), runner.free) == (1, 2)
