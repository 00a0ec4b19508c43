"""Lexical forms of edXML values: what is written, and what is put up with when reading.

Each `read_…` gives (value, exact): None when the text cannot be read, exact when it is written the
way the standard says.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time

Exactly = bool

_DATE = r"(?:(\d{4})[/-](\d{1,2})[/-](\d{1,2})"
_REVERSED = r"|(\d{1,2})[/-](\d{1,2})[/-](\d{4}))"
_TIME = r"(?:(?:[ ]+|T)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?)?"
_MOMENT = re.compile(_DATE + _REVERSED + _TIME, re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def read_number(text: str) -> tuple[int | None, Exactly]:
    if _NUMBER.fullmatch(text):
        return int(text), True
    return None, False


def read_boolean(text: str) -> tuple[bool | None, Exactly]:
    value = _BOOLEANS.get(text.lower())
    return value, text in {"true", "false"}


def read_date(text: str) -> tuple[date | None, Exactly]:
    """`yyyy/MM/dd`; also `dd/MM/yyyy`, hyphens, and a time behind it."""
    if len(text) == 10 and text[4] == text[7] == "/":
        try:
            return date.fromisoformat(text.replace("/", "-")), True
        except ValueError:
            return None, False
    moment, _ = read_timestamp(text)
    return (moment.date() if moment else None), False


def read_timestamp(text: str) -> tuple[datetime | None, Exactly]:
    """`yyyy/MM/dd HH:mm:ss` in local time; also the other forms of the date, or no time."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None, False
    year, month, day, day2, month2, year2, *clock = (int(part or 0) for part in found.groups())
    hour, minute, second = clock
    try:
        whole_day = date(year or year2, month or month2, day or day2)
        moment = datetime.combine(whole_day, time(hour, minute, second))
    except ValueError:  # 2014/02/30 has been seen
        return None, False
    return moment, text == write_timestamp(moment)


def write_date(day: date) -> str:
    return f"{day.year:04d}/{day.month:02d}/{day.day:02d}"


def write_timestamp(moment: datetime) -> str:
    return f"{write_date(moment)} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}"


def write_boolean(value: bool) -> str:
    return "true" if value else "false"


def read_organ_id(text: str) -> tuple[str | None, Exactly]:
    """Some senders write the word `null` where they have no code."""
    if text.lower() == "null":
        return None, False
    return text, True
