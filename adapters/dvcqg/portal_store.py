"""What the simulated portal holds: dossiers, timelines in order of arrival, evaluations.

One SQLite file; what was answered survives a kill of the process (not of the machine: the write
is the operating system's before the answer, not the disk's).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

_TABLES = """
CREATE TABLE IF NOT EXISTS dossier(
    code TEXT PRIMARY KEY, record BLOB NOT NULL, inserts INTEGER NOT NULL,
    updates INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS line(
    number INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, step BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS line_code ON line(code, number);
CREATE TABLE IF NOT EXISTS other(
    number INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, item BLOB NOT NULL);
"""


class PortalStore:
    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def record(self, code: str) -> dict[str, Any] | None:
        row = self._db.execute("SELECT record FROM dossier WHERE code=?", (code,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def write(self, records: Iterable[dict[str, Any]], *, updating: bool) -> None:
        """All or none."""
        sql = (
            "UPDATE dossier SET record=?2, updates=updates+1 WHERE code=?1"
            if updating
            else "INSERT INTO dossier VALUES (?1, ?2, 1, 0)"
        )
        self._all(sql, [(each["MaHoSo"], orjson.dumps(each)) for each in records])

    def append(self, steps: Iterable[dict[str, Any]]) -> None:
        """All or none; whatever is there already, they are written behind it."""
        rows = [(each["MaHoSo"], orjson.dumps(each)) for each in steps]
        self._all("INSERT INTO line(code, step) VALUES (?, ?)", rows)

    def keep(self, service: str, items: Iterable[Any]) -> None:
        rows = [(service, orjson.dumps(each)) for each in items]
        self._all("INSERT INTO other(service, item) VALUES (?, ?)", rows)

    def _all(self, sql: str, rows: list[tuple[str, bytes]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(sql, rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def timeline(self, code: str) -> list[dict[str, Any]]:
        """In order of arrival."""
        rows = self._db.execute("SELECT step FROM line WHERE code=? ORDER BY number", (code,))
        return [orjson.loads(step) for (step,) in rows]

    def dossiers(self) -> Iterator[tuple[str, dict[str, Any], int, int]]:
        """(code, record, inserts, updates), in order of code."""
        for code, record, *counts in self._db.execute("SELECT * FROM dossier ORDER BY code"):
            yield code, orjson.loads(record), counts[0], counts[1]

    def kept(self, service: str) -> list[Any]:
        rows = self._db.execute(
            "SELECT item FROM other WHERE service=? ORDER BY number", (service,)
        )
        return [orjson.loads(item) for (item,) in rows]

    def counts(self) -> dict[str, int]:
        tables = ("dossier", "line", "other")
        return {
            table: self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in tables
        }
