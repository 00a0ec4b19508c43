"""The two languages of the console, and how moments, numbers and sizes are written in them.

Whatever a person reads is written as `say("tiếng Việt", "English")` where it stands: no catalogue
of keys to keep in step, and no sentence without its translation beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.errors import Text
from schemas.instant import SECOND, Instant, to_datetime
from schemas.vietnam import VIETNAM

Lang = Literal["vi", "en"]
_UNITS = ((86_400, "ngày", "d"), (3_600, "giờ", "h"), (60, "phút", "min"), (1, "giây", "s"))


@dataclass(frozen=True, slots=True)
class Words:
    """Speaks one language."""

    lang: Lang

    def __call__(self, vi: str, en: str) -> str:
        return vi if self.lang == "vi" else en

    def text(self, text: Text) -> str:
        return self(text.vi, text.en)

    def moment(self, at: Instant | None) -> str:
        """By Vietnam's clock; an em dash for none."""
        if at is None:
            return "—"
        return to_datetime(at).astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M:%S")

    def day(self, at: Instant) -> str:
        return to_datetime(at).astimezone(VIETNAM).strftime("%d/%m/%Y")

    def period(self, begins: datetime, ends: datetime) -> str:
        """By Vietnam's clock: 20:00–23:00 ngày 13/12/2026."""
        first, last = begins.astimezone(VIETNAM), ends.astimezone(VIETNAM)
        if first.date() != last.date():
            return f"{first:%H:%M %d/%m/%Y} – {last:%H:%M %d/%m/%Y}"
        return f"{first:%H:%M}–{last:%H:%M} {self('ngày', 'on')} {first:%d/%m/%Y}"

    def span(self, microseconds: int) -> str:
        """The two largest units: 2 giờ 5 phút."""
        left = max(0, microseconds // SECOND)
        parts = []
        for size, vi, en in _UNITS:
            count, left = divmod(left, size)
            if count:
                parts.append(f"{count} {self(vi, en)}")
        return " ".join(parts[:2]) or f"0 {self('giây', 's')}"

    def ago(self, at: Instant | None, now: Instant) -> str:
        if at is None:
            return "—"
        return self(f"{self.span(now - at)} trước", f"{self.span(now - at)} ago")

    def number(self, value: float, digits: int = 0) -> str:
        """1.234,5 in Vietnamese, 1,234.5 in English."""
        text = f"{value:,.{digits}f}"
        return text if self.lang == "en" else text.translate(str.maketrans(",.", ".,"))

    def size(self, number: int) -> str:
        for unit, bytes_of in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if number >= bytes_of:
                return f"{self.number(number / bytes_of, 1)} {unit}"
        return f"{number} byte"
