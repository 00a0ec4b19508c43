"""A cut database connection means one thing to whoever asked: LedgerUnavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from schemas.errors import LedgerUnavailable
from tests.contract.test_ledger import acceptance
from tests.waiting import wait_until

CUTS = 40
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


@pytest.mark.postgres
async def test_a_cut_connection_is_only_ever_ledger_unavailable(
    postgres_url: str, tmp_path: Path
) -> None:
    """Not once an error of a driver, which callers would take for a bug (HTTP 500)."""
    await migrate(postgres_url)
    ledger = await Ledger.open(postgres_url, tmp_path / "blobs")
    strange: list[BaseException] = []
    done = asyncio.Event()
    served = 0

    async def keep(ask: Callable[[], Awaitable[object]]) -> None:
        nonlocal served
        while not done.is_set():
            try:
                await ask()
                served += 1
            except LedgerUnavailable:
                await asyncio.sleep(0)
            except Exception as error:  # noqa: BLE001 - what this test is about
                strange.append(error)
                return

    numbers = iter(range(1_000_000))
    asks: list[Callable[[], Awaitable[object]]] = [
        lambda: ledger.accept(acceptance(f"m{next(numbers)}")),
        ledger.queries.backlog,
        lambda: ledger.config.items(since=0),
        lambda: ledger.identities.find_token("none", now=0),
        lambda: ledger.read_heads(["ep"], 10),
        ledger.expire,
    ]
    tasks = [asyncio.create_task(keep(ask)) for ask in asks * 4]
    database = postgres_url.rpartition("/")[2]
    outside = await asyncpg.connect(
        postgres_url.replace("+asyncpg", "").replace(database, "postgres")
    )
    for _ in range(CUTS):
        before = served
        await outside.execute(_CUT, database)
        await wait_until(lambda: served > before + 20, 30, "service after a cut")  # noqa: B023
    done.set()
    await asyncio.gather(*tasks)
    await outside.close()
    await ledger.close()
    assert strange == []


@pytest.mark.postgres
async def test_a_server_that_takes_no_writes_any_more_is_left(
    postgres_url: str, tmp_path: Path
) -> None:
    """Behind one address another server may stand than before: a standby. Its connections are not
    kept, so the primary is found as soon as it is there.
    """
    await migrate(postgres_url)
    ledger = await Ledger.open(postgres_url, tmp_path / "blobs")
    database = postgres_url.rpartition("/")[2]
    outside = await asyncpg.connect(
        postgres_url.replace("+asyncpg", "").replace(database, "postgres")
    )
    asks: tuple[Callable[[str], Awaitable[object]], ...] = (
        lambda ref: ledger.accept(acceptance(ref)),
        ledger.identities.add_key,
    )
    for ask in asks:
        await ask("before")
    await outside.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    await outside.execute(_CUT, database)
    for ask in asks:
        for ref in ("cut", "standby", "still"):
            with pytest.raises(LedgerUnavailable):
                await ask(ref)
    await outside.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    for ask in asks:
        await ask("after")
    await outside.close()
    await ledger.close()
