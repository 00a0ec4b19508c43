"""Dies at every crash point, on either backend: `python -m tests.proof.points_run`.

Each seed chooses the order of the points and the passage at which a process dies.  Where roles are
apart all processes of the point's role are down when the one that is to die comes up, so that it is
the one that passes there; the others go on.  Prints one JSON table; exit status 0: every point was
hit at each seed and the judge found nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any

import asyncpg
import uvloop
import yaml

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.judge import Verdict, digests, judge_folder, missing
from tests.proof.load import play
from tests.proof.nest import Nest
from tests.proof.points import BOTH, POINTS, Backend, Point, points_of
from tests.proof.stand import AXIS, OURS, SYSTEMS, Stand
from tests.proof.traffic import keys
from tests.waiting import wait_until

REACH_SECONDS = 300.0  # a deadline, not a promise: most points are passed within a second
SETTLE_SECONDS = 300.0
KEYS = 25  # told between two looks at how far the receivers are
MOST_BEHIND = 120  # deliveries
MOST_FETCHED = 8  # packets that wait at the axis


@dataclass
class Deaths:
    """Where processes died, in order, and what the judge found afterwards."""

    at: list[str] = field(default_factory=list)  # point:passage
    missed: list[str] = field(default_factory=list)  # nobody came by in time
    verdict: Verdict = field(default_factory=Verdict)
    digests: dict[str, str] = field(default_factory=dict)


async def die_running(stand: Stand, points: Sequence[Point], seed: int) -> Deaths:
    """A bus under traffic dies at each of the points, in this order."""
    dice, deaths = random.Random(seed), Deaths()
    async with _traffic(stand, seed):
        for point in points:
            at, died = await _die(stand, point, dice)
            (deaths.at if died else deaths.missed).append(at)
        await stand.fault(SYSTEMS[0], "ok")
        await stand.revive(*(each for each in stand.places if not _alive(stand, each.name)))
    assert stand.points_hit() == [at.partition(":")[0] for at in deaths.at]
    deaths.verdict, deaths.digests = judge_folder(stand.histories), digests(stand.histories)
    return deaths


async def _die(stand: Stand, point: Point, dice: random.Random) -> tuple[str, bool]:
    """Point and passage, and whether a process died there."""
    role = dice.choice([each.role for each in stand.places]) if _anywhere(point) else point.role
    twins = [each for each in stand.places if each.role in {role, "serve"}]
    await stand.kill(*twins)
    for other in stand.places:
        if other not in twins and not _alive(stand, other.name):
            await stand.start(other)
    at = f"{point.name}:{dice.randint(1, point.passages)}"
    place = dice.choice(twins)
    await stand.start(place, PROOF_POINT=at)
    bird = place.bird
    assert bird is not None
    if not await asyncio.to_thread(bird.ended.wait, REACH_SECONDS):
        return at, False
    assert bird.status == -SIGKILL, f"{at}: ended with {bird.status}, see {place.log}"
    return at, True


def _anywhere(point: Point) -> bool:
    """Every process passes it."""
    return point.role == "serve"


def _alive(stand: Stand, name: str) -> bool:
    bird = next(each.bird for each in stand.places if each.name == name)
    return bird is not None and bird.alive


@asynccontextmanager
async def _traffic(stand: Stand, seed: int) -> AsyncIterator[None]:
    """As long as it is open; then until all has arrived. One system is sick now and then, so that
    breakers open and close, too. No more is told than the machine keeps up with: a point that one
    passes once in a round is reached as soon as rounds are short.
    """
    over = asyncio.Event()

    def behind() -> int:
        return missing(stand.sender.sent, stand.books | {AXIS: stand.read_axis()})

    async def others() -> None:
        while True:
            for mode, quarters in (("500", 12), ("ok", 12)):  # longer well than between two probes
                await stand.fault(SYSTEMS[0], mode)
                for _ in range(quarters):
                    if len(stand.axis.store.received(OURS, "edoc")) < MOST_FETCHED:
                        stand.put()
                    await asyncio.sleep(0.25)

    async def load() -> None:
        names = keys(seed)
        while not over.is_set():
            spell = itertools.islice(names, KEYS)
            await play(
                stand.sender, spell, per_key=3, at_once=48, rate=40, go_on=lambda: not over.is_set()
            )
            while behind() > MOST_BEHIND and not over.is_set():
                await asyncio.sleep(0.25)

    aside, telling = asyncio.create_task(others()), asyncio.create_task(load())
    try:
        yield
        over.set()
        aside.cancel()
        await telling
        await stand.fault(SYSTEMS[0], "ok")
        await wait_until(
            lambda: not behind(),
            SETTLE_SECONDS,
            lambda: f"all to arrive: {judge_folder(stand.histories)}",
        )
    finally:
        aside.cancel()
        telling.cancel()
        await asyncio.gather(aside, telling, return_exceptions=True)


async def die_migrating(
    stand: Stand, points: Sequence[Point], seed: int, postgres: PostgreSQL | None = None
) -> Deaths:
    """An empty database for each point: the next migration finishes what the dead one began."""
    dice, deaths = random.Random(seed), Deaths()
    whole = await _schema(stand.folder / "bus", stand.database_url)
    for point in points:
        folder = stand.folder / point.name
        env = {"LGSP_DATA_DIR": str(folder)}
        if postgres is not None:
            name = f"points_{seed}_{point.name.replace('.', '_').replace('-', '_')}"
            env["LGSP_DATABASE_URL"] = await asyncio.to_thread(postgres.create_database, name)
        at = f"{point.name}:{dice.randint(1, point.passages)}"
        status, said = await stand.try_lgsp("migrate", PROOF_POINT=at, **env)
        assert status == -SIGKILL, f"{at}: {status} {said}"
        await stand.lgsp("migrate", **env)
        assert await _schema(folder, env.get("LGSP_DATABASE_URL")) == whole, at
        deaths.at.append(at)
    return deaths


async def die_applying(stand: Stand, points: Sequence[Point]) -> Deaths:
    """A declared change is there whole or not at all; the same command does it."""
    deaths = Deaths()
    for number, point in enumerate(points):
        before = await _declared(stand)
        changed = stand.province()
        for each in changed["agencies"]:
            each["name"] = f"{each['name']} ({number})"
        path = stand.folder / f"{point.name}.yaml"
        path.write_text(yaml.safe_dump(changed, allow_unicode=True))
        apply = ("apply", "-f", str(path), "--reason", "proof", "--yes")
        at = f"{point.name}:1"
        status, said = await stand.try_lgsp(*apply, PROOF_POINT=at)
        assert status == -SIGKILL, f"{at}: {status} {said}"
        after = await _declared(stand)
        await stand.lgsp(*apply)
        wanted = await _declared(stand)
        assert wanted != before
        assert after in (before, wanted), f"{point.name} left half a change"
        deaths.at.append(at)
    return deaths


async def _declared(stand: Stand) -> str:
    folder = stand.folder / "declared"
    await stand.lgsp("export", "-o", str(folder))
    return "".join(path.read_text() for path in sorted(folder.glob("*.yaml")))


_SCHEMA = (
    """SELECT table_name::text, column_name::text, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    "SELECT version_num FROM alembic_version",
)


async def _schema(folder: Path, database_url: str | None) -> list[tuple[Any, ...]]:
    """Tables, columns, indexes, triggers and the revision."""
    if database_url is None:
        with closing(sqlite3.connect(folder / "ledger.db")) as database:
            schema = database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name")
            revision = database.execute("SELECT version_num, '', '' FROM alembic_version")
            return [*schema.fetchall(), *revision.fetchall()]
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        found = []
        for query in _SCHEMA:
            found += [tuple(row) for row in await connection.fetch(query)]
        return found
    finally:
        await connection.close()


# --- the command ----------------------------------------------------------------------------------


async def run(
    folder: Path, backend: Backend, seed: int, nest: Nest, services: Sequence[Any]
) -> dict[str, Any]:
    """All points of that backend once; what `main` prints about it."""
    began = time.monotonic()
    rabbitmq, postgres = services or (None, None)

    def stand(name: str) -> Stand:
        (folder / name).mkdir()
        url = postgres and postgres.create_database(f"{name}_{seed}")
        prefix = {"LGSP_BROKER_PREFIX": f"points-{seed}-{name}"}
        return Stand(folder / name, nest, backend, rabbitmq, postgres, url, prefix, begin=False)

    points = points_of("serve", backend)
    random.Random(seed).shuffle(points)
    points.sort(key=lambda each: each.role)  # the others need not be started again each time
    async with stand("running") as one:
        running = await die_running(one, points, seed)
    async with stand("commands") as one:
        migrating = await die_migrating(one, points_of("migrate", backend), seed, postgres)
        applying = await die_applying(one, points_of("apply", backend))
    verdict = running.verdict
    return {
        "backend": backend,
        "seed": seed,
        "clean": verdict.clean and not running.missed,
        "missed": running.missed,
        "deliveries_judged": verdict.expected,
        **{name: len(found) for name, found in verdict.faults.items()},
        "died_at": [*running.at, *migrating.at, *applying.at],
        "histories": running.digests,
        "seconds": round(time.monotonic() - began, 1),
    }


def table(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """Of each point and backend: the passages at which processes died."""
    found: dict[str, dict[str, list[int]]] = {name: {} for name in POINTS}
    for each in runs:
        for name, _, passage in (at.partition(":") for at in each["died_at"]):
            found[name].setdefault(each["backend"], []).append(int(passage))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.points_run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--backend", choices=BOTH, action="append", help="both without it")
    options = parser.parse_args()
    backends = options.backend or list(BOTH)
    runs: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="lgsp-points-"))
        folder.chmod(0o755)  # user postgres enters it
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        nest = stack.enter_context(Nest(folder / "nest.log"))
        for backend in backends:
            services: Sequence[Any] = ()
            if backend == BOTH[1]:
                services = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
                for service in services:
                    stack.callback(service.stop)
                    service.start()
            for seed in options.seeds:
                place = folder / f"{backend}-{seed}"
                place.mkdir()
                print(f"{backend}, seed {seed} …", file=sys.stderr, flush=True)
                runs.append(uvloop.run(run(place, backend, seed, nest, services)))
    points = table(runs)
    wanted = {name: set(POINTS[name].backends) & set(backends) for name in POINTS}
    hit = all(
        len(points[name].get(backend, ())) == len(options.seeds)
        for name, some in wanted.items()
        for backend in some
    )
    clean = hit and all(each["clean"] for each in runs)
    shown = {
        "command": " ".join(("python -m tests.proof.points_run", *sys.argv[1:])),
        "clean": clean,
        "points": len(POINTS),
        "deaths": sum(len(each["died_at"]) for each in runs),
        "died_at_passage": points,
        "runs": [{k: v for k, v in each.items() if k != "died_at"} for each in runs],
    }
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
