"""`python -m tests.bench.growth [DIMENSION …]`: how the cost of a message grows.

Each dimension is a row of steps; at each step the bus (RabbitMQ + PostgreSQL) takes the same
number of messages, 64 in flight, until all have arrived.  CPU µs a message are those of bus,
broker and database; "cost" is them beside the first step of the dimension.

size: bytes of a packet.  endpoints: receivers' systems the messages are spread over.
keys: order keys they are spread over (0: each message its own).  workers: delivering processes.
rows: messages that the ledger has kept from before, with their deliveries and exchanges.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
import yaml
from rich.console import Console
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from schemas.instant import SECOND, now
from tests.bench.load import Result, run
from tests.bench.search import STEP, fill
from tests.bench.variants import RECEIVER, Bus
from tests.proof import packets

IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One value of a dimension and what it asks of the bus."""

    dimension: str
    value: int
    size: int = 0  # bytes of the attached file
    endpoints: int = 1
    keys: int = 0  # 0: each message its own
    workers: int = 0  # 0: all roles in one process
    kept: int = 0  # messages the ledger has from before

    @property
    def roles(self) -> tuple[str, ...]:
        return ("gateway", "dispatcher", *["worker"] * self.workers) if self.workers else ("serve",)


ROWS = (0, 10_000, 100_000, 1_000_000, 10_000_000)
DIMENSIONS: dict[str, list[Step]] = {
    "size": [Step("size", size, size=size) for size in (2_000, 20_000, 200_000, 2_000_000)],
    "endpoints": [Step("endpoints", n, endpoints=n) for n in (1, 10, 100, 1_000)],
    "keys": [Step("keys", keys, keys=keys) for keys in (0, 1_000, 100, 10, 1)],
    "workers": [Step("workers", workers, workers=workers) for workers in (1, 2, 4)],
    "rows": [Step("rows", kept, kept=kept) for kept in ROWS],
}


@dataclass(frozen=True, slots=True)
class Figures:
    dimension: str
    value: int
    rate: float  # messages a second, end to end; median, least and most of the rounds
    least: float
    most: float
    receipt_p99: float  # ms
    cpu: float  # µs a message
    cost: float  # times the first step's


class Grown(Bus):
    """The bus of one step. All its receivers lead to one sandbox, which counts what comes."""

    def __init__(self, step: Step, folder: Path, broker: RabbitMQ, database: PostgreSQL) -> None:
        super().__init__(folder.name, folder, broker, database, roles=step.roles)
        self._step = step
        self._made = 0
        self.kept = 0  # messages of the past
        self._receivers = [self._receiver.code]
        if step.endpoints > 1:
            self._receivers = self._declare(step.endpoints)

    def _declare(self, count: int) -> list[str]:
        """Agencies with a system each, like that of the receiver; returns their codes."""
        province = self.stage.folder / "province"
        endpoints = yaml.safe_load((province / "endpoints.yaml").read_text())["endpoints"]
        like = next(one for one in endpoints if one["name"] == RECEIVER)
        codes = [f"H99.G{number}" for number in range(count)]
        declared = {
            "agencies": [{"code": c, "name": f"Cơ quan {c}", "endpoint": _name(c)} for c in codes],
            "endpoints": [{**like, "name": _name(c), "title": f"Hệ thống {c}"} for c in codes],
        }
        (province / "growth.yaml").write_text(yaml.safe_dump(declared, allow_unicode=True))
        self.stage.lgsp("apply", "-f", str(province), "--reason", "bench", "--yes")
        return codes

    def openers(self) -> list[bytes]:
        """The first document of each order key, to be there before its updates."""
        return [self._packet(f"key-{n}", n, update=False) for n in range(self._step.keys)]

    def packets(self, count: int) -> list[bytes]:
        first, self._made = self._made, self._made + count
        keys = self._step.keys
        return [
            self._packet(f"key-{n % keys}" if keys else f"new-{n}", n, update=bool(keys))
            for n in range(first, first + count)
        ]

    def _packet(self, document: str, number: int, *, update: bool) -> bytes:
        return packets.document(
            sender=self._sender.code,
            receivers=[self._receivers[number % len(self._receivers)]],
            document_id=document,
            subject=f"{number} {'V/v báo cáo tình hình. ' * 45}",
            attachment="QUJD" * (self._step.size // 4),
            update=update,
        )


def _name(code: str) -> str:
    return code.replace(".", "-").lower()


async def grow(step: Step, bus: Grown, count: int, rounds: int) -> list[Result]:
    """Warm up, then measure; at the end each message has arrived once, or AssertionError."""
    sent = 0

    async def round_of(packets_: list[bytes]) -> Result:
        nonlocal sent
        sent += len(packets_)
        return await run(bus, packets_, IN_FLIGHT)

    if step.keys:
        await round_of(bus.openers())
    await round_of(bus.packets(max(20, count // 4)))
    results = [await round_of(bus.packets(count)) for _ in range(rounds)]
    await bus.settle(sent)
    bus.verify(sent)
    return results


def figures(step: Step, results: list[Result], first: Figures | None) -> Figures:
    rates = [result.end_to_end for result in results]
    cpu = statistics.median(1e6 / result.per_core for result in results)
    return Figures(
        step.dimension,
        step.value,
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(result.receipt_p99 for result in results),
        cpu,
        cpu / first.cpu if first else 1.0,
    )


async def measure(dimension: str, options: argparse.Namespace, folder: Path) -> list[Figures]:
    found: list[Figures] = []
    with ExitStack() as stack:
        rabbit, postgres = RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgres")
        for service in (rabbit, postgres):
            stack.callback(service.stop)
            service.start()
        kept = 0
        bus: Grown | None = None
        for number, step in enumerate(DIMENSIONS[dimension]):
            if step.kept > options.rows:
                continue
            print(f"{dimension}: {step.value:,} …", file=sys.stderr)
            if bus is None or dimension != "rows":  # rows are added to one and the same ledger
                bus = Grown(step, folder / f"{dimension}{number}", rabbit, postgres)
                stack.callback(bus.close)
            if step.kept > kept:
                await keep(bus, step.kept - kept)
                kept = step.kept
            # bytes count, too: what is large is sent less often
            count = max(40, options.messages // (1 + step.size // 100_000))
            results = await grow(step, bus, count, options.rounds)
            found.append(figures(step, results, found[0] if found else None))
            if dimension != "rows":
                bus.close()
    return found


async def keep(bus: Grown, count: int) -> None:
    """Messages of the past, as a province's ledger has them."""
    start = now() - 400 * 86_400 * SECOND - bus.kept * STEP
    bus.kept += count
    await fill(bus.stage.env["LGSP_DATABASE_URL"], count, start - count * STEP)


def show(found: list[Figures]) -> None:
    table = Table(title="how the cost of a message grows (RabbitMQ + PostgreSQL)")
    for head in ("", "value", "messages/s", "receipt p99 ms", "CPU µs", "cost"):
        table.add_column(head, justify="right")
    for one in found:
        table.add_row(
            one.dimension,
            f"{one.value:,}",
            f"{one.rate:,.0f} ({one.least:,.0f}–{one.most:,.0f})",
            f"{one.receipt_p99:,.0f}",
            f"{one.cpu:,.0f}",
            f"{one.cost:.2f}×",
        )
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dimensions", nargs="*", metavar="DIMENSION", help="all of them")
    parser.add_argument("--messages", type=int, default=1000, help="in each round (1000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000, help="most rows kept (1000000)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    wanted = options.dimensions or list(DIMENSIONS)
    if unknown := set(wanted) - set(DIMENSIONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(DIMENSIONS)}")
    found: list[Figures] = []
    for dimension in wanted:
        with tempfile.TemporaryDirectory(prefix="lgsp-growth-") as folder:
            Path(folder).chmod(0o755)  # PostgreSQL of root runs as another user
            found += uvloop.run(measure(dimension, options, Path(folder)))
    show(found)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
