"""A task of the engine outlives faults nobody foresaw."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bus.engine import outlive
from bus.engine.membership import Membership
from bus.ledger.ledger import Ledger
from tests.ledgers import prepare
from tests.waiting import wait_until


async def test_a_loop_that_fails_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlive, "PAUSE_SECONDS", 0.0)
    begun = 0

    async def loop() -> None:
        nonlocal begun
        begun += 1
        raise ZeroDivisionError

    task = outlive.outliving(loop, name="test")
    await wait_until(lambda: begun >= 3, what="a third beginning")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_process_that_fails_to_look_around_goes_on_beating(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlive, "PAUSE_SECONDS", 0.0)
    await prepare(sqlite_url)
    ledger = await Ledger.open(sqlite_url, tmp_path / "blobs")
    membership = Membership(ledger, {"worker"})
    told = 0

    def fails_once() -> None:
        nonlocal told
        told += 1
        if told == 1:
            raise ZeroDivisionError

    membership.on_change(fails_once)
    membership.start()

    async def beats() -> bool:
        return any(row.beat > 1 for row in await ledger.queries.processes())

    _: bool = await wait_until(beats, what="a beat after the fault")
    await membership.close()
    await ledger.close()
    assert told >= 1
