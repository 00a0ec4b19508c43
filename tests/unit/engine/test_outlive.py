"""A task of the engine outlives faults nobody foresaw."""

from __future__ import annotations

import asyncio

import pytest

from bus.engine import outlive
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
