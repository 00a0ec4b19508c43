"""The hot path on SQLite: the standard library's driver in one thread, one hop per transaction.

A transaction is a coroutine that never really waits, so the thread drives it to its end at once.
`BEGIN IMMEDIATE` lets one writer in at a time, in this process and in others.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, cast

import orjson
from sqlalchemy.engine import make_url

from bus.ledger.journal import Chain, JournalTuple
from bus.ledger.records import Acceptance, Claimed, Head, Receipt
from bus.ledger.rows import claimed_row, message_row, repeated
from bus.ledger.tx import (
    READY_SQL,
    Changed,
    Closing,
    Columns,
    Mine,
    NewDelivery,
    T,
    Work,
    blocking,
)
from schemas.errors import LedgerUnavailable
from schemas.instant import Instant
from schemas.message import Lane

BUSY_SECONDS = 3.0  # then whoever asked is told that the ledger is not there

_CLAIM = f"""
UPDATE delivery SET state = 'sending', worker = ?2, attempts = attempts + 1,
  first_attempt_at = coalesce(first_attempt_at, ?3)
WHERE id IN (SELECT value FROM json_each(?1)) AND head AND state IN {READY_SQL}
  AND next_attempt_at <= ?3 AND (expires_at IS NULL OR expires_at > ?3)
RETURNING id
"""  # noqa: S608 - constants of this package

_CLAIMED = """
SELECT d.id, d.endpoint, d.receivers, d.order_key, d.lane, d.attempts, d.strikes, d.maybe_sent,
  d.first_attempt_at, m.id, m.sender, m.kind, m.media_type, m.size, m.sha256, m.trace,
  m.accepted_at, m.content, m.record
FROM delivery d JOIN message m ON m.id = d.message_id
WHERE d.id IN (SELECT value FROM json_each(?))
"""

_INSERT_MESSAGE = """
INSERT INTO message (id, sender, sender_ref, client, kind, receivers, document_id, document_code,
  order_key, lane, accepted_at, expires_at, sha256, size, media_type, trace, canonical, decision,
  content, record)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sender, sender_ref) DO NOTHING
"""

_INSERT_DELIVERY = f"""
INSERT INTO delivery (message_id, endpoint, receivers, order_key, lane, state, pull, head,
  next_attempt_at, expires_at, detail, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
  ?8 AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.endpoint = ?2 AND o.order_key = ?4
    AND NOT o.pull AND {blocking("o.")}),
  ?9, ?10, ?11, ?9)
RETURNING id, endpoint, lane, head, state
"""  # noqa: S608 - constants of this package

_CLOSE = """
UPDATE delivery SET state = ?4, head = ?5, worker = NULL, next_attempt_at = ?6,
  strikes = strikes + ?7, maybe_sent = ?8, partner_ref = coalesce(?9, partner_ref), code = ?10,
  detail = ?11, finished_at = ?12
WHERE id = ?2 AND state = 'sending' AND worker = ?1 AND attempts = ?3
"""

_NEXT_HEAD = f"""
UPDATE delivery SET head = true
WHERE id = (SELECT id FROM delivery WHERE endpoint = ? AND order_key = ? AND NOT pull
            AND {blocking()} ORDER BY id LIMIT 1) AND NOT head
RETURNING id, endpoint, lane, state, order_key
"""  # noqa: S608 - constants of this package

_READ_HEADS = f"""
SELECT id, endpoint, lane, next_attempt_at FROM delivery
WHERE endpoint = ? AND lane = ? AND head AND state IN {READY_SQL} AND next_attempt_at <= ?
ORDER BY next_attempt_at, id LIMIT ?
"""  # noqa: S608 - constants of this package


class SqliteTx:
    """The steps are coroutines because the port says so; none of them waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def lock_keys(self, keys: Collection[tuple[str, str]]) -> None:
        """Nothing to do: this transaction is the only writer."""

    async def try_lock(self, name: str) -> bool:  # noqa: ARG002 - the only writer is in
        return True

    async def insert_messages(self, batch: Sequence[Acceptance]) -> set[str]:
        inserted = set()
        for acceptance in batch:
            cursor = self._connection.execute(_INSERT_MESSAGE, message_row(acceptance))
            if cursor.rowcount:
                inserted.add(acceptance.message.id)
        return inserted

    async def receipts(self, keys: Sequence[tuple[str, str]]) -> list[Receipt]:
        found = []
        for key in keys:
            found += self._connection.execute(
                "SELECT id, sender, sender_ref, sha256, accepted_at, decision FROM message"
                " WHERE sender = ? AND sender_ref = ?",
                key,
            ).fetchall()
        return [repeated(row) for row in found]

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> list[Head]:
        made = [self._connection.execute(_INSERT_DELIVERY, row).fetchone() for row in rows]
        return [
            Head(number, endpoint, Lane(lane))
            for number, endpoint, lane, head, state in made
            if head and state == "queued"
        ]

    async def claim(self, ids: Collection[int], worker: str, now: Instant) -> list[Claimed]:
        taken = self._connection.execute(_CLAIM, (_json(ids), worker, now)).fetchall()
        if not taken:
            return []
        rows = self._connection.execute(_CLAIMED, (_json([row[0] for row in taken]),)).fetchall()
        return [claimed_row(row) for row in rows]

    async def close(self, worker: str, rows: Sequence[Closing]) -> set[int]:
        done = set()
        for row in rows:
            if self._connection.execute(_CLOSE, (worker, *row)).rowcount:
                done.add(row.id)
        return done

    async def next_heads(self, keys: Collection[tuple[str, str]]) -> list[tuple[Head, str]]:
        made = []
        for key in sorted(keys):
            made += self._connection.execute(_NEXT_HEAD, key).fetchall()
        return [
            (Head(number, endpoint, Lane(lane)), key)
            for number, endpoint, lane, state, key in made
            if state in {"queued", "waiting"}
        ]

    async def end(
        self,
        ids: Collection[int],
        from_states: Collection[str],
        state: str,
        now: Instant,
        detail: str,
        partner_ref: str | None = None,
    ) -> list[Changed]:
        rows = self._connection.execute(
            "UPDATE delivery SET state = ?3, head = false, detail = ?5, finished_at = ?4,"
            " partner_ref = coalesce(?6, partner_ref)"
            " WHERE id IN (SELECT value FROM json_each(?1))"
            " AND state IN (SELECT value FROM json_each(?2))"
            " RETURNING id, endpoint, order_key, message_id",
            (_json(ids), _json(from_states), state, now, detail, partner_ref),
        ).fetchall()
        return [Changed(*row) for row in rows]

    async def reopen(self, ids: Collection[int], now: Instant) -> list[Changed]:
        rows = self._connection.execute(
            "UPDATE delivery SET state = 'queued', strikes = 0, next_attempt_at = ?2,"
            " first_attempt_at = NULL, finished_at = NULL"
            " WHERE id IN (SELECT value FROM json_each(?1)) AND state IN ('dead','held')"
            " RETURNING id, endpoint, order_key, message_id",
            (_json(ids), now),
        ).fetchall()
        return [Changed(*row) for row in rows]

    async def take_back(self, worker: str, keep: Collection[int], now: Instant) -> list[int]:
        rows = self._connection.execute(
            "UPDATE delivery SET state = 'waiting', worker = NULL, maybe_sent = true,"
            " next_attempt_at = ?3, code = 'interrupted'"
            " WHERE worker = ?1 AND state = 'sending'"
            " AND id NOT IN (SELECT value FROM json_each(?2)) RETURNING id",
            (worker, _json(keep), now),
        ).fetchall()
        return [row[0] for row in rows]

    async def wake(self, endpoint: str, now: Instant) -> list[Head]:
        rows = self._connection.execute(
            "UPDATE delivery SET next_attempt_at = ?2"
            " WHERE endpoint = ?1 AND head AND state = 'waiting' AND next_attempt_at > ?2"
            " RETURNING id, endpoint, lane",
            (endpoint, now),
        ).fetchall()
        return [Head(number, name, Lane(lane)) for number, name, lane in rows]

    async def append_journal(self, chain: Chain, rows: Sequence[JournalTuple]) -> None:
        self._connection.executemany("INSERT INTO journal VALUES (?,?,?,?,?,?,?,?,?)", rows)
        self._connection.execute(
            "INSERT INTO journal_chain (chain, seq, hash, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,"
            " at = excluded.at",
            (chain.id, chain.seq, chain.hash, rows[-1][2]),
        )

    async def announce(self, heads: Sequence[Head]) -> None:
        """Nothing to do: other processes look by themselves; this one is told after the commit."""

    async def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        cursor = self._connection.execute(sql, cast("tuple[Any, ...]", values))
        return cursor.fetchall()

    async def over(
        self, sql: str, columns: Columns, rows: Sequence[Sequence[object]]
    ) -> list[tuple[Any, ...]]:
        return self._connection.execute(_with_rows(sql, columns), (_json(rows),)).fetchall()


class SqliteStore:
    """A writer connection in one thread, a reader connection in another."""

    def __init__(self, url: str) -> None:
        self._path = make_url(url).database or ":memory:"
        self._writing = ThreadPoolExecutor(1, "ledger-write")
        self._reading = ThreadPoolExecutor(1, "ledger-read")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def run(self, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writing, self._transact, work)

    async def read_heads(self, endpoints: Collection[str], limit: int, now: Instant) -> list[Head]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._reading, self._read_heads, list(endpoints), limit, now
        )

    async def listen(self, heard: Callable[[list[Head]], None], mine: Mine) -> None:
        """No database channel here: see `SqliteTx.announce`."""

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writing, _close, self._writer)
        await loop.run_in_executor(self._reading, _close, self._reader)
        self._writing.shutdown()
        self._reading.shutdown()

    def _transact(self, work: Work[T]) -> T:
        try:
            if self._writer is None:
                self._writer = _connect(self._path)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = _drive(work(SqliteTx(self._writer)))
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:  # locked too long, disk full, I/O error
            raise LedgerUnavailable(f"SQLite: {error}", retry_after=2) from error
        return result

    def _read_heads(self, endpoints: list[str], limit: int, now: Instant) -> list[Head]:
        try:
            if self._reader is None:
                self._reader = _connect(self._path)
            return [
                Head(number, name, Lane(lane), due)
                for endpoint in endpoints
                for asked in (Lane.URGENT, Lane.NORMAL)
                for number, name, lane, due in self._reader.execute(
                    _READ_HEADS, (endpoint, asked.value, now, limit)
                )
            ]
        except sqlite3.OperationalError as error:
            raise LedgerUnavailable(f"SQLite: {error}", retry_after=2) from error


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _drive(work: Awaitable[T]) -> T:
    """Run a coroutine that never waits to its end."""
    try:
        cast("Coroutine[Any, Any, T]", work).send(None)
    except StopIteration as end:
        return cast("T", end.value)
    msg = "a SQLite transaction waited for something"
    raise RuntimeError(msg)


@lru_cache(maxsize=64)
def _with_rows(sql: str, columns: Columns) -> str:
    fields = ", ".join(
        f"json_extract(value, '$[{n}]') AS {name}" for n, (name, _) in enumerate(columns)
    )
    rows = f"(SELECT {fields} FROM json_each(?1)) AS r"  # noqa: S608 - constants
    return sql.format(rows=rows)


def _json(values: Collection[Any]) -> str:
    return orjson.dumps(list(values)).decode()
