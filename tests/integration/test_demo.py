"""The demo as a user runs it, and proof that its check can fail."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.demo.check import Entry, Sent, judge

PROJECT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
def test_the_demo_passes_and_ends() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.demo", "--once"),
            *("--messages", "30", "--broker", "embedded", "--seed", "7"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout


FIRST = Sent("m1", "aa", "status", "a", ("b",), 1.0, "stream")
SECOND = dataclasses.replace(FIRST, identity="m2", sha256="bb", at=2.0)


def entry(identity: str, sha256: str, *, first: bool = True) -> Entry:
    return {
        "identity": identity,
        "sha256": sha256,
        "first": first,
        "attempt": 1,
        "time": 3.0,
    }


GOOD = [entry("m1", "aa"), entry("m2", "bb")]


def problems(book: Sequence[Entry]) -> list[str]:
    return judge([FIRST, SECOND], {"a": [], "b": book}).problems


def test_the_check_accepts_a_good_day_with_repeats_that_had_no_effect() -> None:
    assert problems([*GOOD, entry("m1", "aa", first=False)]) == []


@pytest.mark.parametrize(
    ("book", "says"),
    [
        (GOOD[:1], "is missing"),
        ([entry("m1", "aa"), entry("m2", "XX")], "altered"),
        ([*GOOD, entry("m1", "aa")], "took effect 2 times"),
        ([*GOOD, entry("m9", "cc")], "was not meant for it"),
        (GOOD[::-1], "out of order"),
    ],
)
def test_the_check_fails_for_each_broken_promise(book: list[Entry], says: str) -> None:
    assert any(says in problem for problem in problems(book))
