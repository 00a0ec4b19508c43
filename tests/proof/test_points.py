"""Proof: the bus dies at every named point, in the middle of its work, and nothing comes of it.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from signal import SIGKILL

import pytest
import yaml

from tests.proof.judge import judge_folder, missing
from tests.proof.load import play
from tests.proof.nest import Nest
from tests.proof.points import POINTS, Backend, Point, points_of
from tests.proof.stand import AXIS, SYSTEMS, Place, Stand
from tests.proof.traffic import keys
from tests.waiting import wait_until

SEED = 20260302
REACH_SECONDS = 300.0  # a deadline, not a promise: most points are passed within a second
SETTLE_SECONDS = 300.0
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
    dice = random.Random(seed)
    async with Stand(folder, nest, begin=False) as stand, _traffic(stand, seed):
        (place,) = stand.places
        for point in points:
            await _die(stand, place, point, dice.randint(1, point.passages))
        await stand.fault(SYSTEMS[0], "ok")
        await stand.revive(place)
    assert stand.points_hit() == [point.name for point in points]
    verdict = judge_folder(stand.histories)
    assert verdict.clean, str(verdict)


async def _die(stand: Stand, place: Place, point: Point, passage: int) -> None:
    await stand.start(place, PROOF_POINT=f"{point.name}:{passage}")
    bird = place.bird
    assert bird is not None
    reached = await asyncio.to_thread(bird.ended.wait, REACH_SECONDS)
    assert reached, f"{point.name} is not passed {passage} times, see {place.log}"
    assert bird.status == -SIGKILL, f"{point.name}: ended with {bird.status}, see {place.log}"


@asynccontextmanager
async def _traffic(stand: Stand, seed: int) -> AsyncIterator[None]:
    """As long as it is open; then until all has arrived. One system is sick now and then, so that
    breakers open and close, too.
    """
    over = asyncio.Event()

    async def others() -> None:
        while True:
            for mode, quarters in (("500", 4), ("ok", 12)):  # longer well than between two probes
                await stand.fault(SYSTEMS[0], mode)
                for _ in range(quarters):
                    stand.put()
                    await asyncio.sleep(0.25)

    aside = asyncio.create_task(others())
    load = asyncio.create_task(
        play(
            stand.sender,
            keys(seed),
            per_key=3,
            at_once=48,
            rate=40,
            go_on=lambda: not over.is_set(),
        )
    )
    try:
        yield
        over.set()
        aside.cancel()
        await load
        await stand.fault(SYSTEMS[0], "ok")
        await wait_until(
            lambda: not missing(stand.sender.sent, stand.books | {AXIS: stand.read_axis()}),
            SETTLE_SECONDS,
            lambda: f"all to arrive: {judge_folder(stand.histories)}",
        )
    finally:
        aside.cancel()
        load.cancel()
        await asyncio.gather(aside, load, return_exceptions=True)


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_a_migration_that_dies_at_every_point_is_done_by_the_next(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    with Nest(tmp_path / "nest.log") as nest:
        async with Stand(tmp_path / "stand", nest, begin=False) as stand:
            whole = _schema(stand.folder / "bus" / "ledger.db")
            for point in points_of("migrate", BACKEND):
                folder = tmp_path / point.name
                env = {"LGSP_DATA_DIR": str(folder)}
                at = f"{point.name}:{dice.randint(1, point.passages)}"
                status, said = await stand.try_lgsp("migrate", PROOF_POINT=at, **env)
                assert status == -SIGKILL, f"{at}: {status} {said}"
                await stand.lgsp("migrate", **env)
                assert _schema(folder / "ledger.db") == whole, at


@pytest.mark.crash
@pytest.mark.timeout(600)
async def test_an_apply_that_dies_at_every_point_is_done_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    with Nest(tmp_path / "nest.log") as nest:
        async with Stand(tmp_path / "stand", nest, begin=False) as stand:
            for number, point in enumerate(points_of("apply", BACKEND)):
                before = await _declared(stand)
                changed = stand.province()
                for each in changed["agencies"]:
                    each["name"] = f"{each['name']} ({number})"
                path = tmp_path / f"{point.name}.yaml"
                path.write_text(yaml.safe_dump(changed, allow_unicode=True))
                apply = ("apply", "-f", str(path), "--reason", "proof", "--yes")
                status, said = await stand.try_lgsp(*apply, PROOF_POINT=f"{point.name}:1")
                assert status == -SIGKILL, f"{point.name}: {status} {said}"
                after = await _declared(stand)
                await stand.lgsp(*apply)
                wanted = await _declared(stand)
                assert wanted != before
                assert after in (before, wanted), f"{point.name} left half a change"


async def _declared(stand: Stand) -> str:
    folder = stand.folder / "declared"
    await stand.lgsp("export", "-o", str(folder))
    return "".join(path.read_text() for path in sorted(folder.glob("*.yaml")))


def _schema(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as database:
        schema = database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name")
        revision = database.execute("SELECT version_num, '', '' FROM alembic_version")
        return [*schema.fetchall(), *revision.fetchall()]
