"""What contract tests of the ledger's parts share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bus.ledger.database import Database
from bus.ledger.tables import metadata


@pytest.fixture
async def db(ledger_url: str) -> AsyncIterator[Database]:
    database = Database(ledger_url)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()
