"""Search of the console among millions of messages on PostgreSQL, by many operators at once.

    python -m tests.bench.search --messages 5000000 [--json FILE]

Makes a province's year of documents (`search_rows`), then lets operators search in every way there
is while documents go on being accepted, each through the ledger as the gateway does it.  Prints
median, 99th percentile and longest in milliseconds; with `--cold` once more after the database's
files were put out of the machine's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ledger.search import Asked
from bus.ops import report
from bus.ops.reports import parse_period
from deploy.services import PostgreSQL
from schemas import instant
from schemas.dossier.calendar import WorkingCalendar
from schemas.instant import SECOND
from tests.bench.load import cpu_seconds
from tests.bench.search_rows import AGENCIES, FIELDS, FIRST, LAST, Shape, fill, partner_id

Search = Callable[[int], Awaitable[list[Any]]]
Figures = dict[str, dict[str, float]]
DAY = 86_400 * SECOND
OPERATORS = 20
ALONE = 20  # searches
INSERTS = 50.0  # documents a second
SURE = frozenset(
    {"message id", "document id", "sender's id", "delivery id", "kind", "newest", "common words"}
) | {"a word of one document"}
"""Ways in which something is found, whatever n is."""
USER = frozenset({"H38.150"})  # an agency of middle size


def ways(ledger: Ledger, shape: Shape) -> dict[str, Search]:
    """What an operator, or a person of one agency, asks about message n."""

    def by(agencies: frozenset[str] | None = None, **asked: Any) -> Awaitable[list[Any]]:
        return ledger.search.find(Asked(**asked), agencies=agencies)

    def words(text: str, agencies: frozenset[str] | None = None) -> Awaitable[list[Any]]:
        return ledger.subjects.find(text, agencies=agencies, limit=50)

    def place(n: int) -> str:
        return f"{FIRST[n % len(FIRST)]} {LAST[n // 7 % len(LAST)]}"

    def day(n: int) -> int:
        return shape.start + n * shape.step

    return {
        "message id": lambda n: by(text=shape.message_id(n)),
        "document id": lambda n: by(text=partner_id("document", n)),
        "document number": lambda n: by(text=f"{1 + n // AGENCIES}/QĐ-UBND"),
        "sender's id": lambda n: by(text=partner_id("ref", n)),
        "delivery id": lambda n: by(text=str(3 * n + 1)),
        "nothing has it": lambda n: by(text=f"không-có-{n}"),
        "agency": lambda n: by(agency=f"H38.{n % AGENCIES}"),
        "agency and a day": lambda n: by(agency="H38.5", since=day(n), until=day(n) + DAY),
        "a day": lambda n: by(since=day(n), until=day(n) + DAY),
        "kind": lambda _n: by(kind="document"),
        "kind that never came": lambda _n: by(kind="dossier"),
        "agency and such a kind": lambda n: by(agency=f"H38.{n % AGENCIES}", kind="dossier"),
        "newest": lambda _n: by(),
        "newest, agency user": lambda _n: by(USER),
        "number, agency user": lambda n: by(USER, text=f"{1 + n // AGENCIES}/QĐ-UBND"),
        "common words": lambda _n: words("báo cáo kết quả"),
        "a place": lambda n: words(f"xã {place(n)}"),
        "a place and a field": lambda n: words(f"{FIELDS[n % len(FIELDS)]} {place(n)}"),
        "a word of one document": lambda n: words(f"gói thầu số {n // 1000 * 1000}"),
        "a word common long ago": lambda _n: words("covid"),
        "a word nobody wrote": lambda n: words(f"cao tốc {n % 9}x"),
        "common words, agency user": lambda _n: words("báo cáo", USER),
        "a place, agency user": lambda n: words(f"xã {place(n)}", USER),
        "common long ago, agency user": lambda _n: words("covid", USER),
    }


async def search(ledger: Ledger, shape: Shape, *, rounds: int, operators: int) -> Figures:
    """Every way `rounds` times, by so many operators at once who ask in different order."""
    asked = ways(ledger, shape)
    taken: dict[str, list[float]] = {name: [] for name in asked}
    left = dict.fromkeys(asked, rounds)

    async def operator(number: int) -> None:
        draw = random.Random(number)
        while names := [name for name, count in left.items() if count]:
            name = draw.choice(names)
            left[name] -= 1
            began = time.perf_counter()
            found = await asked[name](draw.randint(1000, shape.count))
            assert found or name not in SURE, f"{name}: nothing was found"
            taken[name].append(1000 * (time.perf_counter() - began))
            print(f"\r{sum(left.values())} searches left  ", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(operator(number) for number in range(operators)))
    return {name: summary(each) for name, each in taken.items()}


async def alone(ledger: Ledger, shape: Shape, data: Path) -> Figures:
    """CPU of one search, milliseconds of this process and of the database: whatever else runs."""
    postmaster = int((data / "data" / "postmaster.pid").read_text().split()[0])
    draw, found = random.Random(1), {}
    for name, ask in ways(ledger, shape).items():
        mine, its = time.process_time(), cpu_seconds([postmaster])
        for _ in range(ALONE):
            await ask(draw.randint(1000, shape.count))
        used = time.process_time() - mine, cpu_seconds([postmaster]) - its
        found[name] = dict(
            zip(("console", "database"), (1000 * t / ALONE for t in used), strict=True)
        )
    return found


def summary(milliseconds: list[float]) -> dict[str, float]:
    return {
        "median": statistics.median(milliseconds),
        "p99": statistics.quantiles(milliseconds, n=100, method="inclusive")[98],
        "longest": max(milliseconds),
    }


@contextmanager
def inserting(url: str) -> Iterator[list[dict[str, float]]]:
    """Another process accepts documents meanwhile; at the end its figures are in the list."""
    found: list[dict[str, float]] = []
    command = [sys.executable, "-m", "tests.bench.search_insert", "--rate", str(INSERTS), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield found
        said, _ = process.communicate()  # closing its input ends it
        found.append(json.loads(said))


def forget(folder: Path) -> None:
    """Put a database's files out of the machine's memory, as after a night."""
    os.sync()
    for file in folder.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


async def quarter(ledger: Ledger) -> float:
    """Seconds that the report of the quarter before takes."""
    year, month = time.gmtime()[:2]
    name = f"{year}-Q{(month - 1) // 3}" if month > 3 else f"{year - 1}-Q4"
    began = time.perf_counter()
    scope = report.scope_of((), None, WorkingCalendar(), {})
    await report.make(ledger, parse_period(name), scope)
    return time.perf_counter() - began


async def play(url: str, shape: Shape, options: argparse.Namespace, data: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"messages": shape.count, "operators": options.operators}
    with tempfile.TemporaryDirectory() as blobs:
        ledger = await Ledger.open(url, Path(blobs))
        for name in ("warm", "cold") if options.cold else ("warm",):
            if name == "cold":
                await asyncio.to_thread(forget, data)
            with inserting(url) as inserted:
                figures = await search(
                    ledger, shape, rounds=options.rounds, operators=options.operators
                )
            found[name] = {"searches": figures, "accepting": inserted[0]}
            show(name, figures, inserted[0])
        found["CPU"] = await alone(ledger, shape, data)
        for name, each in found["CPU"].items():
            print(
                f"{name:<30} CPU of console {each['console']:.1f}, database {each['database']:.1f}"
            )
        found["report of a quarter, seconds"] = await quarter(ledger)
        print(f"report of a quarter {found['report of a quarter, seconds']:.1f} s")
        await ledger.close()
    return found


def show(title: str, figures: Figures, accepting: dict[str, float]) -> None:
    print(f"\n{title:<30} {'median':>8} {'p99':>8} {'longest':>8}  ms")
    for name, each in (*figures.items(), ("accepting a document", accepting)):
        print(f"{name:<30} " + " ".join(f"{value:8.0f}" for value in each.values()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=100, help="of each way to search (100)")
    parser.add_argument("--operators", type=int, default=OPERATORS)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lgsp-bench-"))
    folder.chmod(0o755)
    service = PostgreSQL(folder / "postgres")
    service.start()
    try:
        url = service.create_database("bench")
        asyncio.run(migrate(url))
        shape = Shape(options.messages, instant.now())
        began = time.perf_counter()
        asyncio.run(fill(url.replace("+asyncpg", ""), shape))
        print(f"{shape.count} messages made in {time.perf_counter() - began:.0f} s")
        found = asyncio.run(play(url, shape, options, service.folder))
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
