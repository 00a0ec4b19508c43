"""Agencies that a partner's directory lists, beside those that the administrator declared.

Whose an agency is stands in `Agency.source`; what was declared always has precedence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.adapter import ListedAgency
from schemas.agency import parse_code
from schemas.province import Agency, Alias

LONGEST_NAME = 500  # characters


class Gathering:
    """Rows of one directory as they come; agencies once all are there."""

    def __init__(self) -> None:
        self.rows = 0
        self.unusable = 0  # rows without a code that can be one
        self._names: dict[str, str] = {}
        self._successors: dict[str, set[str]] = {}  # other code: codes of rows that name it

    def add(self, row: ListedAgency) -> None:
        """Of several rows with one code the first gives the name."""
        self.rows += 1
        code = _code(row.code)
        if code is None:
            self.unusable += 1
            return
        self._names.setdefault(code, " ".join(row.name.split())[:LONGEST_NAME] or code)
        for alias in map(_code, row.aliases):
            if alias is not None and alias != code:
                self._successors.setdefault(alias, set()).add(code)

    def agencies(self, source: str, known: Mapping[str, Agency]) -> list[Agency]:
        """One for each agency, whatever number of codes and rows it has; `source` serves them.

        A code that two agencies claim is the alias of neither.
        Those equal to what is `known` are the very objects of it.
        """
        aliases: dict[str, list[str]] = {}
        for code in self._successors:
            owner = self._owner(code)
            if owner != code:
                aliases.setdefault(owner, []).append(code)
        return [
            _agency(code, name, sorted(aliases.get(code, ())), source, known.get(code))
            for code, name in self._names.items()
            if self._owner(code) == code
        ]

    def _owner(self, code: str) -> str:
        """The newest code of the agency; in a circle of codes the first of them."""
        seen = [code]
        while len(successors := self._successors.get(code, ())) == 1:
            code = next(iter(successors))
            if code in seen:
                return min(seen[seen.index(code) :])
            seen.append(code)
        return code


def _code(text: str) -> str | None:
    try:
        return parse_code(text)
    except ValueError:
        return None


def _agency(
    code: str, name: str, aliases: Sequence[str], source: str, known: Agency | None
) -> Agency:
    if (
        known is not None
        and (known.name, known.source) == (name, source)
        and [alias.code for alias in known.aliases] == aliases
    ):
        return known
    return Agency(
        code=code,
        name=name,
        aliases=tuple(Alias(code=alias) for alias in aliases),
        endpoint=source,
        source=source,
    )


def beside(declared: Iterable[Agency], imported: Iterable[Agency]) -> list[Agency]:
    """What is left of the imported agencies: none has a code that a declared one has or had."""
    taken = {code for agency in declared for code in codes_of(agency)}
    return [_without(agency, taken) for agency in imported if agency.code not in taken]


def codes_of(agency: Agency) -> tuple[str, ...]:
    """All codes, whenever they are in force."""
    return (agency.code, *(alias.code for alias in agency.aliases))


def _without(agency: Agency, taken: set[str]) -> Agency:
    left = tuple(alias for alias in agency.aliases if alias.code not in taken)
    if len(left) == len(agency.aliases):
        return agency
    return agency.model_copy(update={"aliases": left})
