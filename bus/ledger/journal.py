"""The journal (nhật ký): append-only entries, each hash covering the one before it.

Writers do not wait for each other, so each writer has a chain of its own.  A chain begins with an
entry `chain-started` that holds the heads of the chains active in the day before (`anchors`):
whoever cuts a chain short before such a head, or removes it whole, contradicts the others.
What was written after the last anchor is guarded by `journal_chain` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import uuid_utils

from schemas.instant import Instant

GENESIS = bytes(32)
JournalTuple = tuple[str, int, Instant, str, str | None, int | None, str, str, bytes]
"""A row of the table: chain, seq, at, event, message_id, delivery_id, actor, data, hash."""


def entry_hash(
    previous: bytes,
    chain: str,
    seq: int,
    at: Instant,
    event: str,
    message_id: str | None,
    delivery_id: int | None,
    actor: str,
    data: str,
) -> bytes:
    """SHA-256 over the previous hash and the entry's fields as a compact JSON array."""
    fields = orjson.dumps([chain, seq, at, event, message_id, delivery_id, actor, data])
    return hashlib.sha256(previous + fields).digest()


@dataclass(slots=True)
class Chain:
    """Where one writer's chain stands. `entries` are not durable before the commit."""

    id: str = field(default_factory=lambda: str(uuid_utils.uuid7()))
    seq: int = 0
    hash: bytes = GENESIS
    entries: list[JournalTuple] = field(default_factory=list)

    def add(
        self,
        at: Instant,
        event: str,
        actor: str,
        data: Mapping[str, Any],
        message_id: str | None = None,
        delivery_id: int | None = None,
    ) -> None:
        text = orjson.dumps(data).decode()
        seq = self.seq + 1
        digest = entry_hash(
            self.hash, self.id, seq, at, event, message_id, delivery_id, actor, text
        )
        self.entries.append((self.id, seq, at, event, message_id, delivery_id, actor, text, digest))
        self.seq, self.hash = seq, digest


@dataclass(frozen=True, slots=True)
class JournalReport:
    """Result of a verification: no problems means nothing was altered, removed or inserted."""

    chains: int
    entries: int
    problems: tuple[str, ...]


class Verifier:
    """Feed it every entry, ordered by chain and seq, then ask for the report."""

    def __init__(self, heads: Mapping[str, tuple[int, bytes]]) -> None:
        """`heads` is what the ledger says each chain ends with."""
        self._heads = dict(heads)
        self._anchors: dict[str, dict[int, bytes]] = {}
        self._chain = ""
        self._seq = 0
        self._hash = GENESIS
        self._seen: set[str] = set()
        self._entries = 0
        self._problems: list[str] = []
        self._wanted: list[tuple[str, str, int, bytes]] = []

    def feed(self, row: JournalTuple) -> None:
        chain, seq, at, event, message_id, delivery_id, actor, data, digest = row
        if chain != self._chain:
            self._end_chain()
            self._chain, self._seq, self._hash = chain, 0, GENESIS
            self._seen.add(chain)
        if seq != self._seq + 1:
            self._problems.append(f"chain {chain}: entry {self._seq + 1} is missing")
        expected = entry_hash(
            self._hash, chain, seq, at, event, message_id, delivery_id, actor, data
        )
        if expected != digest:
            self._problems.append(f"chain {chain}: entry {seq} was altered")
        self._seq, self._hash = seq, digest
        self._entries += 1
        self._anchors.setdefault(chain, {})[seq] = digest
        if event == "chain-started":
            self._read_anchors(chain, data)

    def _read_anchors(self, chain: str, data: str) -> None:
        try:
            self._wanted += [
                (chain, other, int(at_seq), bytes.fromhex(hexed))
                for other, (at_seq, hexed) in orjson.loads(data)["anchors"].items()
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            self._problems.append(f"chain {chain}: its anchors cannot be read")

    def report(self) -> JournalReport:
        self._end_chain()
        self._problems += [
            f"chain {chain}: removed, the ledger knows its end at entry {seq}"
            for chain, (seq, _) in self._heads.items()
            if chain not in self._seen
        ]
        for witness, chain, seq, digest in self._wanted:
            if self._anchors.get(chain, {}).get(seq) != digest:
                self._problems.append(f"chain {chain}: entry {seq} is not what chain {witness} saw")
        return JournalReport(len(self._seen), self._entries, tuple(self._problems))

    def _end_chain(self) -> None:
        if not self._chain:
            return
        if self._heads.get(self._chain) != (self._seq, self._hash):
            self._problems.append(f"chain {self._chain}: does not end where the ledger says")
