"""What the simulated axis holds: packets, who still has to fetch them, registered agencies.

One SQLite file that survives a kill; without a path everything is in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from adapters.vxp.codec import Transport

_TABLES = """
CREATE TABLE IF NOT EXISTS packet(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    doc_id TEXT NOT NULL UNIQUE,
    system TEXT NOT NULL,
    message_type TEXT NOT NULL,
    sender TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    title TEXT NOT NULL,
    notation TEXT NOT NULL,
    at TEXT NOT NULL,
    content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS packet_repeat ON packet(system, sha256);
CREATE TABLE IF NOT EXISTS copy(
    doc_id TEXT NOT NULL,
    system TEXT NOT NULL,
    receiver TEXT NOT NULL,
    state TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY(doc_id, receiver));
CREATE INDEX IF NOT EXISTS copy_open ON copy(system, state);
CREATE TABLE IF NOT EXISTS agency(
    code TEXT PRIMARY KEY, system TEXT NOT NULL, name TEXT NOT NULL, mail TEXT NOT NULL);
"""


class NewPacket(NamedTuple):
    doc_id: str
    system: str  # of the hub that sent it
    message_type: str
    sender: str
    sha256: str  # hex, of the upload
    title: str
    notation: str
    at: str  # local time, as lists show it
    content: bytes


class Item(NamedTuple):
    """One line of a list: a packet and one receiver of it."""

    doc_id: str
    message_type: str
    sender: str
    receiver: str
    state: str
    created: str
    updated: str
    title: str
    notation: str


class HubStore:
    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # outlives a kill, if not a power cut
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def register(self, code: str, system: str, name: str, mail: str = "") -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO agency VALUES (?, ?, ?, ?)", (code, system, name, mail)
        )

    def remove(self, code: str, system: str) -> bool:
        gone = self._db.execute("DELETE FROM agency WHERE code=? AND system=?", (code, system))
        return gone.rowcount > 0

    def owner(self, code: str) -> str | None:
        """Systemid of the hub that registered the agency."""
        row = self._db.execute("SELECT system FROM agency WHERE code=?", (code,)).fetchone()
        return None if row is None else str(row[0])

    def agencies(self) -> Iterator[tuple[str, str, str, str]]:
        """(code, system, name, mail), in order of code."""
        return iter(self._db.execute("SELECT * FROM agency ORDER BY code").fetchall())

    def repeat_of(self, system: str, sha256: str) -> str | None:
        """DocId under which the same hub has sent the same bytes before."""
        row = self._db.execute(
            "SELECT doc_id FROM packet WHERE system=? AND sha256=? ORDER BY number LIMIT 1",
            (system, sha256),
        ).fetchone()
        return None if row is None else str(row[0])

    def add(self, packet: NewPacket, copies: Iterable[tuple[str, str]]) -> None:
        """Durable when it returns. `copies` are (receiver, systemid of its hub)."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                "INSERT INTO packet(doc_id, system, message_type, sender, sha256, title, notation,"
                " at, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                packet,
            )
            self._db.executemany(
                "INSERT INTO copy VALUES (?, ?, ?, ?, ?)",
                [
                    (packet.doc_id, system, receiver, Transport.INITIAL.value, packet.at)
                    for receiver, system in copies
                ],
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def received(self, system: str, message_type: str) -> list[Item]:
        """What this hub has neither finished nor refused, oldest first."""
        return self._items(
            "c.system=? AND p.message_type=? AND c.state IN (?, ?)",
            (system, message_type, Transport.INITIAL.value, Transport.PROCESSING.value),
        )

    def sent(self, system: str, message_type: str, doc_id: str) -> list[Item]:
        """What this hub has sent; only `doc_id` when one is given."""
        return self._items(
            "p.system=? AND p.message_type=? AND (?='' OR p.doc_id=?)",
            (system, message_type, doc_id, doc_id),
        )

    def _items(self, where: str, values: tuple[str, ...]) -> list[Item]:
        query = (
            "SELECT p.doc_id, p.message_type, p.sender, c.receiver, c.state, p.at, c.at, p.title,"  # noqa: S608 - `where` is one of the two above
            f" p.notation FROM packet p JOIN copy c USING(doc_id) WHERE {where} ORDER BY p.number"
        )
        return [Item(*row) for row in self._db.execute(query, values)]

    def content(self, doc_id: str, system: str) -> bytes | None:
        """The packet, for a hub that has receivers of it; None for any other."""
        row = self._db.execute(
            "SELECT content FROM packet p WHERE doc_id=?"
            " AND EXISTS (SELECT 1 FROM copy c WHERE c.doc_id=p.doc_id AND c.system=?)",
            (doc_id, system),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def update(self, doc_id: str, system: str, state: str, at: str) -> bool:
        """All copies of one hub at once; False when it has none."""
        done = self._db.execute(
            "UPDATE copy SET state=?, at=? WHERE doc_id=? AND +system=?",  # by its key
            (state, at, doc_id, system),
        )
        return done.rowcount > 0

    def states(self) -> dict[str, dict[str, str]]:
        """State of every copy, by docId and receiver."""
        found: dict[str, dict[str, str]] = {}
        for doc_id, receiver, state in self._db.execute("SELECT doc_id, receiver, state FROM copy"):
            found.setdefault(doc_id, {})[receiver] = state
        return found
