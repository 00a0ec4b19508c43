"""A copy of the whole ledger, taken while the bus runs, and a ledger made from a copy.

A copy is a folder: the database as one file (`ledger.db`, or `ledger.dump` of pg_dump), and
`manifest.json` with what is in it.  Blobs stand beside the copies, shared by all of them, since
they are named by their content.  What was acknowledged before the copy began is in it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import inspect, select, text, union
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.blobs import BlobStore
from bus.ledger.database import Database
from bus.ledger.fingerprint import TablePrint, count, fingerprint
from bus.ledger.servers import servers_of
from bus.ledger.tables import dossier_file, message, metadata, refused_packet
from schemas import instant
from schemas.errors import ConfigurationError, NotFound, Text
from schemas.instant import Instant

MANIFEST = "manifest.json"
Progress = Callable[[int], None]


class Manifest(BaseModel):
    """What a copy holds; `restore` compares the ledger it made with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begun_at: Instant  # everything acknowledged before is in the copy
    database: str  # sqlite or postgresql
    schema_version: str  # Alembic's
    tables: tuple[TablePrint, ...]
    blobs: int


class Source:
    """One snapshot of a ledger: what is read of it does not change any more."""

    def __init__(self, db: Database, connection: AsyncConnection, folder: Path) -> None:
        self._db = db
        self._connection = connection
        self._folder = folder
        self._begun = instant.now()

    async def rows(self) -> int:
        return await count(self._connection)

    async def blobs(self) -> list[str]:
        """Names of all blobs that its messages need, in order."""
        return await _needed(self._connection)

    async def finish(self, blobs: int, seen: Progress) -> Manifest:
        """Writes the manifest, last of all: a folder without one is no copy."""
        version = await self._connection.execute(text("SELECT version_num FROM alembic_version"))
        manifest = Manifest(
            begun_at=self._begun,
            database="sqlite" if self._db.is_sqlite else "postgresql",
            schema_version=str(version.scalar_one()),
            tables=tuple(await fingerprint(self._connection, seen=seen)),
            blobs=blobs,
        )
        _write_synced(self._folder / MANIFEST, manifest.model_dump_json(indent=2).encode())
        return manifest


@asynccontextmanager
async def copying(database_url: str, folder: Path) -> AsyncIterator[Source]:
    """Copies the database into `folder`, which is there and empty.

    The blobs are read after it: they are never changed, and removed only when no message names
    them. Raises ConfigurationError (pg_dump missing or refused), LedgerUnavailable.
    """
    db = Database(database_url)
    try:
        if db.is_sqlite:
            copy = folder / "ledger.db"
            await asyncio.to_thread(_copy_sqlite, Path(str(db.url.database)), copy)
            async with _opened(f"sqlite+aiosqlite:///{copy}") as (_, connection):
                yield Source(db, connection, folder)
        else:
            async with db.read() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                snapshot = await connection.execute(text("SELECT pg_export_snapshot()"))
                await _dump(db.url, folder / "ledger.dump", str(snapshot.scalar_one()))
                yield Source(db, connection, folder)
    finally:
        await db.close()


def read_manifest(folder: Path) -> Manifest:
    """Raises ConfigurationError for a folder that is no complete copy."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        raise ConfigurationError(
            f"{folder} is no complete backup: it has no readable {MANIFEST}. Choose another one.",
            vi=f"{folder} không phải bản sao lưu trọn vẹn: không đọc được {MANIFEST}. Hãy chọn bản "
            "khác.",
        ) from None


async def restore(database_url: str, folder: Path, manifest: Manifest) -> None:
    """Makes the ledger anew from a copy. The database must be empty.

    Raises ConfigurationError when it is not, or is of the other kind than the copy.
    """
    db = Database(database_url)
    try:
        kind = "sqlite" if db.is_sqlite else "postgresql"
        if kind != manifest.database:
            raise ConfigurationError(
                f"This is a copy of a {manifest.database} ledger; database_url is {kind}.",
                vi=f"Bản sao là của sổ cái {manifest.database}; database_url là {kind}.",
            )
        if db.is_sqlite:
            await asyncio.to_thread(_place_sqlite, folder, Path(str(db.url.database)))
        else:
            await _refuse_full(db)
            await _load(db.url, folder / "ledger.dump")
    finally:
        await db.close()


async def differences(database_url: str, manifest: Manifest, seen: Progress) -> list[Text]:
    """Tables that are not what the copy holds; none is as it must be."""
    async with _opened(database_url) as (db, connection):
        if not db.is_sqlite:
            await connection.execution_options(isolation_level="REPEATABLE READ")
        found = {each.table: each for each in await fingerprint(connection, seen=seen)}
    return [
        Text(f"bảng {each.table} khác bản sao lưu", f"table {each.table} differs from the backup")
        for each in manifest.tables
        if found.get(each.table) != each
    ]


async def needed_blobs(database_url: str) -> list[str]:
    """Names of all blobs that the messages of a ledger need, in order."""
    async with _opened(database_url) as (_, connection):
        return await _needed(connection)


async def _needed(connection: AsyncConnection) -> list[str]:
    kept = union(
        select(message.c.sha256).where(message.c.content.is_(None)),
        select(refused_packet.c.sha256),
        select(dossier_file.c.sha256),
    )
    return sorted((await connection.execute(kept)).scalars().all())


async def copy_blobs(
    names: Sequence[str], source: BlobStore, target: BlobStore, seen: Progress
) -> list[str]:
    """Copies what `target` lacks; returns names that are missing or damaged in `source`."""
    bad = []
    for name in names:
        if not target.path(name).exists() and not await _copy_blob(name, source, target):
            bad.append(name)
        seen(1)
    return bad


async def _copy_blob(name: str, source: BlobStore, target: BlobStore) -> bool:
    writer = target.writer()
    try:
        async with source.open(name) as pieces:
            async for piece in pieces:
                await writer.write(piece)
        return await writer.commit() == name
    except NotFound:
        return False
    finally:
        writer.abort()


@asynccontextmanager
async def _opened(database_url: str) -> AsyncIterator[tuple[Database, AsyncConnection]]:
    db = Database(database_url)
    try:
        async with db.read() as connection:
            yield db, connection
    finally:
        await db.close()


# --- SQLite -------------------------------------------------------------------------------------


def _copy_sqlite(source: Path, copy: Path) -> None:
    """In one step: it sees one state of the ledger, and writers go on in the WAL."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(copy)) as made,
    ):
        original.backup(made)
    _sync(copy)


def _place_sqlite(folder: Path, target: Path) -> None:
    if target.exists():
        raise _not_empty(str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f"{target.name}.restoring")
    shutil.copyfile(folder / "ledger.db", making)
    _sync(making)
    making.rename(target)
    _sync(target.parent)


# --- PostgreSQL ---------------------------------------------------------------------------------


async def _dump(url: URL, file: Path, snapshot: str) -> None:
    where = ["--snapshot", snapshot, "--file", str(file)]
    await _client("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", *where])
    _sync(file)


async def _load(url: URL, file: Path) -> None:
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    await _client("pg_restore", url, [*options, str(file)])


async def _refuse_full(db: Database) -> None:
    async with db.read() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    if set(tables) & set(metadata.tables):
        raise _not_empty(str(db.url.database))


async def _client(program: str, url: URL, options: list[str]) -> None:
    """Runs one of PostgreSQL's own programs; the password travels in the environment."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(
            f"{program} is not installed: an administrator installs the package postgresql-client "
            "in the version of the server or newer.",
            vi=f"Chưa cài {program}: quản trị cài gói postgresql-client, phiên bản bằng hoặc mới "
            "hơn máy chủ.",
        )
    query = {("sslmode" if name == "ssl" else name): value for name, value in url.query.items()}
    if places := servers_of(url):
        query |= {
            "host": ",".join(h for h, _ in places),
            "port": ",".join(str(p) for _, p in places),
        }
        query.setdefault("target_session_attrs", "read-write")
    plain = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, query=query
    )
    environment = {**os.environ, "PGPASSWORD": url.password or os.environ.get("PGPASSWORD", "")}
    process = await asyncio.create_subprocess_exec(
        *(found, "--no-password", "--dbname", plain.render_as_string()),
        *options,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:] or ["?"]
        raise ConfigurationError(
            f"{program} could not do it: {last[0]}", vi=f"{program} không làm được: {last[0]}"
        )


def _not_empty(place: str) -> ConfigurationError:
    return ConfigurationError(
        f"There is a ledger at {place} already. Nothing was changed: restore into an empty place, "
        "or move the old ledger away first.",
        vi=f"Tại {place} đã có sổ cái. Chưa thay đổi gì: hãy khôi phục vào chỗ trống, hoặc chuyển "
        "sổ cái cũ đi trước.",
    )


def _write_synced(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
