"""Proof: the bus dies at every named point, in the middle of its work, and nothing comes of it.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
`python -m tests.proof.points_run` does it on RabbitMQ and PostgreSQL, too.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.proof.nest import Nest
from tests.proof.points import POINTS, Backend, Point, points_of
from tests.proof.points_run import die_applying, die_migrating, die_running
from tests.proof.stand import Stand

SEED = 20260302
BACKEND: Backend = "embedded-sqlite"


def test_there_are_enough_points_of_every_kind() -> None:
    assert len(POINTS) >= 40
    areas = {point.area for point in POINTS.values()}
    assert areas >= {"accept", "dispatch", "deliver", "ack", "poll", "migrate", "apply"}


@pytest.mark.crash
@pytest.mark.timeout(1200)
async def test_a_bus_that_dies_at_every_point_loses_doubles_and_reorders_nothing(
    tmp_path: Path,
) -> None:
    """Two buses side by side: one starts while the other runs into its point."""
    points = points_of("serve", BACKEND)
    random.Random(SEED).shuffle(points)
    with Nest(tmp_path / "nest.log") as nest:
        await asyncio.gather(
            *(_die_at_each(tmp_path / f"stand-{n}", nest, points[n::2], SEED + n) for n in (0, 1))
        )


async def _die_at_each(folder: Path, nest: Nest, points: list[Point], seed: int) -> None:
    async with Stand(folder, nest, begin=False) as stand:
        deaths = await die_running(stand, points, seed)
    assert deaths.missed == []
    assert deaths.verdict.clean, str(deaths.verdict)


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_a_migration_that_dies_at_every_point_is_done_by_the_next(tmp_path: Path) -> None:
    with Nest(tmp_path / "nest.log") as nest:
        async with Stand(tmp_path / "stand", nest, begin=False) as stand:
            await die_migrating(stand, points_of("migrate", BACKEND), SEED)


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_an_apply_that_dies_at_every_point_is_done_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    with Nest(tmp_path / "nest.log") as nest:
        async with Stand(tmp_path / "stand", nest, begin=False) as stand:
            await die_applying(stand, points_of("apply", BACKEND))
