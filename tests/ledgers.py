"""A ledger's database for one test, quickly: migrating an empty SQLite file is done once."""

from __future__ import annotations

from pathlib import Path

from bus.ledger.migrate import migrate

_SQLITE = "sqlite+aiosqlite:///"
_migrated: list[bytes] = []


async def prepare(database_url: str) -> None:
    """As `migrate`, for a database that is empty. Tests of migrating itself call `migrate`."""
    if not database_url.startswith(_SQLITE):
        await migrate(database_url)
        return
    file = Path(database_url.removeprefix(_SQLITE))
    if _migrated and not file.exists():
        file.write_bytes(_migrated[0])
        return
    is_new = not file.exists()
    await migrate(database_url)
    if is_new and not file.with_name(f"{file.name}-wal").exists():
        _migrated.append(file.read_bytes())
