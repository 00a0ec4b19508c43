"""Judges the day: what the senders were told, against what the receivers' own books hold.

Knows nothing of the bus: it reads receipts on one side and NDJSON books on the other. Packets are
told apart by what they say they are, since the national axis writes each of them anew.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IN_TIME_SECONDS = 60.0

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message a sender got a receipt for."""

    identity: str  # as adapters.identity has it: a document with its files, or a status
    sha256: str
    kind: str
    sender: str  # endpoint names
    receivers: tuple[str, ...]
    at: float  # seconds since the epoch, before it was sent
    stream: str = ""  # messages of one stream must arrive in the order they were sent
    rewritten: frozenset[str] = frozenset()  # receivers beyond the axis: not byte for byte


@dataclass(slots=True)
class Line:
    """One agency's row in the summary."""

    sent: int = 0
    to_arrive: int = 0
    arrived: int = 0
    in_time: int = 0
    retried: int = 0
    statuses_back: int = 0


@dataclass(slots=True)
class Verdict:
    problems: list[str] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))

    @property
    def good(self) -> bool:
        return not self.problems


def read_book(path: Path) -> list[Entry]:
    """A receiver's book; a line still being written is left for the next reading."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def judge(sent: Sequence[Sent], books: Mapping[str, Sequence[Entry]]) -> Verdict:
    verdict = Verdict()
    known = {each.identity: each for each in sent}
    for each in sent:
        verdict.lines[each.sender].sent += 1
    for endpoint, book in books.items():
        _judge_book(endpoint, book, known, verdict)
    _judge_lost(sent, books, verdict)
    return verdict


def _judge_book(
    endpoint: str, book: Sequence[Entry], known: Mapping[str, Sent], verdict: Verdict
) -> None:
    line = verdict.lines[endpoint]
    effects = Counter(entry["identity"] for entry in book if entry["first"])
    for identity, count in effects.items():
        if count > 1:
            verdict.problems.append(f"{endpoint}: {identity} took effect {count} times")
    firsts = [entry for entry in book if entry["first"]]
    for entry in firsts:
        each = known.get(entry["identity"])
        if each is None or endpoint not in each.receivers:
            verdict.problems.append(f"{endpoint}: {entry['identity']} was not meant for it")
            continue
        if entry["sha256"] != each.sha256 and endpoint not in each.rewritten:
            verdict.problems.append(f"{endpoint}: {each.identity} arrived altered")
        line.arrived += 1
        line.in_time += entry["time"] - each.at <= IN_TIME_SECONDS
        line.retried += entry["attempt"] > 1
        line.statuses_back += each.kind == "status"
    _judge_order(endpoint, firsts, known, verdict)


def _judge_order(
    endpoint: str, firsts: Iterable[Entry], known: Mapping[str, Sent], verdict: Verdict
) -> None:
    last: dict[str, Sent] = {}
    for entry in firsts:
        each = known.get(entry["identity"])
        if each is None or not each.stream:
            continue
        before = last.get(each.stream)
        if before is not None and before.at > each.at:
            verdict.problems.append(f"{endpoint}: {each.stream} arrived out of order")
        last[each.stream] = each


def _judge_lost(
    sent: Sequence[Sent], books: Mapping[str, Sequence[Entry]], verdict: Verdict
) -> None:
    have = {name: {entry["identity"] for entry in book} for name, book in books.items()}
    for each in sent:
        for receiver in each.receivers:
            verdict.lines[receiver].to_arrive += 1
            if each.identity not in have.get(receiver, ()):
                verdict.problems.append(f"{receiver}: {each.kind} {each.identity} is missing")
