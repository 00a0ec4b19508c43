"""Times of dossiers: zoned and whole seconds inside, five ways of writing them at the edges.

All written times are Vietnam's and name no zone; the edge that reads them adds it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from schemas.vietnam import VIETNAM

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", re.ASCII)
_FIRST, _LAST = 1900, 2199  # years; beyond them a date is a slip of the hand


def _only_iso(value: Any) -> Any:
    """A number would be read as seconds since 1970, whatever it meant (20250812081500)."""
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO.fullmatch(value.strip())):
        return value
    msg = "a time is written 2026-08-12T08:15:00+07:00"
    raise ValueError(msg)


def to_moment(value: datetime) -> datetime:
    """In Vietnam's time, without the fraction of a second, which no portal keeps.

    Raises ValueError without a zone, or outside the years 1900 to 2199.
    """
    if value.tzinfo is None:
        msg = "a time without a zone"
        raise ValueError(msg)
    if not _FIRST <= value.year <= _LAST:
        msg = f"year {value.year} is not plausible"
        raise ValueError(msg)
    return value.astimezone(VIETNAM).replace(microsecond=0)


Moment = Annotated[AwareDatetime, BeforeValidator(_only_iso), AfterValidator(to_moment)]
"""On the wire RFC 3339 with a zone."""


class Form(Enum):
    """How a partner writes a time: its pattern, and how to write it (strftime)."""

    COMPACT = (r"\d{14}", "%Y%m%d%H%M%S")  # national portal: yyyyMMddHHmmss
    COMPACT_DAY = (r"\d{8}", "%Y%m%d")  # population, insurance, payment: yyyyMMdd
    DAY_FIRST = (r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}:\d{2}", "%d/%m/%Y %H:%M:%S")  # DVCLT
    DAY_FIRST_DAY = (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y")  # civil status, questions, business
    YEAR_FIRST = (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S")  # profiles
    ISO = (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?", "%Y-%m-%dT%H:%M:%S")  # new API

    def read(self, text: str) -> datetime | None:
        """The moment; None when nothing stands there. Blanks at the ends are put up with.

        Raises ValueError for anything else: neither the text nor a guess is passed on.
        """
        tidied = text.strip()
        if not tidied:
            return None
        pattern, written = self.value
        if re.fullmatch(pattern, tidied, re.ASCII):
            try:
                read = datetime.strptime(tidied.partition(".")[0], written)  # noqa: DTZ007
                return to_moment(read.replace(tzinfo=VIETNAM))
            except ValueError:  # 30 February; the year 0025
                pass
        msg = f"not a time of the form {self.name}"
        raise ValueError(msg)

    def write(self, moment: datetime | None) -> str:
        """Nothing for None. The new API writes milliseconds, of which we know none."""
        if moment is None:
            return ""
        text = moment.astimezone(VIETNAM).strftime(self.value[1])
        return f"{text}.000" if self is Form.ISO else text


def day_of(moment: datetime) -> date:
    """Vietnam's day of it."""
    return moment.astimezone(VIETNAM).date()
