"""Connections for everything that is not the hot path: SQLAlchemy Core on either database.

The hot path (accept, claim, finish) has drivers of its own in `postgres.py` and `sqlite.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy.exc
from sqlalchemy import URL, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bus.ledger.pulse import Pulse
from bus.ledger.servers import Servers, ledger_url
from schemas.errors import ConfigurationError, LedgerUnavailable

BUSY_MILLISECONDS = 5_000
READ_ONLY = asyncpg.ReadOnlySQLTransactionError.sqlstate
IDLE = {"idle_in_transaction_session_timeout": "60000"}
"""Milliseconds: nobody who is out of reach keeps a lock for longer."""

GONE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was cut in the middle of a protocol step
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialisation: trying again helps
    asyncpg.ReadOnlySQLTransactionError,  # it is a standby now: another one is the primary
)
"""What asyncpg raises when the database is not there (or not now)."""


class Database:
    """Two engines on SQLite (a reader, and a writer that begins IMMEDIATE), one on PostgreSQL.

    A read transaction that turns into a write fails at once with SQLITE_BUSY_SNAPSHOT whatever the
    busy timeout says, so writers take the lock before they read.
    """

    def __init__(self, url: str) -> None:
        self.url = ledger_url(url)
        if self.url.drivername not in {"postgresql+asyncpg", "sqlite+aiosqlite"}:
            raise ConfigurationError(
                f"database URL must begin postgresql+asyncpg:// or sqlite+aiosqlite:///, "
                f"not {self.url.drivername}://",
                vi="Địa chỉ CSDL phải bắt đầu bằng postgresql+asyncpg:// hoặc sqlite+aiosqlite:///",
            )
        self.is_sqlite = self.url.drivername.startswith("sqlite")
        servers = Servers(self.url)
        self.pulse = Pulse(servers)
        if self.is_sqlite:
            self._reader = _sqlite_engine(url, begin="BEGIN")
            self._writer = _sqlite_engine(url, begin="BEGIN IMMEDIATE")
        else:
            self._reader = self._writer = _postgres_engine(self.url, servers, self.pulse)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with _unavailable(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed on leaving, rolled back on an exception."""
        async with _unavailable(), self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """One connection whose transactions are the caller's, for migrations."""
        async with _unavailable(), self._writer.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self.pulse.close()
        await self._reader.dispose()
        if self._writer is not self._reader:
            await self._writer.dispose()


def _postgres_engine(url: URL, servers: Servers, pulse: Pulse) -> AsyncEngine:
    async def connect() -> asyncpg.Connection:
        return pulse.watch(await servers.connect(IDLE))

    engine = create_async_engine(url, async_creator=connect, pool_size=5, max_overflow=5)

    @event.listens_for(engine.sync_engine, "handle_error")
    def leave_standby(context: ExceptionContext) -> None:
        """A server that takes no writes any more is left, with all its connections."""
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True

    return engine


def _sqlite_engine(url: str, *, begin: str) -> AsyncEngine:
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver emits no BEGIN of its own
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY_MILLISECONDS}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


@asynccontextmanager
async def _unavailable() -> AsyncIterator[None]:
    """Turns "the database is not there" into the error callers know; other errors stay bugs."""
    try:
        yield
    except (
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.InterfaceError,
        sqlalchemy.exc.TimeoutError,  # all connections of the pool wait for a database that is slow
        *GONE,
    ) as error:
        # GONE: SQLAlchemy lets asyncpg's own errors through while it sets a new connection up
        raise LedgerUnavailable(f"database: {type(error).__name__}", retry_after=2) from error
    except sqlalchemy.exc.DBAPIError as error:
        if not (error.connection_invalidated or _turned_away(error)):
            raise
        raise LedgerUnavailable("database connection lost", retry_after=2) from error


def _turned_away(error: sqlalchemy.exc.DBAPIError) -> bool:
    """PostgreSQL refused the log-in: shutting down or starting (class 57), full (53), cut (08).

    SQLAlchemy does not count these as a lost connection while it is still connecting.
    """
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return state.startswith(("08", "53", "57P"))
