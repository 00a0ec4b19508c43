"""A report as a model: from it page, command and every kind of file are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bus.ops.reports import Period
from schemas.errors import Text
from schemas.instant import Instant


class Coded(NamedTuple):
    """A word of the bus: for programs its code, for people its title."""

    code: str
    title: Text

    def __str__(self) -> str:
        return self.code


Value = str | int | float | Coded | None
Row = tuple[Value, ...]
Unit = Literal["text", "count", "percent", "seconds"]


@dataclass(frozen=True, slots=True)
class Column:
    name: str  # for programs
    title: Text
    unit: Unit = "count"


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a report."""

    name: str
    title: Text
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sums: Row | None = None  # the row of totals
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Report:
    period: Period
    issuer: str  # the province, as its directory names it; empty: unknown
    about: str  # whom it is about; empty: all
    made_at: Instant
    sections: tuple[Section, ...]
