"""The judge of the proofs: compares what senders were told with what receivers got.

Its witnesses are the senders' receipts and the receivers' own books (NDJSON). It shares no code
with the bus and never asks it. A message is known by the digest of its bytes, which is different
for every message of a load: so a message that the bus took for two is seen as doubled, too.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.proof.load import Sent


@dataclass
class Book:
    """What one receiver got; `refresh` reads on from where it stopped."""

    path: Path
    arrivals: list[dict[str, Any]] = field(default_factory=list)
    _offset: int = 0

    @property
    def effects(self) -> list[dict[str, Any]]:
        """First arrivals, in order: what the receiver acted upon."""
        return [arrival for arrival in self.arrivals if arrival["first"]]

    @property
    def repeats(self) -> int:
        return sum(not arrival["first"] for arrival in self.arrivals)

    def refresh(self) -> Book:
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._offset += len(whole)
            self.arrivals += [json.loads(line) for line in whole.splitlines()]
        return self


@dataclass
class Verdict:
    """Empty lists are good news. Entries name key, number and endpoint."""

    expected: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # arrived, and nobody has a receipt for it

    @property
    def clean(self) -> bool:
        faults = (self.lost, self.doubled, self.altered, self.disordered, self.unknown)
        return not any(faults)

    def __str__(self) -> str:
        parts = ("lost", "doubled", "altered", "disordered", "unknown")
        found = {name: getattr(self, name) for name in parts}
        counts = ", ".join(f"{len(each)} {name}" for name, each in found.items())
        examples = {name: each[:5] for name, each in found.items() if each}
        return f"{self.expected} expected: {counts} {examples or ''}"


def missing(sent: Iterable[Sent], books: Mapping[str, Book]) -> int:
    """How many deliveries are still to come."""
    due = Counter(endpoint for message in sent for endpoint in message.endpoints)
    return sum(max(0, count - len(books[name].refresh().effects)) for name, count in due.items())


def judge(sent: Iterable[Sent], books: Mapping[str, Book]) -> Verdict:
    verdict = Verdict()
    due: dict[str, list[Sent]] = defaultdict(list)
    for message in sent:
        for endpoint in message.endpoints:
            due[endpoint].append(message)
    for endpoint, book in books.items():
        _judge_receiver(endpoint, due[endpoint], book.refresh(), verdict)
    return verdict


def _judge_receiver(endpoint: str, due: list[Sent], book: Book, verdict: Verdict) -> None:
    by_id = {message.message_id: message for message in due}
    times = Counter(effect["sha256"] for effect in book.effects)
    verdict.expected += len(due)
    last: dict[str, int] = {}
    for effect in book.effects:
        message = by_id.get(effect["message_id"])
        if message is None:
            verdict.unknown.append(f"{effect['message_id']} at {endpoint}")
            continue
        if effect["sha256"] != message.sha256:
            verdict.altered.append(_name(message, endpoint))
        if message.number <= last.get(message.key, -1):
            verdict.disordered.append(_name(message, endpoint))
        last[message.key] = message.number
    effective = {effect["message_id"] for effect in book.effects}
    for message in due:
        if message.message_id not in effective:
            verdict.lost.append(_name(message, endpoint))
        if times[message.sha256] > 1:
            verdict.doubled.append(_name(message, endpoint))
    if len(effective) < len(book.effects):
        verdict.doubled.append(f"{len(book.effects) - len(effective)} effects at {endpoint}")


def _name(message: Sent, endpoint: str) -> str:
    return f"{message.key}/{message.number} at {endpoint}"
