"""`python -m tests.bench`: the bus on both brokers and both databases, beside its baselines.

Three scenes, each with every variant in turn, round after round; tables show the median of the
rounds with the least and the most, and the ratio to a baseline of the same session.

flow: so many in flight until all have arrived.  accept: accepting alone, delivery held back.
one: one message at a time, from sender to receiver.

With --profile instead: the bus's CPU by stage.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from tests.bench import profile
from tests.bench.load import Result, run
from tests.bench.variants import Baseline, Bus, Variant

Results = dict[str, list[Result]]


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    title: str
    messages: int
    in_flight: int
    baselines: tuple[str, ...]  # ratios are to each of these

    @property
    def delivers(self) -> bool:
        return self.name != "accept"


FASTSTREAM = "peer P: FastStream"
NAIVE = "naive: aio-pika"
LEDGERED = "naive + ledger"
INSERT = "one INSERT a request"
ROLES = ("gateway", "dispatcher", "worker")


def peers() -> tuple[str, ...]:
    """Baselines that are installed only on demand."""
    return (FASTSTREAM,) if importlib.util.find_spec("faststream") else ()


def scenes(options: argparse.Namespace) -> list[Scene]:
    many, flight = options.messages, options.in_flight
    one = max(20, many // 20)
    return [
        Scene("flow", f"{many} messages, {flight} in flight", many, flight, (*peers(), LEDGERED)),
        Scene("accept", f"{many} accepted, {flight} in flight", many, flight, (INSERT,)),
        Scene("one", f"{one} messages, one at a time", one, 1, peers() or (NAIVE,)),
    ]


class Session:
    """Every variant, up for the whole session."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        rabbit, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        for service in (rabbit, postgres):
            stack.callback(service.stop)
            service.start()
        self.variants: list[Variant] = []
        for kind, name in (
            ("naive", NAIVE),
            ("faststream", FASTSTREAM),
            ("ledgered", LEDGERED),
            ("insert", INSERT),
        ):
            if name == FASTSTREAM and not peers():
                continue
            self._add(Baseline(kind, name, rabbit, postgres), stack)
        for number, (name, broker, database) in enumerate(
            (
                ("bus: RabbitMQ + PostgreSQL", rabbit, postgres),
                ("bus: RabbitMQ + SQLite", rabbit, None),
                ("bus: embedded + PostgreSQL", None, postgres),
                ("bus: embedded + SQLite", None, None),
            )
        ):
            self._add(Bus(name, folder / f"bus{number}", broker, database), stack)
        # everything goes through the broker
        apart = Bus("bus: roles apart", folder / "apart", rabbit, postgres, roles=ROLES)
        self._add(apart, stack)
        self._sent = dict.fromkeys((each.name for each in self.variants), 0)

    def _add(self, variant: Variant, stack: ExitStack) -> None:
        stack.callback(variant.close)
        self.variants.append(variant)

    def playing(self, scene: Scene) -> list[Variant]:
        if scene.delivers:
            return [each for each in self.variants if each.delivers]
        return [each for each in self.variants if each.name == INSERT or isinstance(each, Bus)]

    async def measure(self, variant: Variant, scene: Scene, count: int) -> Result:
        first = self._sent[variant.name]
        self._sent[variant.name] += count
        packets = [variant.packet(f"{scene.name}-{first + n}") for n in range(count)]
        if scene.delivers:
            return await run(variant, packets, scene.in_flight)
        await variant.hold(True)
        result = await run(variant, packets, scene.in_flight, deliver=False)
        await variant.hold(False)
        return result

    async def verify(self) -> None:
        for variant in self.variants:
            if isinstance(variant, Bus):
                await variant.settle(self._sent[variant.name])
            variant.verify(self._sent[variant.name])


async def play(options: argparse.Namespace, folder: Path) -> dict[str, Results]:
    figures: dict[str, Results] = {}
    with ExitStack() as stack, _progress() as progress:
        task = progress.add_task("starting", total=None)
        session = Session(folder, stack)
        for variant in session.variants:
            await variant.ready()
        plan = scenes(options)
        progress.update(
            task, total=sum(len(session.playing(s)) for s in plan) * (options.rounds + 1)
        )
        for scene in plan:
            results = figures[scene.name] = {}
            for number in range(options.rounds + 1):
                for variant in session.playing(scene):
                    shown = f"{scene.name}, round {number or 'warm-up'}: {variant.name}"
                    progress.update(task, description=shown)
                    warming = number == 0  # pools, caches, code paths: not counted
                    count = max(20, scene.messages // 4) if warming else scene.messages
                    result = await session.measure(variant, scene, count)
                    if not warming:
                        results.setdefault(variant.name, []).append(result)
                    progress.advance(task)
        progress.update(task, description="verifying: nothing lost, nothing doubled")
        await session.verify()
    return figures


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<55}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def median(rounds: Sequence[Result]) -> dict[str, float]:
    each = [result.to_json() for result in rounds]
    return {name: statistics.median(one[name] for one in each) for name in each[0]}


COLUMNS = (
    ("accepted", "accept/s"),
    ("end_to_end", "end to end/s"),
    ("receipt_p50", "receipt p50 ms"),
    ("receipt_p99", "p99"),
    ("arrival_p50", "arrival p50 ms"),
    ("arrival_p99", "p99"),
    ("app_cpu", "app µs"),
    ("broker_cpu", "broker µs"),
    ("database_cpu", "db µs"),
    ("per_core", "per core/s"),
)
SPREAD = frozenset({"end_to_end", "per_core"})  # shown with the least and the most of the rounds


def ratios(scene: Scene, results: Results) -> dict[str, dict[str, float]]:
    """Of each bus variant to each baseline; more than 1 is better.

    Per core for what is done under load; of the median times to arrive for one at a time.
    """
    medians = {name: median(rounds) for name, rounds in results.items()}
    found: dict[str, dict[str, float]] = {}
    for name in (name for name in medians if name.startswith("bus")):
        for base in scene.baselines:
            mine, its = medians[name], medians[base]
            if scene.name == "one":
                ratio = its["arrival_p50"] / mine["arrival_p50"]
            else:
                ratio = mine["per_core"] / its["per_core"]
            found.setdefault(name, {})[base] = ratio
    return found


def show(scene: Scene, results: Results) -> None:
    table = Table(title=f"{scene.name}: {scene.title}, 2 KB each, median of the rounds")
    table.add_column("variant")
    for _, head in COLUMNS:
        table.add_column(head, justify="right")
    for base in scene.baselines:
        table.add_column(f"× {base}", justify="right")
    against = ratios(scene, results)
    for name, rounds in results.items():
        cells = [_cell(column, [r.to_json()[column] for r in rounds]) for column, _ in COLUMNS]
        own = [f"{against[name][base]:.2f}" if name in against else "" for base in scene.baselines]
        table.add_row(name, *cells, *own)
    Console(width=200).print(table)


def _cell(column: str, values: list[float]) -> str:
    middle = statistics.median(values)
    if not middle:
        return "–"
    digits = 1 if column.endswith(("p50", "p99")) else 0
    spread = f" ({min(values):,.0f}–{max(values):,.0f})" if column in SPREAD else ""
    return f"{middle:,.{digits}f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=2000, help="in each round (2000)")
    parser.add_argument("--in-flight", type=int, default=64, help="sent at once (64)")
    parser.add_argument("--rounds", type=int, default=5, help="of each variant (5)")
    parser.add_argument("--quick", action="store_true", help="one round of 200: does it all run?")
    parser.add_argument("--profile", action="store_true", help="CPU of the bus by stage")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if options.quick:
        options.messages, options.rounds = 200, 1
    if options.profile:
        with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as folder:
            Path(folder).chmod(0o755)
            stages = uvloop.run(profile.play(options, Path(folder)))
        profile.show(options, stages)
        if options.json:
            options.json.write_text(json.dumps(stages, indent=1) + "\n")
        return
    if not peers():
        print(
            "Left out: peer P, for which FastStream is missing;"
            " install it with: pip install -c deploy/constraints.txt '.[bench]'",
            file=sys.stderr,
        )
    with tempfile.TemporaryDirectory(prefix="lgsp-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL of root runs as another user
        figures = uvloop.run(play(options, Path(folder)))
    for scene in scenes(options):
        show(scene, figures[scene.name])
    if options.json:
        options.json.write_text(json.dumps(_report(options, figures), indent=1) + "\n")


def _report(options: argparse.Namespace, figures: dict[str, Results]) -> dict[str, Any]:
    return {
        "options": {k: v for k, v in vars(options).items() if k != "json"},
        "scenes": {
            scene.name: {
                "rounds": {n: [r.to_json() for r in rs] for n, rs in figures[scene.name].items()},
                "median": {n: median(rs) for n, rs in figures[scene.name].items()},
                "ratios": ratios(scene, figures[scene.name]),
            }
            for scene in scenes(options)
        },
    }


if __name__ == "__main__":
    main()
