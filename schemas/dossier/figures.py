"""Figures of an agency in a period: received, in time, on time, late, open, online, satisfied.

Pure sums over dossiers; `received + carried` equals what became of them, always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.deadlines import (
    LOCAL_OPEN,
    Course,
    Local,
    National,
    course_of,
    local,
    national,
)
from schemas.dossier.model import Channel, DossierRecord, OnlinePayment, Reuse, Step
from schemas.dossier.procedure import Procedure


@dataclass(frozen=True, slots=True)
class Case:
    """What figures need of one dossier."""

    agency: str
    procedure: str
    course: Course
    online: bool  # kênh trực tuyến
    electronic_result: bool = False  # a result with its code and its file
    paid_online: bool = False
    digitised: bool = False
    reused: bool = False
    verified: bool = False
    synced: bool = False  # the national portal has it


def case_of(record: DossierRecord, steps: Iterable[Step], *, synced: bool = False) -> Case:
    papers = [paper for paper in record.submitted_papers if not paper.deleted]
    return Case(
        agency=record.agency,
        procedure=record.procedure,
        course=course_of(record, steps),
        online=record.channel is Channel.ONLINE,
        electronic_result=any(each.result_code and each.url for each in record.result_papers),
        paid_online=record.online_payment
        in {OnlinePayment.NATIONAL_PORTAL, OnlinePayment.PROVINCIAL_PORTAL},
        digitised=record.has_digitised or any(paper.digitised for paper in papers),
        reused=any(p.reuse is not Reuse.NO or p.from_national_store for p in papers),
        verified=record.verified_account,
        synced=synced,
    )


class Score(IntEnum):
    """Mức độ hài lòng."""

    VERY_SATISFIED = 1  # rất hài lòng
    SATISFIED = 2  # hài lòng
    UNSATISFIED = 3  # chưa hài lòng


@dataclass(frozen=True, slots=True)
class Rating:
    """Đánh giá: what one person said of one dossier's handling."""

    agency: str
    at: datetime
    score: Score


class Percentages(NamedTuple):
    very_satisfied: int
    satisfied: int
    unsatisfied: int


def percentages(very_satisfied: int, satisfied: int, unsatisfied: int) -> Percentages:
    """Whole percents that sum to 100: the first two rounded down, the third is the rest.

    So the national portal wants them; all are 0 when nobody said anything.
    """
    total = very_satisfied + satisfied + unsatisfied
    if not total:
        return Percentages(0, 0, 0)
    first, second = 100 * very_satisfied // total, 100 * satisfied // total
    return Percentages(first, second, 100 - first - second)


@dataclass(frozen=True, slots=True)
class Figures:
    """Số liệu of one agency, or of all together (agency "")."""

    agency: str
    carried: int = 0  # kỳ trước chuyển sang: received earlier, open when the period began
    received: int = 0  # tiếp nhận trong kỳ
    received_online: int = 0
    early: int = 0  # giải quyết trước hạn
    on_time: int = 0  # đúng hạn
    late: int = 0  # quá hạn
    open: int = 0  # đang giải quyết, trong hạn
    open_late: int = 0  # đang giải quyết, quá hạn
    withdrawn: int = 0
    refused: int = 0
    # by the rules of the national portal, of what was received in the period:
    counted: int = 0
    in_time: int = 0
    online: int = 0  # online from submission to result
    paid_online: int = 0
    digitised: int = 0
    reused: int = 0
    verified: int = 0
    synced: int = 0
    very_satisfied: int = 0
    satisfied: int = 0
    unsatisfied: int = 0

    @property
    def satisfaction(self) -> Percentages:
        return percentages(self.very_satisfied, self.satisfied, self.unsatisfied)

    @property
    def satisfied_percent(self) -> int | None:
        """Tỷ lệ hài lòng: of the ratings given in the period, those that are content, rounded down;
        None: nobody said anything.
        """
        content = self.very_satisfied + self.satisfied
        return _percent(content, content + self.unsatisfied)

    @property
    def online_percent(self) -> int | None:
        """Tỷ lệ trực tuyến: of what the national portal counts, what was online from submission to
        result, rounded down; None: nothing is counted.
        """
        return _percent(self.online, self.counted)


def _percent(part: int, whole: int) -> int | None:
    return 100 * part // whole if whole else None


_SUMMED = tuple(name for name in Figures.__slots__ if name != "agency")
_LOCAL = {
    Local.EARLY: "early",
    Local.ON_TIME: "on_time",
    Local.LATE: "late",
    Local.OPEN: "open",
    Local.OPEN_LATE: "open_late",
    Local.WITHDRAWN: "withdrawn",
    Local.REFUSED: "refused",
}
_SCORES = {
    Score.VERY_SATISFIED: "very_satisfied",
    Score.SATISFIED: "satisfied",
    Score.UNSATISFIED: "unsatisfied",
}


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Period and rules by which figures are made. `until` is the first moment behind the period."""

    since: datetime
    until: datetime
    calendar: WorkingCalendar
    procedures: Mapping[str, Procedure]  # by code; of one that is not here nothing is assumed
    days_only: bool = False


def figures(
    cases: Iterable[Case], ratings: Iterable[Rating], reckoning: Reckoning
) -> list[Figures]:
    """One row for each agency that has something in the period, by its code.

    Reads `cases` once and keeps none of them.
    """
    sums: dict[str, dict[str, int]] = {}
    for case in cases:
        for name in _said_of(case, reckoning):
            row = sums.setdefault(case.agency, dict.fromkeys(_SUMMED, 0))
            row[name] += 1
    for rating in ratings:
        if reckoning.since <= rating.at < reckoning.until:
            row = sums.setdefault(rating.agency, dict.fromkeys(_SUMMED, 0))
            row[_SCORES[rating.score]] += 1
    return [Figures(agency, **sums[agency]) for agency in sorted(sums)]


def total(rows: Iterable[Figures]) -> Figures:
    """The sum of all agencies."""
    result = Figures("")
    for row in rows:
        added = {name: getattr(result, name) + getattr(row, name) for name in _SUMMED}
        result = replace(result, **added)
    return result


def _said_of(case: Case, reckoning: Reckoning) -> list[str]:
    """The sums that the dossier adds one to."""
    course, since, until = case.course, reckoning.since, reckoning.until
    if course.received is None or course.received >= until:
        return []
    became = _LOCAL[local(course, until=until, days_only=reckoning.days_only)]
    if course.received < since:
        carried = local(course, until=since) in LOCAL_OPEN
        return ["carried", became] if carried else []
    said = ["received", became, *_national(case, reckoning)]
    said += ["received_online"] if case.online else []
    marks = ("paid_online", "digitised", "reused", "verified", "synced")
    return said + [name for name in marks if getattr(case, name)]


def _national(case: Case, reckoning: Reckoning) -> list[str]:
    procedure = reckoning.procedures.get(case.procedure)
    limit = procedure.limit if procedure else None
    yields_paper = procedure is not None and procedure.yields_paper
    verdict = national(case.course, until=reckoning.until, limit=limit, calendar=reckoning.calendar)
    said = ["counted"]
    if verdict is National.IN_TIME:
        said.append("in_time")
    if case.online and (case.electronic_result or not yields_paper):
        said.append("online")
    return said
