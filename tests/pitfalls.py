"""Tables of pitfalls in README files: every test that they name must be there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def check(readme: str, count: int) -> None:
    """Rows 1 to `count`, the tests in the last column, each there: a file and the test's name."""
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*)\|$", readme, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, count + 1))
    for number, tests in rows:
        found = re.findall(r"`([\w/]+\.py)` (\w+)", tests)
        assert found, number
        for file, name in found:
            text = (TESTS / file).read_text("utf-8")
            pattern = rf"^(?:async )?def test_{name}\("
            assert re.search(pattern, text, re.MULTILINE), (file, name)
