"""Figures of dossiers in a period, from the ledger; the sums themselves are pure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from bus.ledger.dossier_queries import DossierQueries, Whole
from bus.ops.reports import MEDIA_TYPES, File, FileFormat, plain, to_csv, to_xlsx
from schemas.dossier import DossierRecord, Step
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.figures import (
    Case,
    Figures,
    Rating,
    Reckoning,
    Score,
    case_of,
    figures,
    total,
)
from schemas.dossier.procedure import Procedure
from schemas.errors import InvalidRequest
from schemas.instant import Instant, to_datetime
from schemas.vietnam import YEARS, start_of

_DAY = timedelta(days=1)

COLUMNS: dict[str, tuple[str, str]] = {
    "carried": ("Kỳ trước chuyển sang", "Carried over"),
    "received": ("Tiếp nhận trong kỳ", "Received"),
    "received_online": ("Trong đó trực tuyến", "Of these online"),
    "early": ("Trước hạn", "Early"),
    "on_time": ("Đúng hạn", "On time"),
    "late": ("Quá hạn", "Late"),
    "open": ("Đang giải quyết, trong hạn", "Open, in time"),
    "open_late": ("Đang giải quyết, quá hạn", "Open, overdue"),
    "withdrawn": ("Rút", "Withdrawn"),
    "refused": ("Không tiếp nhận", "Refused"),
    "counted": ("Tính theo Cổng DVCQG", "Counted by the national portal"),
    "in_time": ("Trong đó đúng hạn", "Of these in time"),
    "online": ("Trực tuyến toàn trình", "Online to the result"),
    "paid_online": ("Thanh toán trực tuyến", "Paid online"),
    "digitised": ("Có số hóa", "Digitised"),
    "reused": ("Có tái sử dụng", "Reused"),
    "verified": ("Tài khoản xác thực VNeID", "Verified accounts"),
    "synced": ("Đã đồng bộ", "Synced"),
    "very_satisfied": ("Rất hài lòng", "Very satisfied"),
    "satisfied": ("Hài lòng", "Satisfied"),
    "unsatisfied": ("Chưa hài lòng", "Unsatisfied"),
    "online_percent": ("Tỷ lệ trực tuyến (%)", "Online (%)"),
    "satisfied_percent": ("Tỷ lệ hài lòng (%)", "Content (%)"),
}


async def of_period(
    dossiers: DossierQueries,
    *,
    first: date,
    last: date,
    senders: Collection[str] | None,
    calendar: WorkingCalendar,
    procedures: Mapping[str, Procedure],
    now: Instant,
) -> list[Figures]:
    """Of the days from `first` up to and with `last`, by agency. Raises InvalidRequest.

    A period that is not over is reckoned up to `now`: what is due later is not late yet.
    """
    if last < first:
        raise InvalidRequest(
            "the period ends before it begins",
            vi="Kỳ báo cáo kết thúc trước khi bắt đầu",
            field="to",
        )
    if first.year not in YEARS or last.year not in YEARS:
        raise InvalidRequest(
            f"the years of a period are from {YEARS[0]} to {YEARS[-1]}",
            vi=f"Kỳ báo cáo trong khoảng từ năm {YEARS[0]} đến năm {YEARS[-1]}",
            field="from",
        )
    since = start_of(first)
    until = max(since, min(start_of(last + _DAY), now))
    cases: list[Case] = []
    async for pieces in dossiers.counted(senders=senders, since=since, until=until):
        cases += await asyncio.to_thread(cases_of, pieces)
    reckoning = Reckoning(to_datetime(since), to_datetime(until), calendar, procedures)
    rated = await dossiers.ratings(senders=senders, since=since, until=until)
    ratings = [Rating(each.agency, to_datetime(each.at), Score(each.score)) for each in rated]
    return figures(cases, ratings, reckoning)


def on_time_share(row: Figures) -> float | None:
    """Tỷ lệ đúng hạn: percent of what was finished in the period; None while nothing was."""
    done = row.early + row.on_time + row.late
    return 100 * (done - row.late) / done if done else None


def online_share(row: Figures) -> float | None:
    """Tỷ lệ trực tuyến: percent of what was received in the period; None when nothing was."""
    return 100 * row.received_online / row.received if row.received else None


def cases_of(wholes: Sequence[Whole]) -> list[Case]:
    return [
        case_of(
            DossierRecord.model_validate_json(each.record),
            [Step.model_validate_json(step) for step in each.steps],
            synced=each.synced,
        )
        for each in wholes
    ]


def write(kind: FileFormat, name: str, rows: Sequence[Figures], names: Mapping[str, str]) -> File:
    """A table with one row for each agency and the sum of all."""
    table: list[list[str | int]] = [
        ["Mã cơ quan / Code", "Cơ quan / Agency", *(f"{vi} / {en}" for vi, en in COLUMNS.values())]
    ]
    for row in (*rows, total(rows)):
        title = names.get(row.agency, "") if row.agency else "Tổng / Total"
        numbers = (getattr(row, column) for column in COLUMNS)
        cells = ("" if number is None else number for number in numbers)
        table.append([plain(row.agency), plain(title), *cells])
    content = to_csv(table) if kind == "csv" else to_xlsx(name, table)
    headers = {
        "Content-Disposition": f'attachment; filename="ho-so-{name}.{kind}"',
        "Cache-Control": "no-store",
    }
    return File(content, MEDIA_TYPES[kind], headers)
