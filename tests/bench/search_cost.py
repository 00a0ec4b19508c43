"""What each index that searching needs costs the writer: CPU of the database for one message.

`python -m tests.bench.search_cost DATABASE_URL` copies messages of a ledger on this machine into
tables of their own, by hundreds as accepting does under load, with all indexes and without one.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import asyncpg

from tests.bench.load import TICKS

MESSAGES = 20_000
AT_ONCE = 100
INDEXES = ("message_kind", "message_words", "message_ref")


async def cost(connection: asyncpg.Connection, without: str) -> float:
    """Microseconds of CPU for one message, `without` an index; empty: with all."""
    await connection.execute("DROP TABLE IF EXISTS copied")
    await connection.execute("CREATE TABLE copied (LIKE message INCLUDING DEFAULTS)")
    for name, made in await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'message'"
    ):
        if name != without:
            mine = made.replace(f"INDEX {name} ON public.message", f"INDEX c_{name} ON copied")
            await connection.execute(mine)
    process = await connection.fetchval("SELECT pg_backend_pid()")
    rows = await connection.fetchval("SELECT min(id) FROM message")
    before = used(process)
    for _ in range(MESSAGES // AT_ONCE):
        rows = await connection.fetchval(
            "WITH next AS (SELECT * FROM message WHERE id > $1 ORDER BY id LIMIT $2),"
            " put AS (INSERT INTO copied SELECT * FROM next) SELECT max(id) FROM next",
            rows,
            AT_ONCE,
        )
    taken = used(process) - before
    await connection.execute("DROP TABLE copied")
    return 1e6 * taken / MESSAGES


def used(process: int) -> float:
    """Seconds of CPU."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await cost(connection, "")  # what is read from is in memory then
        whole = await cost(connection, "")
        print(f"{'all indexes':<32} {whole:6.0f} µs a message")
        for name in INDEXES:
            saved = whole - await cost(connection, name)
            print(f"{name:<32} {saved:6.0f} µs of them")
    finally:
        await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    asyncio.run(measure(parser.parse_args().url))


if __name__ == "__main__":
    main()
