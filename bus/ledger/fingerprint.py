"""What the ledger holds, in one digest for each table: two ledgers with equal ones are equal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.tables import metadata

ROWS = 2_000


class TablePrint(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    rows: int
    sha256: str  # hex, over the rows in order of the primary key


async def fingerprint(
    connection: AsyncConnection, *, seen: Callable[[int], None] = lambda _rows: None
) -> list[TablePrint]:
    """Reads everything once, within the caller's snapshot; `seen` hears of rows read."""
    return [await _table(connection, table, seen) for table in metadata.sorted_tables]


async def count(connection: AsyncConnection) -> int:
    """Rows of all tables together: how long `fingerprint` will take."""
    total = 0
    for table in metadata.sorted_tables:
        result = await connection.execute(text(f'SELECT count(*) FROM "{table.name}"'))  # noqa: S608
        total += int(result.scalar_one())
    return total


async def _table(
    connection: AsyncConnection, table: Table, seen: Callable[[int], None]
) -> TablePrint:
    digest, rows = hashlib.sha256(), 0
    found = await connection.stream(
        select(table).order_by(*table.primary_key.columns), execution_options={"yield_per": ROWS}
    )
    async for part in found.partitions():
        for row in part:
            digest.update(orjson.dumps(list(row), default=_plain))
        rows += len(part)
        seen(len(part))
    return TablePrint(table=table.name, rows=rows, sha256=digest.hexdigest())


def _plain(value: Any) -> str:
    return bytes(value).hex()
