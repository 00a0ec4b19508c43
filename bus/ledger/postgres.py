"""The hot path on PostgreSQL: asyncpg, arrays in and rows out, one statement per step.

Two processes may accept to, and finish in, the same order key at once: advisory locks taken in
sorted order before anything else serialise them, and rows are then locked in the same order by all.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

import asyncpg
import structlog

from bus.ledger.database import GONE
from bus.ledger.journal import Chain, JournalTuple
from bus.ledger.pulse import Pulse
from bus.ledger.records import Acceptance, Claimed, Head, Receipt
from bus.ledger.rows import claimed_row, message_row, repeated
from bus.ledger.servers import Servers, ledger_url
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

log = structlog.get_logger(__name__)

CHANNEL = "lgsp_heads"
TRANSACTION_SECONDS = 20.0
IDLE_SECONDS = 5.0
"""After which the server ends a transaction in which nothing happens: a process that is frozen (a
stopped virtual machine) or out of reach must not keep its locks from the others."""
IDS_PER_NOTE = 400  # a notification holds 8,000 bytes

PLANNER = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
"""A statement keeps the plan made at its first executions. Made while the ledger was nearly empty
it may read a whole table, and would go on doing so when that table has millions of rows; what is
left here looks every row up in an index."""

_CLAIM = f"""
WITH picked AS (
  SELECT id FROM delivery
  WHERE id = ANY($1::bigint[]) AND head AND state IN {READY_SQL} AND next_attempt_at <= $3
    AND (expires_at IS NULL OR expires_at > $3)
  ORDER BY id FOR UPDATE SKIP LOCKED)
UPDATE delivery d
SET state = 'sending', worker = $2, attempts = d.attempts + 1,
    first_attempt_at = coalesce(d.first_attempt_at, $3)
FROM picked p, message m
WHERE d.id = p.id AND m.id = d.message_id
RETURNING d.id, d.endpoint, d.receivers, d.order_key, d.lane, d.attempts, d.strikes, d.maybe_sent,
  d.first_attempt_at, m.id, m.sender, m.kind, m.media_type, m.size, m.sha256, m.trace,
  m.accepted_at, m.content, m.record
"""  # noqa: S608 - constants of this package

_INSERT_MESSAGES = """
INSERT INTO message (id, sender, sender_ref, client, kind, receivers, document_id, document_code,
  order_key, lane, accepted_at, expires_at, sha256, size, media_type, trace, canonical, decision,
  content, record)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
  $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[],
  $14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bytea[], $20::text[])
ON CONFLICT (sender, sender_ref) DO NOTHING
RETURNING id
"""

_INSERT_DELIVERIES = f"""
INSERT INTO delivery (message_id, endpoint, receivers, order_key, lane, state, pull, head,
  next_attempt_at, expires_at, detail, created_at)
SELECT r.message_id, r.endpoint, r.receivers, r.order_key, r.lane, r.state, r.pull,
  r.candidate AND NOT EXISTS (
    SELECT 1 FROM delivery o WHERE o.endpoint = r.endpoint AND o.order_key = r.order_key
      AND NOT o.pull AND {blocking("o.")}),
  r.at, r.expires_at, r.detail, r.at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
  $7::boolean[], $8::boolean[], $9::bigint[], $10::bigint[], $11::text[])
  AS r(message_id, endpoint, receivers, order_key, lane, state, pull, candidate, at, expires_at,
       detail)
RETURNING id, endpoint, lane, head, state
"""  # noqa: S608 - constants of this package

_CLOSE = """
UPDATE delivery d
SET state = r.state, head = r.head, worker = NULL, next_attempt_at = r.next_attempt_at,
    strikes = d.strikes + r.strike, maybe_sent = r.maybe_sent,
    partner_ref = coalesce(r.partner_ref, d.partner_ref), code = r.code, detail = r.detail,
    finished_at = r.finished_at
FROM unnest($2::bigint[], $3::int[], $4::text[], $5::boolean[], $6::bigint[], $7::int[],
  $8::boolean[], $9::text[], $10::text[], $11::text[], $12::bigint[])
  AS r(id, attempt, state, head, next_attempt_at, strike, maybe_sent, partner_ref, code, detail,
       finished_at)
WHERE d.id = r.id AND d.state = 'sending' AND d.worker = $1 AND d.attempts = r.attempt
RETURNING d.id
"""

_NEXT_HEADS = f"""
UPDATE delivery d SET head = true
FROM (
  SELECT (SELECT o.id FROM delivery o WHERE o.endpoint = k.endpoint AND o.order_key = k.order_key
          AND NOT o.pull AND {blocking("o.")} ORDER BY o.id LIMIT 1) AS id
  FROM unnest($1::text[], $2::text[]) AS k(endpoint, order_key)) first
WHERE d.id = first.id AND NOT d.head
RETURNING d.id, d.endpoint, d.lane, d.state, d.order_key
"""  # noqa: S608 - constants of this package

_READ_HEADS = f"""
SELECT d.id, d.endpoint, d.lane, d.next_attempt_at
FROM unnest($1::text[]) AS e(name) CROSS JOIN (VALUES ('urgent'), ('normal')) AS l(lane)
CROSS JOIN LATERAL (
  SELECT id, endpoint, lane, next_attempt_at FROM delivery
  WHERE endpoint = e.name AND delivery.lane = l.lane AND head AND state IN {READY_SQL}
    AND next_attempt_at <= $2
  ORDER BY next_attempt_at, id LIMIT $3) d
"""  # noqa: S608 - constants of this package


class PostgresTx:
    def __init__(self, connection: asyncpg.Connection, mine: Mine) -> None:
        self._connection = connection
        self._mine = mine

    async def lock_keys(self, keys: Collection[tuple[str, str]]) -> None:
        if keys:
            locks = sorted({_lock_number(endpoint, key) for endpoint, key in keys})
            await self._connection.fetch(
                "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", locks
            )

    async def try_lock(self, name: str) -> bool:
        rows = await self._connection.fetch(
            "SELECT pg_try_advisory_xact_lock($1)", _lock_number(name, "")
        )
        return bool(rows[0][0])

    async def insert_messages(self, batch: Sequence[Acceptance]) -> set[str]:
        ordered = sorted(batch, key=lambda a: (a.message.sender, a.message.sender_ref))
        rows = [message_row(acceptance) for acceptance in ordered]
        inserted = await self._connection.fetch(_INSERT_MESSAGES, *zip(*rows, strict=True))
        return {row[0] for row in inserted}

    async def receipts(self, keys: Sequence[tuple[str, str]]) -> list[Receipt]:
        """A receipt is a promise: this transaction, which writes nothing else, has to wait for the
        synchronous standby, too. The message may be here and not there yet.
        """
        await self._connection.fetch("SELECT pg_logical_emit_message(true, 'lgsp', '')")
        rows = await self._connection.fetch(
            "SELECT m.id, m.sender, m.sender_ref, m.sha256, m.accepted_at, m.decision"
            " FROM message m JOIN unnest($1::text[], $2::text[]) AS k(sender, ref)"
            " ON m.sender = k.sender AND m.sender_ref = k.ref",
            *zip(*keys, strict=True),
        )
        return [repeated(row) for row in rows]

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> list[Head]:
        if not rows:
            return []
        made = await self._connection.fetch(_INSERT_DELIVERIES, *zip(*rows, strict=True))
        return [
            Head(number, endpoint, Lane(lane))
            for number, endpoint, lane, head, state in made
            if head and state == "queued"
        ]

    async def claim(self, ids: Collection[int], worker: str, now: Instant) -> list[Claimed]:
        rows = await self._connection.fetch(_CLAIM, list(ids), worker, now)
        return [claimed_row(row) for row in rows]

    async def close(self, worker: str, rows: Sequence[Closing]) -> set[int]:
        done = await self._connection.fetch(_CLOSE, worker, *zip(*rows, strict=True))
        return {row[0] for row in done}

    async def next_heads(self, keys: Collection[tuple[str, str]]) -> list[tuple[Head, str]]:
        if not keys:
            return []
        made = await self._connection.fetch(_NEXT_HEADS, *zip(*sorted(keys), strict=True))
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
        rows = await self._connection.fetch(
            "UPDATE delivery SET state = $3, head = false, detail = $5, finished_at = $4,"
            " partner_ref = coalesce($6, partner_ref)"
            " WHERE id = ANY($1::bigint[]) AND state = ANY($2::text[])"
            " RETURNING id, endpoint, order_key, message_id",
            list(ids),
            list(from_states),
            state,
            now,
            detail,
            partner_ref,
        )
        return [Changed(*row) for row in rows]

    async def reopen(self, ids: Collection[int], now: Instant) -> list[Changed]:
        rows = await self._connection.fetch(
            "UPDATE delivery SET state = 'queued', strikes = 0, next_attempt_at = $2,"
            " first_attempt_at = NULL, finished_at = NULL"
            " WHERE id = ANY($1::bigint[]) AND state IN ('dead','held')"
            " RETURNING id, endpoint, order_key, message_id",
            list(ids),
            now,
        )
        return [Changed(*row) for row in rows]

    async def take_back(self, worker: str, keep: Collection[int], now: Instant) -> list[int]:
        rows = await self._connection.fetch(
            "UPDATE delivery SET state = 'waiting', worker = NULL, maybe_sent = true,"
            " next_attempt_at = $3, code = 'interrupted'"
            " WHERE worker = $1 AND state = 'sending' AND NOT id = ANY($2::bigint[]) RETURNING id",
            worker,
            list(keep),
            now,
        )
        return [row[0] for row in rows]

    async def wake(self, endpoint: str, now: Instant) -> list[Head]:
        rows = await self._connection.fetch(
            "UPDATE delivery SET next_attempt_at = $2"
            " WHERE endpoint = $1 AND head AND state = 'waiting' AND next_attempt_at > $2"
            " RETURNING id, endpoint, lane",
            endpoint,
            now,
        )
        return [Head(number, name, Lane(lane)) for number, name, lane in rows]

    async def append_journal(self, chain: Chain, rows: Sequence[JournalTuple]) -> None:
        await self._connection.fetch(
            "WITH entries AS (INSERT INTO journal"
            " (chain, seq, at, event, message_id, delivery_id, actor, data, hash)"
            " SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[],"
            " $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bytea[]))"
            " INSERT INTO journal_chain (chain, seq, hash, at) VALUES ($10, $11, $12, $13)"
            " ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,"
            " at = excluded.at",
            *zip(*rows, strict=True),
            chain.id,
            chain.seq,
            chain.hash,
            rows[-1][2],
        )

    async def announce(self, heads: Sequence[Head]) -> None:
        notes = _notes([head for head in heads if not self._mine(head.endpoint)])
        if notes:
            await self._connection.fetch(
                f"SELECT pg_notify('{CHANNEL}', n) FROM unnest($1::text[]) AS n",  # noqa: S608
                notes,
            )

    async def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        parts = sql.split("?")
        numbered = "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], start=1)) + parts[-1]
        return [tuple(row) for row in await self._connection.fetch(numbered, *values)]

    async def over(
        self, sql: str, columns: Columns, rows: Sequence[Sequence[object]]
    ) -> list[tuple[Any, ...]]:
        found = await self._connection.fetch(_with_rows(sql, columns), *zip(*rows, strict=True))
        return [tuple(row) for row in found]


class PostgresStore:
    """One connection for transactions, one for reading heads, one that listens."""

    def __init__(self, url: str, pulse: Pulse) -> None:
        self._pulse = pulse
        self._servers = Servers(ledger_url(url))
        self._writer: asyncpg.Connection | None = None
        self._reader: asyncpg.Connection | None = None
        self._reading = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None
        self._mine: Mine = lambda _endpoint: False

    async def run(self, work: Work[T]) -> T:
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS):
                if self._writer is None or self._writer.is_closed():
                    self._writer = await self._connect()
                async with self._writer.transaction():
                    return await work(PostgresTx(self._writer, self._mine))
        except GONE as error:
            _drop(self._writer)
            self._writer = None
            raise _unavailable(error) from error

    async def read_heads(self, endpoints: Collection[str], limit: int, now: Instant) -> list[Head]:
        async with self._reading:
            try:
                async with asyncio.timeout(TRANSACTION_SECONDS):
                    if self._reader is None or self._reader.is_closed():
                        self._reader = await self._connect()
                    rows = await self._reader.fetch(_READ_HEADS, list(endpoints), now, limit)
            except GONE as error:
                _drop(self._reader)
                self._reader = None
                raise _unavailable(error) from error
        return [Head(number, endpoint, Lane(lane), due) for number, endpoint, lane, due in rows]

    async def listen(self, heard: Callable[[list[Head]], None], mine: Mine) -> None:
        self._mine = mine
        self._listener = asyncio.create_task(self._keep_listening(heard))

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        for connection in (self._writer, self._reader):
            if connection is not None and not connection.is_closed():
                await connection.close(timeout=2)

    async def _connect(self) -> asyncpg.Connection:
        idle = {"idle_in_transaction_session_timeout": f"{IDLE_SECONDS * 1000:.0f}"}
        return self._pulse.watch(await self._servers.connect(PLANNER | idle))

    async def _keep_listening(self, heard: Callable[[list[Head]], None]) -> None:
        """A lost listener only costs time: the dispatcher also looks by itself."""

        def note(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            heard(_read_note(str(payload)))

        while True:
            try:
                connection = await self._connect()
                ended = asyncio.Event()
                connection.add_termination_listener(lambda _c, e=ended: e.set())
                await connection.add_listener(CHANNEL, note)
                try:
                    await ended.wait()
                finally:
                    connection.terminate()
            except GONE as error:
                log.debug("ledger.listener_lost", error=type(error).__name__)
            await asyncio.sleep(0.5)


@lru_cache(maxsize=64)
def _with_rows(sql: str, columns: Columns) -> str:
    arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(columns, start=1))
    return sql.format(rows=f"unnest({arrays}) AS r({', '.join(name for name, _ in columns)})")


def _lock_number(endpoint: str, key: str) -> int:
    digest = hashlib.blake2b(f"{endpoint}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _notes(heads: Sequence[Head]) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for head in heads:
        groups.setdefault((head.endpoint, head.lane.value), []).append(str(head.id))
    return [
        f"{endpoint} {lane} {','.join(ids[start : start + IDS_PER_NOTE])}"
        for (endpoint, lane), ids in groups.items()
        for start in range(0, len(ids), IDS_PER_NOTE)
    ]


def _read_note(payload: str) -> list[Head]:
    endpoint, lane, ids = payload.split(" ")
    return [Head(int(number), endpoint, Lane(lane)) for number in ids.split(",")]


def _drop(connection: asyncpg.Connection | None) -> None:
    if connection is not None:
        connection.terminate()


def _unavailable(error: BaseException) -> LedgerUnavailable:
    return LedgerUnavailable(f"PostgreSQL: {type(error).__name__}", retry_after=2)
