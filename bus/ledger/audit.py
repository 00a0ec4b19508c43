"""Asks the ledger whether it keeps what the bus promises, and changes nothing.

Of every message: there is a receipt's entry in the journal and it says what the message says; the
content is what was received; each delivery that was decided is there, over with an entry that says
how, or open with a reason.  Of every order key: one at a time, the first first.  The chains of the
journal are verified apart, by `verify.py`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bus.ledger.blobs import BlobStore
from bus.ledger.database import Database
from bus.ledger.tables import delivery, journal, message, process
from bus.ledger.tx import OPEN_SQL, PARKED, blocking
from schemas.delivery import TERMINAL, DeliveryState

PAGE = 500
"""Messages looked at together."""
EXAMPLES = 20
"""More of a kind are counted, not named."""

Progress = Callable[[int], None]
S = DeliveryState


@dataclass(slots=True)
class Audit:
    """What was found. `problems`: how many of each kind, `examples`: the first of them."""

    messages: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)  # by state
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def found(self, kind: str, what: str) -> None:
        self.problems[kind] += 1
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(what)


async def count_messages(db: Database) -> int:
    async with db.read() as connection:
        return int(
            (await connection.execute(select(func.count()).select_from(message))).scalar_one()
        )


async def audit(db: Database, blobs: BlobStore, seen: Progress) -> Audit:
    """A page of messages at a time, each page in one snapshot: the bus goes on meanwhile."""
    result, after = Audit(), ""
    while True:
        async with db.read() as connection:
            if not db.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            rows = await _page(connection, after)
            if not rows:
                break
            await _Page(result, blobs, rows).judge(connection)
        after = rows[-1].id
        result.messages += len(rows)
        seen(len(rows))
    async with db.read() as connection:
        await _keys(connection, result)
    return result


async def held_by(db: Database) -> dict[int, str]:
    """Deliveries in hand, and the process that has each."""
    query = select(delivery.c.id, delivery.c.worker).where(delivery.c.state == S.SENDING.value)
    async with db.read() as connection:
        return {row.id: row.worker or "" for row in await connection.execute(query)}


async def beats(db: Database) -> dict[str, int]:
    """Of each process that is registered: it grows once a second while the process lives."""
    async with db.read() as connection:
        rows = await connection.execute(select(process.c.id, process.c.beat))
        return {row.id: row.beat for row in rows}


async def _page(connection: AsyncConnection, after: str) -> Sequence[Row[*tuple[Any, ...]]]:
    m = message.c
    columns = (m.id, m.sender, m.sender_ref, m.sha256, m.size, m.content)
    query = select(*columns).where(m.id > after).order_by(m.id).limit(PAGE)
    return (await connection.execute(query)).all()


class _Page:
    def __init__(
        self, result: Audit, blobs: BlobStore, rows: Sequence[Row[*tuple[Any, ...]]]
    ) -> None:
        self._result = result
        self._blobs = blobs
        self._rows = rows

    async def judge(self, connection: AsyncConnection) -> None:
        ids = [row.id for row in self._rows]
        entries = _by_message(
            await connection.execute(select(journal).where(journal.c.message_id.in_(ids)))
        )
        deliveries = _by_message(
            await connection.execute(select(delivery).where(delivery.c.message_id.in_(ids)))
        )
        for row in self._rows:
            self._content(row)
            self._receipt(row, entries[row.id], deliveries[row.id])
            for each in deliveries[row.id]:
                self._delivery(each, entries[row.id])

    def _content(self, row: Row[*tuple[Any, ...]]) -> None:
        if row.content is None:
            if not self._blobs.path(row.sha256).exists():
                self._result.found("content", f"message {row.id}: its original is not in data_dir")
        elif hashlib.sha256(row.content).hexdigest() != row.sha256:
            self._result.found("content", f"message {row.id}: not the bytes that were received")

    def _receipt(
        self,
        row: Row[*tuple[Any, ...]],
        entries: Iterable[Row[*tuple[Any, ...]]],
        deliveries: Iterable[Row[*tuple[Any, ...]]],
    ) -> None:
        accepted = [orjson.loads(each.data) for each in entries if each.event == "accepted"]
        if len(accepted) != 1:
            self._result.found(
                "receipt", f"message {row.id}: {len(accepted)} entries of acceptance"
            )
            return
        said: Mapping[str, Any] = accepted[0]
        told = (said["sender"], said["ref"], said["sha256"], said["size"])
        if told != (row.sender, row.sender_ref, row.sha256, row.size):
            self._result.found("receipt", f"message {row.id}: its receipt says something else")
        due = Counter(each[0] for each in said["deliveries"])
        missing = due - Counter(each.endpoint for each in deliveries)
        for endpoint in missing:
            self._result.found("missing", f"message {row.id}: no delivery to {endpoint}")

    def _delivery(
        self, row: Row[*tuple[Any, ...]], entries: Iterable[Row[*tuple[Any, ...]]]
    ) -> None:
        self._result.deliveries[row.state] += 1
        state = S(row.state)
        if state in TERMINAL:
            events = {each.event for each in entries if each.delivery_id == row.id}
            if state.value not in events:
                what = f"delivery {row.id}: {state.value}, and the journal does not say so"
                self._result.found("unjournalled", what)
        elif state in {S.DEAD, S.HELD} and not (row.code or row.detail):
            self._result.found("unexplained", f"delivery {row.id}: {state.value} without a reason")


def _by_message(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[str, list[Row[*tuple[Any, ...]]]]:
    found: dict[str, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in rows:
        found[row.message_id].append(row)
    return found


async def _keys(connection: AsyncConnection, result: Audit) -> None:
    """Only what is open can be wrong now; the look is over the index of open deliveries."""
    for kind, words, sql in _ORDER:
        for row in await connection.exec_driver_sql(sql):
            endpoint, order_key = row.endpoint, row.order_key
            result.found(kind, f"{endpoint}, key {order_key}: {words}")


_SAME = "o.endpoint = d.endpoint AND o.order_key = d.order_key"
_BEFORE_TURN = f"""
SELECT d.endpoint, d.order_key FROM delivery d WHERE d.state = 'sending' AND NOT d.pull
AND EXISTS (SELECT 1 FROM delivery o WHERE {_SAME} AND NOT o.pull AND o.id < d.id
  AND {blocking("o.")})
"""  # noqa: S608 - constants of this package
_OVERTAKEN = f"""
SELECT DISTINCT d.endpoint, d.order_key FROM delivery d
WHERE d.state IN {OPEN_SQL} AND NOT d.pull AND {blocking("d.")}
AND EXISTS (SELECT 1 FROM delivery o WHERE {_SAME} AND o.id > d.id AND o.state = 'delivered'
  AND NOT o.pull)
AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.message_id = d.message_id
  AND j.delivery_id = d.id AND j.event = 'held' AND j.data LIKE '%{PARKED}%')
"""  # noqa: S608 - as above
_HEADLESS = f"""
SELECT DISTINCT d.endpoint, d.order_key FROM delivery d
WHERE d.state IN {OPEN_SQL} AND NOT d.pull AND {blocking("d.")}
AND NOT EXISTS (SELECT 1 FROM delivery o WHERE {_SAME} AND o.head AND o.state IN {OPEN_SQL})
"""  # noqa: S608 - as above
_ORDER = (
    ("order", "one is being sent before its turn", _BEFORE_TURN),
    ("order", "the next was delivered while one before it is open", _OVERTAKEN),
    ("stuck", "nobody is first, so nothing leaves", _HEADLESS),
)
