"""Verifies the journal bit by bit, for ever: a bounded number of entries at a time.

`verify` reads the whole journal in one go, which takes minutes once it is large.  The walk goes
from the first entry to the last and begins again; where it stands is a value that outlives
processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select, tuple_

from bus.ledger.database import Database
from bus.ledger.journal import GENESIS, entry_hash
from bus.ledger.tables import journal, journal_chain
from schemas.instant import Instant

PIECE = 1_000
"""Entries read and hashed before others get their turn: some milliseconds."""

PROBLEMS = 100
"""More are not remembered: the journal is to be verified as a whole then."""

Heads = dict[str, tuple[int, bytes]]


@dataclass(slots=True)
class Place:
    """Where the walk stands."""

    chain: str = ""
    seq: int = 0
    hash: bytes = GENESIS
    began_at: Instant = 0
    ended_at: Instant = 0
    found: list[str] = field(default_factory=list)  # in this walk
    before: list[str] = field(default_factory=list)  # in the one before, and not passed again yet

    @classmethod
    def of(cls, value: dict[str, Any]) -> Place:
        return cls(**(value | {"hash": bytes.fromhex(value["hash"])})) if value else cls()

    def value(self) -> dict[str, Any]:
        """For JSON."""
        names = ("chain", "seq", "began_at", "ended_at", "found", "before")
        return {name: getattr(self, name) for name in names} | {"hash": self.hash.hex()}

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys((*self.before, *self.found)))


async def walk_on(db: Database, place: Place, *, entries: int, pause: float, now: Instant) -> Place:
    """Goes on for at most so many entries; after an end it waits `pause` microseconds."""
    if not place.began_at:
        if now - place.ended_at < pause:
            return place
        place = Place(began_at=now, ended_at=place.ended_at, before=place.before)
    walk = _Walk(db, place, await _heads(db))
    for _ in range(0, entries, PIECE):
        if not await walk.piece():
            walk.end()
            return Place(ended_at=now, before=place.found)
    return place


async def _heads(db: Database) -> Heads:
    """Read before the entries: every chain has at least these."""
    async with db.read() as connection:
        rows = await connection.execute(select(journal_chain))
        return {row.chain: (row.seq, row.hash) for row in rows.all()}


class _Walk:
    def __init__(self, db: Database, place: Place, heads: Heads) -> None:
        self._db = db
        self._place = place
        self._heads = heads
        self._anchors: dict[tuple[str, int], tuple[str, str]] = {}  # to whose witness and hash

    async def piece(self) -> bool:
        """False: that was the last one."""
        at = self._place
        query = (
            select(journal)
            .where(tuple_(journal.c.chain, journal.c.seq) > tuple_(at.chain, at.seq))
            .order_by(journal.c.chain, journal.c.seq)
            .limit(PIECE)
        )
        async with self._db.read() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            self._feed(tuple(row))
        await self._look_up_anchors()
        return len(rows) == PIECE

    def end(self) -> None:
        self._end_chain()

    def _feed(self, row: tuple[Any, ...]) -> None:
        chain, seq, at, event, message_id, delivery_id, actor, data, digest = row
        place = self._place
        if chain != place.chain:
            self._end_chain()
            place.chain, place.seq, place.hash = chain, 0, GENESIS
        if seq != place.seq + 1:
            self._complain(f"chain {chain}: entry {place.seq + 1} is missing")
        expected = entry_hash(
            place.hash, chain, seq, at, event, message_id, delivery_id, actor, data
        )
        if expected != digest:
            self._complain(f"chain {chain}: entry {seq} was altered")
        place.seq, place.hash = seq, digest
        if event == "chain-started":
            self._remember_anchors(chain, data)

    def _end_chain(self) -> None:
        place = self._place
        head = self._heads.get(place.chain)
        if not place.chain or (head is not None and place.seq > head[0]):
            return  # or it has grown since the heads were read
        if head != (place.seq, place.hash):
            self._complain(f"chain {place.chain}: does not end where the ledger says")

    def _remember_anchors(self, chain: str, data: str) -> None:
        try:
            for other, (seq, digest) in orjson.loads(data)["anchors"].items():
                self._anchors[other, int(seq)] = (chain, str(digest))
        except (ValueError, TypeError, KeyError, AttributeError):
            self._complain(f"chain {chain}: its anchors cannot be read")

    async def _look_up_anchors(self) -> None:
        """Whoever cut a chain short, or removed it whole, contradicts those that saw it."""
        wanted, self._anchors = self._anchors, {}
        keys = list(wanted)
        for start in range(0, len(keys), 200):
            some = keys[start : start + 200]
            query = select(journal.c.chain, journal.c.seq, journal.c.hash).where(
                tuple_(journal.c.chain, journal.c.seq).in_(some)
            )
            async with self._db.read() as connection:
                rows = (await connection.execute(query)).all()
            found = {(row.chain, row.seq): bytes(row.hash).hex() for row in rows}
            for key in some:
                witness, digest = wanted[key]
                if found.get(key) != digest:
                    self._complain(f"chain {key[0]}: entry {key[1]} is not what {witness} saw")

    def _complain(self, problem: str) -> None:
        if len(self._place.found) < PROBLEMS:
            self._place.found.append(problem)
