"""The proof, short: everything breaks at least once on both backends; and each seeded bug is seen.

`python -m tests.proof` runs it for as long as one likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.bugs import BUGS, Bug
from tests.proof.nest import Nest
from tests.proof.prove import Plan, Services, prove


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    with Nest(tmp_path_factory.mktemp("nest") / "nest.log") as nest:
        yield nest


@pytest.mark.crash
@pytest.mark.timeout(120)
@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
async def test_the_judge_sees_a_seeded_bug(tmp_path: Path, nest: Nest, bug: Bug) -> None:
    plan = Plan(
        messages=250,
        rate=80,
        gap=0.3 if bug.faults else 0,
        faults=bug.faults,
        large=bug.large,
        settle_seconds=10,
    )
    verdict = await prove(tmp_path, "embedded-sqlite", plan, nest, bug=bug.name)
    assert verdict[bug.seen_as], json.dumps(verdict, ensure_ascii=False, indent=1)


def test_each_invariant_has_a_seeded_bug() -> None:
    assert {bug.invariant for bug in BUGS.values()} == set(range(1, 10))
