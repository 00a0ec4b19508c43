"""Documents and tasks as the operator sees them on the command line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from openpyxl import load_workbook

from schemas.instant import now
from schemas.vietnam import day_of
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, Cli, Traffic


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path)
    cli.set_up()
    return cli


async def test_documents_and_tasks(cli: Cli) -> None:
    traffic = await Traffic.open(cli)
    late = await traffic.send(HEALTH, HOME_AFFAIRS, due=date(2026, 1, 5))
    await traffic.send(HEALTH)
    await traffic.ledger.close()

    listed = cli.json("document", "list", "--code", "1/UBND-VX")["items"]
    assert {(each["receiver"], each["state"]) for each in listed} == {
        (HEALTH, "sent"),
        (HOME_AFFAIRS, "sent"),
    }
    assert len(cli.json("document", "list", "--agency", HEALTH)["items"]) == 2
    shown = cli.json("document", "show", late)
    assert len(shown["receivers"]) == 2
    assert "2026-01-05" in cli("document", "show", late).out
    cli("document", "show", "01a0c450-6c00-7000-8000-000000000001", code=4)

    overdue = cli.json("task", "list", "--state", "overdue", "--agency", HEALTH)["items"]
    assert [each["messageId"] for each in overdue] == [late]
    assert cli.json("task", "list", "--state", "done")["items"] == []

    year = str(day_of(now()).year)
    figures = {each["agency"]: each for each in cli.json("task", "report", year)["items"]}
    assert figures[HEALTH]["received"] == 2
    assert figures[HEALTH]["overdue"] == 1
    cli("task", "report", year, "--output", "bao-cao.xlsx")
    (sheet,) = load_workbook(cli.folder / "bao-cao.xlsx").worksheets
    assert ["H38.02", "Sở Y tế", 2] in [list(line[:3]) for line in sheet.values]
    cli("task", "report", "2026-13", code=1)
