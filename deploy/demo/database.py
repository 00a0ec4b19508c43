"""A database for one demo, beside the one that was named: nobody's real ledger is touched."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.engine import make_url


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A fresh database on the same PostgreSQL server, dropped afterwards; its URL."""
    server = make_url(url)
    if not server.drivername.startswith("postgresql"):
        yield url
        return
    name = f"lgsp_demo_{secrets.token_hex(4)}"
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    asyncio.run(_execute(dsn, f'CREATE DATABASE "{name}"'))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
