"""Planned times in which a service or an endpoint is away, announced to those who use it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from pydantic import AwareDatetime, model_validator

from schemas.declared import Declared
from schemas.dossier.calendar import WorkingCalendar
from schemas.vietnam import VIETNAM

NOTICE_DAYS = 7
"""Working days ahead that a planned suspension is announced (NĐ 47/2020/NĐ-CP article 43)."""


class Maintenance(Declared):
    """Bảo trì có báo trước: a service or an endpoint is away from `begins` until `ends`."""

    begins: AwareDatetime
    ends: AwareDatetime
    announced: date
    reason: str = ""

    @model_validator(mode="after")
    def _ends_later(self) -> Maintenance:
        if self.ends <= self.begins:
            msg = "maintenance ends before it begins"
            raise ValueError(msg)
        return self

    def notice(self, calendar: WorkingCalendar) -> int:
        """Whole working days between the announcement and the beginning."""
        return calendar.working_days(self.announced, self.begins.astimezone(VIETNAM).date())


def away(announced: Iterable[Maintenance], at: datetime) -> Maintenance | None:
    """The one going on at that moment."""
    return next((each for each in announced if each.begins <= at < each.ends), None)


def coming(announced: Iterable[Maintenance], at: datetime) -> list[Maintenance]:
    """Those that are not over, the soonest first."""
    return sorted((each for each in announced if each.ends > at), key=lambda each: each.begins)
