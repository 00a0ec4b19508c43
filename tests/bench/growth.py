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

import asyncpg
import uvloop
import yaml
from rich.console import Console
from rich.table import Table

from deploy.services import PostgreSQL, RabbitMQ
from schemas.instant import SECOND, now
from tests.bench.load import Result, run
from tests.bench.variants import RECEIVER, Bus
from tests.proof import packets

IN_FLIGHT = 64
CHUNK = 100_000  # kept messages in one transaction
YEAR = 365 * 86_400 * SECOND
KEPT = """
WITH made AS (INSERT INTO message (id, sender, sender_ref, client, kind, receivers, document_id,
    document_code, order_key, lane, accepted_at, sha256, size, media_type, trace, canonical,
    decision, content)
  SELECT substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7000-8000-' || lpad(to_hex(n), 12, '0'),
    'H99.P' || n % 400, md5('ref' || n), 'phan-mem', 'document', 'H99.P' || n * 7 % 400, 'cu-' || n,
    n || '/BC-SYT', 'cu-' || n, 'normal', at, md5('a' || n) || md5('b' || n), 2000,
    'application/edxml+xml', '00-' || md5('t' || n) || '-b7ad6b7169203331-01', '{}', '{}', '\\x00'
  FROM (SELECT n, $1::bigint + n * 1000000 AS at,
      lpad(to_hex(($1::bigint + n * 1000000) / 1000), 12, '0') AS hex
    FROM generate_series($2::bigint, $3::bigint) n) numbered
  RETURNING *),
exchanges AS (INSERT INTO exchange (message_id, receiver, sender, document_id, document_code,
    promulgated, subject, business, priority, steering, state, recall, sent_at, arrived_at,
    changed_at, reports, arrival_told)
  SELECT id, receivers, sender, document_id, document_code, '2026-03-02', 'V/v báo cáo', 0, 0, 0,
    'arrived', 'none', accepted_at, accepted_at, accepted_at, false, true FROM made),
deliveries AS (INSERT INTO delivery (message_id, endpoint, receivers, order_key, lane, state, pull,
    head, attempts, next_attempt_at, created_at, first_attempt_at, finished_at)
  SELECT id, 'phan-mem', receivers, order_key, 'normal', 'delivered', false, false, 1, accepted_at,
    accepted_at, accepted_at, accepted_at FROM made)
INSERT INTO journal (chain, seq, at, event, message_id, actor, data, hash)
SELECT 'past', accepted_at, accepted_at, 'accepted', id, 'phan-mem', '{}', '\\x00' FROM made
"""


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
    def in_flight(self) -> int:
        """A client has sixteen places for packets over 1 MiB (bus.gateway.places)."""
        return IN_FLIGHT if self.size < 1_000_000 else 12

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
        self.sent = 0
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

    async def send(batch: list[bytes]) -> Result:
        bus.sent += len(batch)
        return await run(bus, batch, step.in_flight)

    if step.keys:
        await send(bus.openers())
    await send(bus.packets(max(20, count // 4)))
    results = [await send(bus.packets(count)) for _ in range(rounds)]
    await bus.settle(bus.sent)
    bus.verify(bus.sent)
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
                await keep(bus.stage.env["LGSP_DATABASE_URL"], kept, step.kept - kept)
                kept = step.kept
            # bytes count, too: what is large is sent less often
            count = max(40, options.messages // (1 + step.size // 100_000))
            results = await grow(step, bus, count, options.rounds)
            found.append(figures(step, results, found[0] if found else None))
            if dimension != "rows":
                bus.close()
    return found


async def keep(url: str, first: int, count: int) -> None:
    """Messages of the year before, as a province's ledger has them."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("SET synchronous_commit = off")
        for start in range(first, first + count, CHUNK):
            end = min(start + CHUNK, first + count) - 1
            await connection.execute(KEPT, now() - YEAR, start, end, timeout=3600)
        await connection.execute("ANALYZE", timeout=3600)
    finally:
        await connection.close()


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
