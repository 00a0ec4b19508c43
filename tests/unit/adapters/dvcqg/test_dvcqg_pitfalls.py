"""The README of the vectors names, for every pitfall of dossiers, tests that are there."""

from __future__ import annotations

from pathlib import Path

from tests import pitfalls

README = Path(__file__).parents[3] / "vectors" / "dvcqg" / "README.md"


def test_every_pitfall_has_tests_that_are_there() -> None:
    pitfalls.check(README.read_text("utf-8"), 13)
