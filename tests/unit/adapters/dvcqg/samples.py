"""Dossiers and steps of invented people, for the tests of this adapter."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from schemas.dossier import DossierRecord, Step
from schemas.vietnam import VIETNAM

_numbers = itertools.count(1)
MORNING = datetime(2026, 11, 24, 8, 15, tzinfo=VIETNAM)


def new_code() -> str:
    return f"H99.19-261124-{next(_numbers):04d}"


def record(code: str | None = None, **changes: Any) -> DossierRecord:
    values: dict[str, Any] = {
        "code": code or new_code(),
        "procedure": "1.000656",
        "procedure_name": "Đăng ký khai tử",
        "sector": "G15-HT01",
        "sector_name": "Hộ tịch",
        "agency": "H99.19",
        "agency_name": "UBND xã Suối Mẫu",
        "channel": 2,
        "applicant": {"kind": 1, "name": "Nguyen Van A"},
        "summary": "Đăng ký khai tử",
        "status": 4,
        "received": MORNING,
        "due": MORNING + timedelta(days=2),
    }
    return DossierRecord.model_validate(values | changes)


def step(code: str, number: int = 1, **changes: Any) -> Step:
    values: dict[str, Any] = {
        "code": code,
        "id": str(number),
        "at": MORNING + timedelta(minutes=number),
        "by": "Trần Thị Mẫu",
        "content": f"Bước {number}",
        "status": 4,
    }
    return Step.model_validate(values | changes)
