"""The demo as a user runs it, and proof that its check can fail."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from adapters.onestop.stories import Teller
from deploy.demo.back import Back
from deploy.demo.centre import Mark, mark_of
from deploy.demo.check import Entry, Sent, judge
from deploy.demo.dossiers import DEPARTMENT, FIRST_DAY, Dossiers, by_code, differing, holidays
from schemas.province import calendar_of

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
    assert done.stdout.count("✓") == 4, "what came back from the portal, and the verdict"


def test_what_did_not_come_back_is_seen(tmp_path: Path) -> None:
    back = Back(Dossiers(tmp_path / "dossiers", 4, 1), rated=1)
    assert len(back.judge({"verySatisfied": 0})) == 2, "nothing was played"
    back.problems = []
    assert back.judge({"verySatisfied": 0}) == ["totals: 0 of 1 ratings"]
    assert back.judge({"verySatisfied": 1}) == []


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


STORIES = list(Teller((DEPARTMENT,), 3, FIRST_DAY).stories(2))
CODE, OTHER = (story.code for story in STORIES)


def told() -> dict[str, list[Mark]]:
    """What a follower must have seen of both dossiers."""
    return {
        story.code: [mark_of(change.item.model_dump(by_alias=True)) for change in story.changes]
        for story in STORIES
    }


def test_the_check_of_followers_accepts_what_was_told() -> None:
    assert differing("x", STORIES, told()) == []
    book = [
        {"identity": " ".join((code, *mark))} for code, marks in told().items() for mark in marks
    ]
    assert by_code(book) == told()


@pytest.mark.parametrize(
    "seen",
    [
        told() | {CODE: told()[CODE][:-1]},
        told() | {CODE: [*told()[CODE], told()[CODE][-1]]},
        told() | {CODE: told()[CODE][::-1]},
        {OTHER: told()[OTHER]},
        told() | {"H99.14-260801-9999": []},
    ],
    ids=["missing", "doubled", "out of order", "a whole dossier", "never told"],
)
def test_the_check_of_followers_fails_for_each_broken_promise(seen: dict[str, list[Mark]]) -> None:
    assert len(differing("x", STORIES, seen)) == 1


def test_the_province_rests_on_public_holidays_and_works_the_days_made_up() -> None:
    """The National Day of 2026 with the days around it: 29 August to 2 September."""
    calendar = calendar_of(holidays())
    worked = [day for day in range(22, 32) if calendar.is_working(date(2026, 8, day))]
    assert worked == [22, 24, 25, 26, 27, 28]
    assert [calendar.is_working(date(2026, 9, day)) for day in (1, 2, 3)] == [False, False, True]
