"""The quarter of tests/bench, a small one: over RabbitMQ, with a kill and all faults of the portal;
and its checker, which must see what it is there to see.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.services import RabbitMQ
from tests.bench.quarter import Plan, Scene, play
from tests.bench.quarter_told import NATIONAL, Checker, Verdict, dossier

DOSSIERS = 40
Report = list[dict[str, Any]]


@pytest.fixture
def scene(rabbitmq: RabbitMQ, postgres_url: str, tmp_path: Path) -> Iterator[Scene]:
    rabbitmq.start()  # a test may have left it stopped or paused
    scene = Scene(tmp_path / "stage", rabbitmq.url, postgres_url, ["serve"])
    try:
        scene.open()
        yield scene
    finally:
        scene.close()


@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.crash
async def test_a_small_quarter(scene: Scene) -> None:
    plan = Plan(DOSSIERS, fault_seconds=0.7, kills=1)
    verdict, figures = await play(scene, plan)
    assert verdict.holds, verdict
    assert (verdict.dossiers, verdict.steps) == (DOSSIERS, plan.lines)
    assert figures.killed == 1
    assert not any(figures.left.values()), figures


def shown() -> Report:
    """What a portal shows that has everything."""
    report = []
    for number in range(5):
        told = dossier(number)
        record = told.last | {"MaTTHC": NATIONAL}
        timeline = [dict(line) for line in told.lines]
        report.append({"MaHoSo": told.code, "inserts": 1, "record": record, "timeline": timeline})
    return report


WRONG: list[tuple[str, Callable[[Report], object]]] = [
    ("missing_dossiers", lambda report: report.pop()),
    ("strange_dossiers", lambda report: report.append(report[0])),
    ("strange_dossiers", lambda report: report.append(report[0] | {"MaHoSo": "H99-260101-0001"})),
    ("missing_steps", lambda report: report[2]["timeline"].pop(1)),
    ("doubled_steps", lambda report: report[2]["timeline"].append(report[2]["timeline"][-1])),
    ("strange_steps", lambda report: report[1]["timeline"][0].update(NoiDungXuLy="khác")),
    ("out_of_order", lambda report: report[3]["timeline"].reverse()),
    ("wrong_records", lambda report: report[4]["record"].update(TrangThaiHoSo="9")),
    ("inserted_twice", lambda report: report[0].update(inserts=2)),
]


@pytest.mark.parametrize(("what", "spoil"), WRONG)
def test_the_checker_sees(what: str, spoil: Callable[[Report], object]) -> None:
    report = copy.deepcopy(shown())
    assert judged(report).holds
    spoil(report)
    verdict = judged(report)
    assert not verdict.holds
    assert getattr(verdict, what) >= 1


def judged(report: Report) -> Verdict:
    checker = Checker(5)
    for each in report:
        checker.feed(json.dumps(each).encode())
    return checker.close()
