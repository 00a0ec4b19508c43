"""`python -m tests.bench --profile`: on which part of its way a message's CPU goes.

The bus on RabbitMQ and PostgreSQL under `sampled.py`; the shares of its stages times the CPU that
its process used, and broker and database beside it as a whole.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from tests.bench.load import Result, run
from tests.bench.sampled import BACKGROUND, LOOP, STAGES
from tests.bench.variants import Sampled

SECONDS = 20.0  # for the process to tell its counts
ROWS = (*STAGES, BACKGROUND, LOOP)
Figures = dict[str, dict[str, float]]


async def play(options: argparse.Namespace, folder: Path) -> Figures:
    """µs a message by scene and row."""
    figures: Figures = {}
    with ExitStack() as stack:
        rabbit, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        for service in (rabbit, postgres):
            stack.callback(service.stop)
            service.start()
        bus = Sampled("bus: RabbitMQ + PostgreSQL", folder / "bus", rabbit, postgres)
        stack.callback(bus.close)
        sent = 0
        for scene in ("flow", "accept"):
            for count in (options.messages // 4, options.messages):  # the first warms up
                packets = [bus.packet(f"{scene}-{sent + n}") for n in range(count)]
                sent += count
                await bus.hold(scene == "accept")
                _counts(bus)
                result = await run(bus, packets, options.in_flight, deliver=scene == "flow")
                figures[scene] = _rows(_counts(bus), result)
        await bus.hold(False)
        await bus.settle(sent)
        bus.verify(sent)
    return figures


def _counts(bus: Sampled) -> Counter[str]:
    """Samples since the last time."""
    bus.counts.unlink(missing_ok=True)
    os.kill(bus.stage.bus[0].pid, signal.SIGUSR1)
    until = time.monotonic() + SECONDS
    while not bus.counts.exists():
        assert time.monotonic() < until, "the sampled process does not answer"
        time.sleep(0.01)
    return Counter(json.loads(bus.counts.read_text()))


def _rows(counts: Counter[str], result: Result) -> dict[str, float]:
    total = max(counts.total(), 1)
    app = {name: result.app_cpu * counts[name] / total for name in ROWS}
    return app | {
        "bus in all": result.app_cpu,
        "broker": result.broker_cpu,
        "database": result.database_cpu,
    }


def show(options: argparse.Namespace, figures: Figures) -> None:
    title = f"CPU µs a message: {options.messages} of 2 KB, {options.in_flight} in flight"
    table = Table("stage", title=title)
    for scene in figures:
        table.add_column(scene, justify="right")
    for name in (*ROWS, "bus in all", "broker", "database"):
        table.add_row(name, *(f"{figures[scene][name]:,.0f}" for scene in figures))
    Console(width=120).print(table)
