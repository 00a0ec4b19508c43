"""The judge itself: every kind of fault must be seen, or the proofs prove nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.proof.judge import MOST_GROWTH, TOLD, Book, Verdict, judge, judge_folder, missing
from tests.proof.load import Sent

SENT = [Sent("k", n, f"sha-{n}", ("so",), f"id-{n}") for n in range(3)]


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


STATUS = {"message_id": "status", "sha256": "x", "first": True, "status": ["01", "H99.02", "k"]}
REPORTED = replace(SENT[0], home="so", reported=("H99.02",))


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("", [STATUS]), ("untold", []), ("doubled", [STATUS, STATUS | {"message_id": "other"}])],
)
def test_each_arrival_is_told_once(
    tmp_path: Path, fault: str, statuses: list[dict[str, object]]
) -> None:
    books = book(tmp_path, arrival(0), *statuses)
    assert missing([REPORTED], books) == (fault == "untold")
    faults = judge([REPORTED], books).faults
    assert [name for name, found in faults.items() if found] == ([fault] if fault else [])


def test_what_is_fetched_is_known_by_its_content(tmp_path: Path) -> None:
    fetched = replace(SENT[0], message_id="")
    assert judge([fetched], book(tmp_path, arrival(0, message_id="any"))).clean
    assert judge([fetched], book(tmp_path, arrival(0, sha256="other"))).lost


def history(folder: Path, *lines: dict[str, object]) -> Verdict:
    """Judged from files: one message that was told at second 1000, and these lines."""
    book(folder, arrival(0, at=1_100.0))
    told = replace(SENT[0], told=("so",), at=1_000.0)
    lines = ({"what": "sent", **asdict(told)}, *lines)
    (folder / TOLD).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return judge_folder(folder)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("refused", {"what": "refused", "ref": "document:k:0", "status": 500}),
        ("contradicted", {"what": "again", "key": "k", "number": 0, "same": False}),
        ("trespassed", {"what": "trespass", "as": "H99.01", "status": 202}),
        ("held_up", {"what": "sick", "systems": ["khac"], "from": 999.0, "to": 1_030.0}),
        ("swollen", {"what": "memory", "process": "p", "ready": 1, "peak": 2 * MOST_GROWTH}),
    ],
)
def test_faults_that_only_histories_show(
    tmp_path: Path, fault: str, line: dict[str, object]
) -> None:
    verdict = history(tmp_path, line)
    assert [name for name, found in verdict.faults.items() if found] == [fault]


@pytest.mark.parametrize(
    "line",
    [
        {"what": "again", "key": "k", "number": 0, "same": True},
        {"what": "trespass", "as": "H99.01", "status": 403},
        {"what": "sick", "systems": ["so"], "from": 999.0, "to": 1_030.0},
        {"what": "sick", "systems": ["khac"], "from": 999.0, "to": 1_010.0},
        {"what": "sick", "systems": ["khac"], "from": 999.0, "to": 1_110.0},
        {"what": "memory", "process": "p", "ready": 1, "peak": MOST_GROWTH},
    ],
)
def test_histories_without_a_fault(tmp_path: Path, line: dict[str, object]) -> None:
    assert history(tmp_path, line).clean


def test_a_receipt_that_names_another_endpoint_is_seen(tmp_path: Path) -> None:
    books = book(tmp_path, arrival(0))
    assert judge([replace(SENT[0], told=("khac",))], books).misdirected
