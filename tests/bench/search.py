"""Search of the console among millions of messages on PostgreSQL: how long each way in takes.

    python -m tests.bench.search --messages 5000000

Rows are made by the database itself, shaped like a province's documents: 400 agencies, each
document to one receiver.  Prints the median and the 99th percentile in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ledger.search import Asked
from deploy.services import PostgreSQL
from schemas.instant import SECOND

AGENCIES = 400
STEP = 50_000  # microseconds between two messages
FILL = """
INSERT INTO message (id, sender, sender_ref, client, kind, receivers, document_id, document_code,
  order_key, lane, accepted_at, sha256, size, media_type, trace, canonical, decision)
SELECT n.id, 'H38.' || n.i % {agencies}, 'ref-' || n.i, 'c', 'document',
  'H38.' || (n.i * 7) % {agencies}, 'doc-' || n.i, n.i || '/UBND-VX', 'doc-' || n.i, 'normal', n.at,
  'ab', 1, 'text/xml', 't', '{{}}', '{{}}'
FROM (SELECT i, {start} + i::bigint * {step} AS at, {uuid} AS id
  FROM generate_series(1, {count}) i) n;
INSERT INTO exchange (message_id, receiver, sender, document_id, document_code, promulgated,
  subject, business, priority, steering, state, recall, sent_at, changed_at, reports, arrival_told)
SELECT id, receivers, sender, document_id, document_code, '', 'Về việc số ' || document_code, 0, 0,
  0, 'sent', 'none', accepted_at, accepted_at, false, false FROM message;
INSERT INTO delivery (message_id, endpoint, receivers, order_key, lane, state, pull, head,
  next_attempt_at, created_at, finished_at)
SELECT id, 'e', receivers, order_key, 'normal', 'delivered', false, false, 0, accepted_at,
  accepted_at FROM message;
ANALYZE;
"""
_HEX = "lpad(to_hex(({start} + i::bigint * {step}) / 1000), 12, '0')"
_UUID = (
    "substr({h},1,8) || '-' || substr({h},9,4) || '-7000-8000-' || lpad(to_hex(i::bigint), 12, '0')"
)


async def fill(url: str, count: int, start: int) -> None:
    uuid = _UUID.replace("{h}", _HEX).format(start=start, step=STEP)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("SET synchronous_commit = off")
        sql = FILL.format(agencies=AGENCIES, start=start, step=STEP, uuid=uuid, count=count)
        await connection.execute(sql, timeout=7200)
    finally:
        await connection.close()


async def measure(
    name: str, rounds: int, ask: Callable[[int], Awaitable[list[object]]], count: int
) -> None:
    taken = []
    draw = random.Random(7)
    for _ in range(rounds):
        number = draw.randint(1, count)
        began = time.perf_counter()
        found = await ask(number)
        taken.append(1000 * (time.perf_counter() - began))
        assert found, name
    p99 = statistics.quantiles(taken, n=100)[98]
    print(f"{name:<28} median {statistics.median(taken):8.1f} ms   p99 {p99:8.1f} ms")


async def run(url: str, count: int, rounds: int) -> None:
    await migrate(url)
    start = (time.time_ns() // 1000) - count * STEP
    began = time.perf_counter()
    await fill(url, count, start)
    print(f"{count} messages made in {time.perf_counter() - began:.0f} s")
    with tempfile.TemporaryDirectory() as blobs:
        ledger = await Ledger.open(url, Path(blobs))
        search = ledger.search

        def by(agencies: frozenset[str] | None = None, **asked: object) -> Awaitable[list[object]]:
            given = Asked(**asked)  # type: ignore[arg-type]
            return search.find(given, agencies=agencies)  # type: ignore[return-value]

        own = frozenset({"H38.5"})
        day = start + count * STEP // 2
        ways: dict[str, Callable[[int], Awaitable[list[object]]]] = {
            "document id": lambda n: by(text=f"doc-{n}"),
            "số/ký hiệu": lambda n: by(text=f"{n}/UBND-VX"),
            "sender's id": lambda n: by(text=f"ref-{n}"),
            "delivery id": lambda n: by(text=str(n)),
            "agency": lambda n: by(agency=f"H38.{n % AGENCIES}"),
            "agency and period": lambda _n: by(
                agency="H38.5", since=day, until=day + 86_400 * SECOND
            ),
            "newest": lambda _n: by(),
            "newest, agency user": lambda _n: by(own),
            "words of a subject": lambda _n: search.in_subjects(  # type: ignore[dict-item,return-value]
                "việc", agencies=None
            ),
        }
        for name, ask in ways.items():
            await measure(name, rounds, ask, count)
        await ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lgsp-bench-"))
    folder.chmod(0o755)
    service = PostgreSQL(folder / "postgres")
    service.start()
    try:
        asyncio.run(run(service.create_database("bench"), given.messages, given.rounds))
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
