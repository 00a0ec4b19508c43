"""The judge itself: every kind of fault must be seen, or the proofs prove nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.proof.judge import Book, judge, missing
from tests.proof.load import Sent

SENT = [Sent("k", n, f"sha-{n}", ("so",), f"id-{n}", {}) for n in range(3)]


def arrival(number: int, **changed: object) -> dict[str, object]:
    return {"message_id": f"id-{number}", "sha256": f"sha-{number}", "first": True} | changed


def book(folder: Path, *arrivals: dict[str, object]) -> dict[str, Book]:
    path = folder / "so.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in arrivals))
    return {"so": Book(path)}


def test_a_clean_run_with_a_repeat_is_clean(tmp_path: Path) -> None:
    books = book(tmp_path, arrival(0), arrival(0, first=False), arrival(1), arrival(2))
    assert judge(SENT, books).clean
    assert missing(SENT, books) == 0
    assert books["so"].repeats == 1


@pytest.mark.parametrize(
    ("fault", "arrivals"),
    [
        ("lost", [arrival(0), arrival(1)]),
        ("doubled", [arrival(0), arrival(0), arrival(1), arrival(2)]),
        ("doubled", [arrival(0), arrival(1), arrival(2), arrival(2, message_id="id-9")]),
        ("altered", [arrival(0), arrival(1, sha256="other"), arrival(2)]),
        ("disordered", [arrival(1), arrival(0), arrival(2)]),
        ("unknown", [arrival(0), arrival(1), arrival(2), arrival(7)]),
    ],
)
def test_each_fault_is_seen(tmp_path: Path, fault: str, arrivals: list[dict[str, object]]) -> None:
    verdict = judge(SENT, book(tmp_path, *arrivals))
    assert getattr(verdict, fault)
    assert not verdict.clean
