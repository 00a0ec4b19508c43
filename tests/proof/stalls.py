"""`python -m tests.proof.stalls [--repeats 20] [--json FILE]`: does the bus go on by itself?

Every scenario of `stall_scenarios.py`, again and again, on RabbitMQ and PostgreSQL of its own with
two gateways, dispatchers and workers. Printed is, for each, the time from the end of the cause
until everything had arrived: least, median, most. Exit status 0: never more than 10 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.nest import Nest
from tests.proof.stall_bench import Bench, bench
from tests.proof.stall_scenarios import SCENARIOS, Scenario

MOST_SECONDS = 10.0

Write = Callable[[int, "Sequence[Measured]"], None]
Results = dict[str, float | str]
"""Seconds by name of the scenario, or what was still missing at the deadline."""


@dataclass
class Measured:
    scenario: Scenario
    seconds: list[float] = field(default_factory=list)
    stalled: list[str] = field(default_factory=list)  # why it never went on

    @property
    def good(self) -> bool:
        return not self.stalled and bool(self.seconds) and max(self.seconds) <= MOST_SECONDS

    def to_json(self) -> dict[str, Any]:
        found = self.seconds
        figures = (min(found), statistics.median(found), max(found)) if found else (None,) * 3
        return {
            "like": self.scenario.like,
            **dict(zip(("min", "median", "max"), figures, strict=True)),  # of `seconds`
            "seconds": found,
            "stalled": self.stalled,
        }


async def once(bench: Bench, scenarios: Sequence[Scenario]) -> Results:
    """Each of them once."""
    results: Results = {}

    async def run(scenario: Scenario) -> None:
        try:
            results[scenario.name] = round(await scenario.run(bench), 2)
        except AssertionError as error:
            results[scenario.name] = str(error)

    await asyncio.gather(*(run(each) for each in scenarios if not each.alone))
    for scenario in scenarios:
        if scenario.alone:
            await run(scenario)
    return results


async def repeat(
    bench: Bench, scenarios: Sequence[Scenario], repeats: int, write: Write
) -> list[Measured]:
    """`write` gets what is known after each round: a run may be ended early."""
    measured = {scenario.name: Measured(scenario) for scenario in scenarios}
    for number in range(repeats):
        for name, result in (await once(bench, scenarios)).items():
            if isinstance(result, str):
                measured[name].stalled.append(result)
            else:
                measured[name].seconds.append(result)
            print(f"{number + 1}/{repeats} {name}: {result}", file=sys.stderr)
        write(number + 1, list(measured.values()))
    return list(measured.values())


def show(measured: Sequence[Measured]) -> None:
    table = Table("scenario", "like", "least s", "median s", "most s", "stalled")
    for each in measured:
        found = each.to_json()
        figures = ["-" if found[x] is None else f"{found[x]:.1f}" for x in ("min", "median", "max")]
        style = "" if each.good else "bold red"
        table.add_row(
            each.scenario.name, each.scenario.like, *figures, str(len(each.stalled)), style=style
        )
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.stalls")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3, help="that a cause lasts")
    parser.add_argument("--many", type=int, default=1_000, help="documents around one poison")
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--keep", type=Path, help="folder for logs; stays there")
    options = parser.parse_args()
    scenarios = [each for each in SCENARIOS if options.only in each.name]
    load = os.getloadavg()[0]

    def write(rounds: int, measured: Sequence[Measured]) -> None:
        if options.json is None:
            return
        report = {
            "command": " ".join(("python -m tests.proof.stalls", *sys.argv[1:])),
            "backend": "rabbitmq-postgresql",
            "rounds": rounds,
            "load": [round(load, 1), round(os.getloadavg()[2], 1)],  # at first; last 15 minutes
            "good": all(each.good for each in measured),
            "scenarios": {each.scenario.name: each.to_json() for each in measured},
        }
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")

    with ExitStack() as stack:
        folder = options.keep
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="lgsp-stalls-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # user postgres enters it
        broker, database = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        for service in (broker, database):
            stack.callback(service.stop)
            service.start()
        nest = stack.enter_context(Nest(folder / "nest.log"))
        services = (nest, broker, database, database.create_database("proof"))

        async def measure() -> list[Measured]:
            async with bench(
                folder, *services, seconds=options.seconds, many=options.many
            ) as built:
                return await repeat(built, scenarios, options.repeats, write)

        measured = uvloop.run(measure())
    show(measured)
    return 0 if all(each.good for each in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
