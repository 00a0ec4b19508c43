"""What accepting and acting look for is found by an index, however much the ledger holds."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bus.ledger import acts
from bus.ledger import exchange_sql as sql
from bus.ledger.migrate import migrate
from bus.ledger.sqlite import _json, _with_rows
from bus.ledger.tx import Columns


@pytest.mark.parametrize(
    ("query", "columns", "index"),
    [
        (sql.KNOWN, sql.KNOWN_COLUMNS, "exchange_document"),
        (sql.BY_ID, sql.ASKED, "exchange_document"),
        (sql.BY_CODE, sql.ASKED, "exchange_code"),
        (acts.HEADLESS, (("id", "bigint"),), "delivery_open"),
    ],
)
async def test_rows_are_looked_up_by_their_own_index(
    query: str, columns: Columns, index: str, tmp_path: Path
) -> None:
    await migrate(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        explain = "EXPLAIN QUERY PLAN " + _with_rows(query, columns)
        plan = "\n".join(str(row[-1]) for row in connection.execute(explain, (_json([]),)))
    assert f"USING INDEX {index} (" in plan, plan
