"""Proof: beyond what it can take the bus says so, in words, and keeps what it took.

`python -m tests.proof.overload` measures how much it still takes; here nothing is measured.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.proof.nest import Nest
from tests.proof.overload import good, overload
from tests.proof.prove import Services


@pytest.mark.crash
@pytest.mark.timeout(1200)
async def test_refusals_are_clean_and_nothing_that_was_taken_is_lost(tmp_path: Path) -> None:
    with Nest(tmp_path / "nest.log") as nest:
        found = await overload(
            tmp_path / "stand",
            nest,
            "embedded-sqlite",
            Services(),
            seconds=0.5,
            many=60,
            rate=20.0,
            settings={"LGSP_MAX_ACCEPTING": "16"},
        )
    print(json.dumps(found, indent=1))
    assert good(found)
    answers = found["flood"]["overload"]["answers"].keys()
    assert answers & {"429", "503"}, "more came at once than there were places"
