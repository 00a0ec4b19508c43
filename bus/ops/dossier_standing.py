"""Open dossiers as clerks ask for them: late, soon late, and where is that one?

Late is judged as the figures of a period judge it (schemas.dossier.deadlines), at this moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from bus.ledger.dossier_queries import (
    DossierDelivery,
    DossierQueries,
    DossierRow,
    StepRow,
    Whole,
)
from bus.ops.dossier_figures import cases_of
from bus.ops.reasons import reason_of
from schemas.delivery import DeliveryState
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.deadlines import Local, local
from schemas.dossier.life import ENDED, TITLES, DossierStatus
from schemas.errors import Text
from schemas.instant import Instant, to_datetime
from schemas.vietnam import VIETNAM, day_of

SOON_DAYS = 2
"""Working days before the day it is due on which an open dossier is soon late."""

S = DossierStatus
Urgency = Literal["late", "soon"]


@dataclass(frozen=True, slots=True)
class Pressing:
    """An open dossier whose day is past or near."""

    row: DossierRow
    due_at: Instant
    urgency: Urgency


async def pressing(
    dossiers: DossierQueries,
    *,
    senders: Collection[str] | None,
    calendar: WorkingCalendar,
    now: Instant,
) -> list[Pressing]:
    """By the moment they are due, the longest late first. Reads every open dossier."""
    found: list[Pressing] = []
    async for pieces in dossiers.counted(senders=senders, since=now, until=now):
        found += await asyncio.to_thread(_pressing, pieces, calendar, now)
    return sorted(found, key=lambda each: (each.due_at, each.row.code))


def _pressing(wholes: Sequence[Whole], calendar: WorkingCalendar, now: Instant) -> list[Pressing]:
    found = []
    for whole, case in zip(wholes, cases_of(wholes), strict=True):
        due_at = whole.row.due_at
        if due_at is None:
            continue
        became = local(case.course, until=to_datetime(now))
        if became is Local.OPEN_LATE:
            found.append(Pressing(whole.row, due_at, "late"))
        elif became is Local.OPEN and _near(calendar, now, due_at):
            found.append(Pressing(whole.row, due_at, "soon"))
    return found


def _near(calendar: WorkingCalendar, now: Instant, due_at: Instant) -> bool:
    return calendar.working_days(day_of(now), day_of(due_at)) < SOON_DAYS


def whereabouts(
    row: DossierRow,
    agency: str,
    steps: Sequence[StepRow],
    deliveries: Sequence[DossierDelivery],
    now: Instant,
) -> list[Text]:
    """Where is it, who has to act, what now. `agency`: its name for people."""
    return [_held_by(row, agency, steps), *_deadline(row, now), *_portals(deliveries)]


def _held_by(row: DossierRow, agency: str, steps: Sequence[StepRow]) -> Text:
    status = DossierStatus(row.status)
    title, since = TITLES[status], _at(row.last_step_at or row.received_at)
    at = Text(f" từ {since}", f" since {since}") if since else Text("", "")
    place = f"{agency}: {title.vi.lower()}{at.vi}", f"{agency}: {title.en.lower()}{at.en}"
    nobody = Text("không ai phải làm gì", "nobody has to do anything")
    now = _NOW.get(status, nobody if status in ENDED else _WORKS)
    count = len(steps)
    return Text(
        f"Hồ sơ ở {place[0]} ({count} bước); {now.vi}.",
        f"It is with {place[1]} ({count} steps); {now.en}.",
    )


_WORKS = Text("cơ quan này xử lý tiếp", "this agency goes on with it")
_NOW: dict[DossierStatus, Text] = {
    S.SUPPLEMENT_ASKED: Text(
        "chờ người nộp bổ sung giấy tờ", "it waits for papers of the applicant"
    ),
    S.PAYMENT_ASKED: Text("chờ người nộp nộp tiền", "it waits for the applicant's payment"),
    S.REGISTERED: Text("chờ bộ phận một cửa tiếp nhận", "it waits for the counter to receive it"),
    S.FINISHED: Text("chờ trả kết quả cho người nộp", "the result waits to be handed over"),
}


def _deadline(row: DossierRow, now: Instant) -> list[Text]:
    if row.due_at is None or DossierStatus(row.status) in ENDED:
        return []
    due = _at(row.due_at)
    if row.due_at < now:
        return [Text(f"Đã quá hạn trả {due}.", f"It was due on {due}.")]
    return [Text(f"Hẹn trả {due}.", f"It is due on {due}.")]


def _portals(deliveries: Sequence[DossierDelivery]) -> list[Text]:
    """One sentence for each portal that does not have everything."""
    by_portal: dict[str, list[DossierDelivery]] = {}
    for each in deliveries:
        by_portal.setdefault(each.delivery.endpoint, []).append(each)
    said = [text for name, rows in by_portal.items() if (text := _lacking(name, rows))]
    if by_portal and not said:
        return [Text("Mọi cổng đã có đủ.", "Every portal has all of it.")]
    return said


def _lacking(portal: str, rows: Sequence[DossierDelivery]) -> Text | None:
    waits = [d for d in rows if d.delivery.state is not DeliveryState.DELIVERED]
    waits = [d for d in waits if d.delivery.state is not DeliveryState.CANCELLED]
    if not waits:
        return None
    count, why = len(waits), reason_of(waits[0].delivery.code, waits[0].delivery.detail)
    because, told = why.clause(), why.quoted
    return Text(
        f"{portal} còn thiếu {count}{because.vi}.{told.vi and f' {told.vi}'}",
        f"{portal} lacks {count} of it{because.en}.{told.en and f' {told.en}'}",
    )


def _at(at: Instant | None) -> str:
    return "" if at is None else f"{to_datetime(at).astimezone(VIETNAM):%d/%m/%Y %H:%M}"
