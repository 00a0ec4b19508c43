"""The judge of the proofs: compares what senders were told with what receivers got.

Its witnesses are histories in NDJSON: the senders' receipts (told.ndjson), the receivers' own books
(one for each endpoint), and the kernel's word about memory. It shares no code with the bus and
never asks it. A message is known by the digest of its bytes, which is different for every message
of a load: so a message that the bus took for two is seen as doubled, too.

`python -m tests.proof.judge FOLDER` judges histories again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.proof.load import Sent

TOLD = "told.ndjson"
PATIENCE_SECONDS = 20.0  # that a healthy receiver may wait while another is sick
MOST_GROWTH = 96 * 1024 * 1024  # bytes of memory that a process may grow by, whatever passes it


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
    lost: list[str] = field(default_factory=list)  # or stuck: it has not arrived
    doubled: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # arrived, and nobody has a receipt for it
    untold: list[str] = field(default_factory=list)  # the sender never heard that it arrived (01)
    misdirected: list[str] = field(default_factory=list)  # elsewhere than the receipt said
    refused: list[str] = field(default_factory=list)  # with an error that is the bus' own fault
    contradicted: list[str] = field(default_factory=list)  # the same message, another receipt
    trespassed: list[str] = field(default_factory=list)  # taken from one who may not speak so
    held_up: list[str] = field(default_factory=list)  # at a healthy receiver, by a sick one
    swollen: list[str] = field(default_factory=list)  # processes whose memory grew

    @property
    def faults(self) -> dict[str, list[str]]:
        return {each.name: getattr(self, each.name) for each in fields(self)[1:]}

    @property
    def clean(self) -> bool:
        return not any(self.faults.values())

    def __str__(self) -> str:
        counts = ", ".join(f"{len(each)} {name}" for name, each in self.faults.items())
        examples = {name: each[:5] for name, each in self.faults.items() if each}
        return f"{self.expected} expected: {counts} {examples or ''}"


def missing(sent: Iterable[Sent], books: Mapping[str, Book]) -> int:
    """How many deliveries are still to come."""
    due = Counter(endpoint for message in sent for endpoint in message.endpoints)
    for message in sent:
        due[message.home] += len(message.reported)
    due.pop("", None)
    return sum(max(0, count - len(books[name].refresh().effects)) for name, count in due.items())


def judge(sent: Iterable[Sent], books: Mapping[str, Book]) -> Verdict:
    verdict = Verdict()
    due: dict[str, list[Sent]] = defaultdict(list)
    heard: dict[str, set[tuple[str, ...]]] = defaultdict(set)  # by endpoint: statuses 01 due
    for message in sent:
        for endpoint in message.endpoints:
            due[endpoint].append(message)
        heard[message.home].update(("01", code, message.key) for code in message.reported)
        if message.told is not None and set(message.told) != set(message.endpoints):
            verdict.misdirected.append(f"{message.key}/{message.number}: {message.told} was told")
    for endpoint, book in books.items():
        _judge_receiver(endpoint, due[endpoint], heard[endpoint], book.refresh(), verdict)
    return verdict


def _judge_receiver(
    endpoint: str, due: list[Sent], heard: set[tuple[str, ...]], book: Book, verdict: Verdict
) -> None:
    by_id = {message.message_id: message for message in due if message.message_id}
    by_content = {message.sha256: message for message in due if not message.message_id}
    times = Counter(effect["sha256"] for effect in book.effects)
    arrived: set[Sent] = set()
    last: dict[str, int] = {}
    told: Counter[tuple[str, ...]] = Counter()
    verdict.expected += len(due) + len(heard)
    for effect in book.effects:
        message = by_id.get(effect["message_id"]) or by_content.get(effect["sha256"])
        if message is None:
            status = tuple(effect.get("status", ()))
            told[status] += 1
            if status not in heard:
                verdict.unknown.append(f"{effect['message_id']} {status or ''} at {endpoint}")
            continue
        if message in arrived:
            verdict.doubled.append(_name(message, endpoint))
            continue
        arrived.add(message)
        if effect["sha256"] != message.sha256:
            verdict.altered.append(_name(message, endpoint))
        if message.number <= last.get(message.key, -1):
            verdict.disordered.append(_name(message, endpoint))
        last[message.key] = message.number
    for message in due:
        if message not in arrived:
            verdict.lost.append(_name(message, endpoint))
        elif times[message.sha256] > 1:
            verdict.doubled.append(_name(message, endpoint))
    verdict.untold += [f"{status} at {endpoint}" for status in sorted(heard - told.keys())]
    verdict.doubled += [
        f"{s} at {endpoint}" for s, count in told.items() if s in heard and count > 1
    ]


def _name(message: Sent, endpoint: str) -> str:
    return f"{message.key}/{message.number} at {endpoint}"


# --- histories of a run ---------------------------------------------------------------------------


def judge_folder(folder: Path) -> Verdict:
    """From the files alone."""
    books = {
        path.stem: Book(path).refresh()
        for path in sorted(folder.glob("*.ndjson"))
        if path.name != TOLD
    }
    lines = list(_lines(folder / TOLD))
    sent = [_sent(line) for line in lines if line["what"] == "sent"]
    verdict = judge(sent, books)
    for line in lines:
        _judge_line(line, sent, books, verdict)
    return verdict


def _judge_line(
    line: Mapping[str, Any], sent: list[Sent], books: Mapping[str, Book], verdict: Verdict
) -> None:
    match line["what"]:
        case "refused":
            verdict.refused.append(f"{line['ref']}: {line['status']}")
        case "again" if not line["same"]:
            verdict.contradicted.append(f"{line['key']}/{line['number']}")
        case "trespass" if line["status"] not in (0, 401, 403, 429, 503):
            verdict.trespassed.append(f"{line['as']}: {line['status']}")
        case "sick":
            verdict.held_up += _held_up(line, sent, books)
        case "memory" if line["peak"] - line["ready"] > MOST_GROWTH:
            grown = (line["peak"] - line["ready"]) // (1024 * 1024)
            verdict.swollen.append(f"{line['process']}: by {grown} MiB")


def _held_up(line: Mapping[str, Any], sent: list[Sent], books: Mapping[str, Book]) -> Iterator[str]:
    """Healthy receivers that were due something when the sickness was long from its end, and got
    nothing at all from then on to its end. How much they got is a question of the machine.
    """
    late, ended = float(line["to"]) - PATIENCE_SECONDS, float(line["to"])
    for endpoint in books.keys() - set(line["systems"]):
        effects = books[endpoint].effects
        if any(late <= effect["at"] <= ended for effect in effects):
            continue
        came = {effect["message_id"] for effect in effects if effect["at"] < late}
        for message in sent:
            due = endpoint in message.endpoints and float(line["from"]) <= message.at <= late
            if due and message.message_id not in came:
                yield _name(message, endpoint)


def _sent(line: Mapping[str, Any]) -> Sent:
    given = {each.name: line[each.name] for each in fields(Sent)}
    listed = {name: tuple(each) for name, each in given.items() if isinstance(each, list)}
    return Sent(**given | listed)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each history: whoever has the files can tell that they are the judged ones."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.ndjson"))
    }


if __name__ == "__main__":
    found = judge_folder(Path(sys.argv[1]))
    print(found)
    sys.exit(not found.clean)
