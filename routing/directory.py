"""Danh bạ: the agencies of a province (or the whole country), by code, alias, place and name.

Built once from the declared agencies and never changed afterwards; a new declaration makes a new
directory. Made for the national directory of 123,000 agencies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice, pairwise
from operator import attrgetter
from typing import NamedTuple

from routing.search import TextIndex
from schemas.errors import ConfigurationError, Text
from schemas.province import Agency, Alias


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which agency a code means on a day, and why."""

    agency: Agency | None  # none: nobody on that day
    alias: str | None  # the alias that led there
    explanation: Text


class Connection(NamedTuple):
    """The endpoint that serves an agency."""

    endpoint: str
    inherited_from: str | None  # code of the ancestor it is taken from; none: its own


def tidy(code: str) -> str:
    """A code as the directory keeps it: in capitals, without any white space."""
    return "".join(code.split()).upper()


def in_force(period: Agency | Alias, on: date) -> bool:
    """Whether the day is within `valid_from`..`valid_to`, both included."""
    start, end = period.valid_from, period.valid_to
    return (start is None or start <= on) and (end is None or on <= end)


class Directory:
    """Raises ConfigurationError when a code is declared twice or agencies stand in a circle.

    A parent that is not in the directory counts as none. A code that is the alias of two agencies
    on the same day resolves to neither: a guess could hand a document to the wrong agency.
    """

    __slots__ = ("_agencies", "_aliases", "_children", "_codes", "_index")

    def __init__(self, agencies: Iterable[Agency]) -> None:
        ordered = sorted(agencies, key=attrgetter("code"))
        self._agencies = {agency.code: agency for agency in ordered}
        self._codes = list(self._agencies)
        if len(ordered) != len(self._agencies):
            _refuse_repeats(ordered)
        _refuse_circles(self._agencies)
        self._aliases: dict[str, list[Agency]] = {}  # who has, had or will have the alias
        self._children: dict[str, list[str]] = {}
        for agency in ordered:
            if agency.parent is not None:
                self._children.setdefault(agency.parent, []).append(agency.code)
            for alias in agency.aliases:
                self._aliases.setdefault(alias.code, []).append(agency)
        self._index = TextIndex(map(_searchable, ordered))

    def __len__(self) -> int:
        return len(self._agencies)

    def __iter__(self) -> Iterator[Agency]:
        """Agencies in the order of their codes."""
        return iter(self._agencies.values())

    def get(self, code: str) -> Agency | None:
        """The agency declared under exactly this code, in force or not; aliases are not tried."""
        return self._agencies.get(code)

    def resolve(self, code: str, on: date) -> Resolution:
        """Whom a code means on that day: an agency's own code first, then an alias in force."""
        agency = self._agencies.get(code)
        if agency is None:
            code = tidy(code)
            agency = self._agencies.get(code)
        if agency is not None and in_force(agency, on):
            return Resolution(agency, None, _text(f"{code}: {agency.name}"))
        owners = self._owners(code, on)
        if len(owners) == 1:
            return _through_alias(code, owners[0])
        return Resolution(None, None, self._why_not(code, agency, owners, on))

    def _owners(self, code: str, on: date) -> list[Agency]:
        """Agencies in force that have this alias in force."""
        owners = {
            owner.code: owner
            for owner in self._aliases.get(code, ())
            if in_force(owner, on) and code in self.codes_of(owner, on)
        }
        return list(owners.values())

    def _why_not(self, code: str, agency: Agency | None, owners: list[Agency], on: date) -> Text:
        if owners:
            both = ", ".join(owner.code for owner in owners)
            return Text(
                f"{code} là bí danh của nhiều cơ quan ({both}): không rõ cơ quan nào",
                f"{code} is an alias of several agencies ({both}): unclear which one is meant",
            )
        if agency is not None:
            return _not_in_force(f"{code} ({agency.name})", agency, on)
        if code in self._aliases:
            owner = self._aliases[code][-1]
            alias = next(alias for alias in reversed(owner.aliases) if alias.code == code)
            period = owner if in_force(alias, on) else alias
            return _not_in_force(f"{code} (→ {owner.code} {owner.name})", period, on)
        return Text(
            f"{code[:50]} không có trong danh bạ",
            f"{code[:50]} is not in the directory",
        )

    def codes_of(self, agency: Agency, on: date) -> tuple[str, ...]:
        """Every code that means this agency on that day, its own first."""
        if not agency.aliases:
            return (agency.code,)
        return (agency.code, *(alias.code for alias in agency.aliases if in_force(alias, on)))

    def line(self, code: str, on: date) -> tuple[str, ...]:
        """Every code of an agency and of those above it, the nearest first; of one that nobody has
        declared, the code itself.
        """
        found: list[str] = []
        above = self.resolve(code, on).agency
        while above is not None:
            found += self.codes_of(above, on)
            above = self._agencies.get(above.parent) if above.parent is not None else None
        return tuple(found) or (code,)

    def endpoint_of(self, agency: Agency) -> Connection | None:
        """Its own endpoint, or else that of the nearest agency above it; none when nobody has."""
        above: Agency | None = agency
        while above is not None:
            if above.endpoint is not None:
                inherited = None if above is agency else above.code
                return Connection(above.endpoint, inherited)
            above = self._agencies.get(above.parent) if above.parent is not None else None
        return None

    def is_within(self, code: str, ancestor: str) -> bool:
        """Whether an agency is `ancestor` itself or stands below it; both by their own codes."""
        above: str | None = code
        while above is not None and above != ancestor:
            agency = self._agencies.get(above)
            above = agency.parent if agency is not None else None
        return above is not None and code in self._agencies

    def descendants(self, code: str) -> list[str]:
        """Codes of all agencies below this one, in order of code."""
        found: list[str] = []
        pending = [code]
        while pending:
            children = self._children.get(pending.pop(), ())
            found += children
            pending += children
        return sorted(found)

    def search(self, text: str, limit: int = 50, after: str | None = None) -> list[Agency]:
        """Agencies whose codes and name together hold every word of `text`, in order of code.

        Diacritics and case do not matter. The next page follows the last code of this one.
        """
        first = 0 if after is None else bisect_right(self._codes, tidy(after))
        numbers = islice(self._index.find(text, first=first), limit)
        return [self._agencies[self._codes[number]] for number in numbers]


def _text(both: str) -> Text:
    return Text(both, both)


def _searchable(agency: Agency) -> str:
    return " ".join((agency.code, *(alias.code for alias in agency.aliases), agency.name))


def _through_alias(code: str, owner: Agency) -> Resolution:
    explanation = Text(
        f"{code} là bí danh của {owner.code}: {owner.name}",
        f"{code} is an alias of {owner.code}: {owner.name}",
    )
    return Resolution(owner, code, explanation)


def _not_in_force(what: str, period: Agency | Alias, on: date) -> Text:
    if period.valid_from is not None and on < period.valid_from:
        return Text(
            f"{what} chỉ có hiệu lực từ {period.valid_from:%d/%m/%Y}",
            f"{what} is in force only from {period.valid_from}",
        )
    return Text(
        f"{what} hết hiệu lực sau {period.valid_to:%d/%m/%Y}",
        f"{what} is out of force after {period.valid_to}",
    )


def _refuse_repeats(ordered: list[Agency]) -> None:
    repeated = sorted({b.code for a, b in pairwise(ordered) if a.code == b.code})
    raise ConfigurationError(
        f"agency declared twice: {', '.join(repeated)}",
        vi=f"cơ quan khai báo hai lần: {', '.join(repeated)}",
    )


def _refuse_circles(agencies: dict[str, Agency]) -> None:
    sound: set[str] = set()  # known to lead to a root
    for start in agencies:
        path: dict[str, None] = {}
        code: str | None = start
        while code is not None and code not in sound and code in agencies:
            if code in path:
                circle = list(path)
                shown = " → ".join((*circle[circle.index(code) :], code))
                raise ConfigurationError(
                    f"agencies are each other's parents in a circle: {shown}",
                    vi=f"quan hệ cơ quan cấp trên tạo thành vòng lặp: {shown}",
                )
            path[code] = None
            code = agencies[code].parent
        sound.update(path)
