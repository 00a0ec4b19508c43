"""Brings a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from bus.ledger.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 4_774_950_010  # any number, the same in every process


async def migrate(database_url: str) -> None:
    """Upgrade to head; several processes may ask at once and one does it."""
    db = Database(database_url)
    try:
        async with db.write() as connection:
            if not db.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await db.close()


def _upgrade(connection: Connection) -> None:
    command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
