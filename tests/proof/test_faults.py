"""Proof: nineteen kinds of faults at once, each raised with its culprit, nothing else raised.

The short form of `python -m tests.proof.faults_hour`, which measures how soon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bus.ledger.alerts import AlertRow
from schemas.instant import SECOND
from tests.proof.faults import Label, World, kinds, match, rhythm, world
from tests.waiting import wait_until

SCALE = 40.0
SECONDS = 90
STALL = 0.5
"""Seconds; a machine that keeps the whole process waiting for longer makes everybody look silent,
slow or dead, so that only what was missed can be judged."""


@pytest.mark.timeout(280)
async def test_every_kind_of_fault_is_named_with_its_culprit_and_nothing_else_is(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, scale=SCALE) as one:
        await rhythm(one, SECONDS)
        before = await _raised(one)
        assert before == [] or one.stall > STALL, "all is well"
        labels = []
        for kind in kinds(one):
            labels.append(Label(kind, one.ledger.clock()))
            await kind.inject(one)

        async def all_named() -> bool:
            for row in await _raised(one):
                match(labels, row.rule, row.culprit, row.raised_at or 0, 0)
            return all(label.raised_at for label in labels)

        named: Callable[[], bool | Awaitable[bool]] = all_named
        await wait_until(
            named,
            SECONDS,
            lambda: f"not named: {[x.kind.name for x in labels if not x.raised_at]}",
        )
        for label in labels:
            await label.kind.heal(one)
            label.healed_at = one.ledger.clock()

        async def all_over() -> bool:
            return not [row for row in await one.ledger.alerts.unresolved() if row.raised_at]

        over: Callable[[], bool | Awaitable[bool]] = all_over
        await wait_until(over, SECONDS, "every alert has resolved itself")
        tail = SECONDS * SECOND
        wrong = [
            row
            for row in await _raised(one)
            if row not in before
            and not match(labels, row.rule, row.culprit, row.raised_at or 0, tail)
        ]
        assert wrong == [] or one.stall > STALL


async def _raised(one: World) -> list[AlertRow]:
    return await one.ledger.alerts.raised(limit=10_000)
