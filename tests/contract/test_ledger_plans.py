"""What accepting and acting look for is found by an index, however much the ledger holds.

The plans are those of an empty ledger: a connection keeps them when the ledger has grown.
"""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest
from sqlalchemy import make_url

from bus.ledger import acts, postgres, sqlite
from bus.ledger import exchange_sql as sql
from bus.ledger.migrate import migrate
from bus.ledger.tx import Columns


@pytest.mark.parametrize(
    ("query", "columns", "index"),
    [
        (sql.KNOWN, sql.KNOWN_COLUMNS, "exchange_document"),
        (sql.BY_ID, sql.ASKED, "exchange_document"),
        (sql.BY_CODE, sql.ASKED, "exchange_code"),
        (sql.STANDING, sql.FOLLOWED, "exchange_pkey"),
        (sql.WRITE, sql.WRITE_COLUMNS, "exchange_pkey"),
        (acts.HEADLESS, (("id", "bigint"),), "delivery_open"),
    ],
)
async def test_rows_are_looked_up_by_their_own_index(
    query: str, columns: Columns, index: str, ledger_url: str
) -> None:
    await migrate(ledger_url)
    if ledger_url.startswith("sqlite"):
        plan, index = _on_sqlite(ledger_url, query, columns), _AUTOMATIC.get(index, index)
        assert f"USING INDEX {index} (" in plan, plan
    else:
        plan = await _on_postgres(ledger_url, query, columns)
        assert f"Index Scan using {index} on" in plan, plan


_AUTOMATIC = {"exchange_pkey": "sqlite_autoindex_exchange_1"}


def _on_sqlite(url: str, query: str, columns: Columns) -> str:
    with sqlite3.connect(str(make_url(url).database)) as connection:
        explain = "EXPLAIN QUERY PLAN " + sqlite._with_rows(query, columns)
        found = connection.execute(explain, (sqlite._json([]),))
        return "\n".join(str(row[-1]) for row in found)


async def _on_postgres(url: str, query: str, columns: Columns) -> str:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, server_settings=postgres.PLANNER)
    try:
        explain = "EXPLAIN " + postgres._with_rows(query, columns)
        found = await connection.fetch(explain, *([] for _ in columns))
    finally:
        await connection.close()
    return "\n".join(str(row[0]) for row in found)
