"""Deadlines in the figures follow the declared holidays and procedures, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bus.ops.dossier_figures import of_period
from schemas.dossier.calendar import Limit, WorkingCalendar
from schemas.dossier.procedure import Procedure
from schemas.instant import from_datetime
from schemas.province import Holidays
from schemas.vietnam import VIETNAM
from tests.integration.gateway_harness import BUILD, Harness, opened

CODE = f"{BUILD}-250804-0001"
RECEIVED = datetime(2025, 8, 4, 8, tzinfo=VIETNAM)  # a Monday
RECORD = {
    "code": CODE,
    "procedure": "HT-01",
    "procedureName": "Đăng ký khai sinh",
    "agency": BUILD,
    "agencyName": "Sở Xây dựng",
    "channel": 1,
    "applicant": {"kind": 1},
    "summary": "Đăng ký khai sinh",
    "status": 9,
    "received": RECEIVED.isoformat(),
}


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}", tmp_path) as harness:
        yield harness


async def told(bus: Harness, *, finished: datetime | None, **changes: Any) -> None:
    put = await bus.call("so-xay-dung", "PUT", f"/api/v1/dossiers/{CODE}", json=RECORD | changes)
    assert put.status_code == 202, put.text
    if finished is not None:
        step = {
            "code": CODE,
            "at": finished.isoformat(),
            "by": "CV",
            "content": "Xong",
            "status": 9,
        }
        path = f"/api/v1/dossiers/{CODE}/steps?agency={BUILD}"
        assert (await bus.call("so-xay-dung", "POST", path, json=step)).status_code == 202


async def in_time(bus: Harness) -> int:
    path = "/api/v1/dossiers/figures?from=2025-08-01&to=2025-08-31"
    answer = await bus.call("van-hanh", "GET", path)
    assert answer.status_code == 200, answer.text
    total = answer.json()["total"]
    assert total["counted"] == 1
    return int(total["inTime"])


async def test_a_holiday_makes_a_late_dossier_one_in_time(bus: Harness) -> None:
    """Two days for a procedure of one working day, without a due date of its own."""
    await told(bus, finished=RECEIVED + timedelta(days=2))
    assert await in_time(bus) == 1, "nothing is known of the procedure"
    await bus.declare("procedure", None, Procedure(code="HT-01", limit=Limit(amount=1)))
    assert await in_time(bus) == 0
    await bus.declare("holidays", None, Holidays(year=2025, days=(date(2025, 8, 5),)))
    assert await in_time(bus) == 1


async def test_what_is_due_later_in_a_running_period_is_not_late_yet(bus: Harness) -> None:
    await told(bus, finished=None, status=4, due=(RECEIVED + timedelta(days=10)).isoformat())

    async def late(now: datetime) -> int:
        (row,) = await of_period(
            bus.ledger.dossiers,
            first=date(2025, 8, 1),
            last=date(2025, 8, 31),
            senders=None,
            calendar=WorkingCalendar(),
            procedures={},
            now=from_datetime(now),
        )
        assert row.open + row.open_late == 1
        return row.open_late

    assert await late(RECEIVED + timedelta(days=9)) == 0
    assert await late(RECEIVED + timedelta(days=11)) == 1
    assert await late(RECEIVED + timedelta(days=400)) == 1
