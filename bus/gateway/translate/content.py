"""Content models: which children may come, how often, and whether grouping by name loses order.

A model is *plain* when the order of the children follows from how many there are of each name:
then JSON has one member for each name.  Otherwise (repeated groups, choices that repeat, mixed)
JSON keeps a list in document order.  Validity is a regular expression over one private character
for each name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, permutations

from bus.gateway.translate.components import (
    UNBOUNDED,
    Element,
    ElementUse,
    Group,
    Particle,
    Wildcard,
)
from bus.gateway.translate.names import Tag, split

WILD = "*"
_FIRST = 0xF0000  # supplementary private use area A: no name's own character


@dataclass(slots=True)
class Usage:
    """One name in a content model."""

    element: Element | None  # None: the wildcards
    min: int
    max: int


@dataclass(slots=True)
class Model:
    usages: dict[str, Usage] = field(default_factory=dict)  # in schema order
    order: list[str] | None = None  # of writing; None when not plain
    all: bool = False  # any order is valid: the JSON members' own is kept
    simple: bool = True  # min and max of each name say everything
    wildcards: list[Wildcard] = field(default_factory=list)
    _pattern: re.Pattern[str] | None = None
    _group: Group | None = None
    _chars: dict[str, str] = field(default_factory=dict)
    _spaces: dict[str, str] = field(default_factory=dict)

    def word(self, names: list[str]) -> str:
        """The children as characters, by Clark name."""
        chars = self._chars
        return "".join(chars.get(name) or self._foreign(name) for name in names)

    def valid(self, names: list[str]) -> bool:
        if self._group is None:
            return not names
        if self._pattern is None:
            self._pattern = re.compile(_Expression(self._chars, self._spaces).of(self._group))
        return self._pattern.fullmatch(self.word(names)) is not None

    def _foreign(self, name: str) -> str:
        return self._spaces.get(split(name)[0]) or self._spaces["##other"]

    def wildcard_for(self, name: Tag) -> Wildcard | None:
        namespace = split(name)[0]
        return next((each for each in self.wildcards if each.allows(namespace)), None)


def analyse(group: Group | None) -> Model:
    if group is None:
        return Model(order=[])
    names, pairs = _Relations(Model()), set[tuple[str, str]]()
    present, pairs = names.of(group)
    model = names.model
    model.usages = {
        name: Usage(names.elements.get(name), low, high) for name, (low, high) in present.items()
    }
    model.order = _order(list(present), pairs)
    model.simple = _is_simple(group)
    model.all = _has_all(group)
    model._group = group  # noqa: SLF001 - made here
    for index, name in enumerate(n for n in present if n != WILD):
        model._chars[name] = chr(_FIRST + index)  # noqa: SLF001
    _number_spaces(model)
    return model


def _number_spaces(model: Model) -> None:
    spaces = {"", "##other"}
    for wildcard in model.wildcards:
        spaces |= wildcard.namespaces or frozenset()
    start = _FIRST + len(model.usages) + 1
    for index, space in enumerate(sorted(spaces)):
        model._spaces[space] = chr(start + index)  # noqa: SLF001


Counts = dict[str, tuple[int, int]]
Pairs = set[tuple[str, str]]


class _Relations:
    """Per particle: how often each name comes, and which may come before which."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.elements: dict[str, Element] = {}

    def of(self, particle: Particle) -> tuple[Counts, Pairs]:
        if isinstance(particle, Wildcard):
            self.model.wildcards.append(particle)
            return {WILD: (particle.min, particle.max)}, set()
        if isinstance(particle, ElementUse):
            self.elements.setdefault(particle.element.name, particle.element)
            return {particle.element.name: (particle.min, particle.max)}, set()
        return self._group(particle)

    def _group(self, group: Group) -> tuple[Counts, Pairs]:
        parts = [self.of(item) for item in group.items]
        counts: Counts = {}
        pairs: Pairs = set()
        for names, inner in parts:
            pairs |= inner
            for name, span in names.items():
                counts[name] = _joined(counts.get(name), span, group.kind)
        if group.kind == "choice":
            for name in counts:
                low = min(names.get(name, (0, 0))[0] for names, _ in parts)
                counts[name] = (low, counts[name][1])
        elif group.kind == "sequence":
            for (left, _), (right, _) in combinations(parts, 2):
                pairs |= {(a, b) for a in left for b in right if a != b}
        if group.max not in {0, 1}:
            pairs |= set(permutations(counts, 2))
        return {n: _times(span, group.min, group.max) for n, span in counts.items()}, pairs


def _joined(one: tuple[int, int] | None, other: tuple[int, int], kind: str) -> tuple[int, int]:
    if one is None:
        return other
    unbounded = UNBOUNDED in {one[1], other[1]}
    if kind == "choice":
        return min(one[0], other[0]), UNBOUNDED if unbounded else max(one[1], other[1])
    return one[0] + other[0], UNBOUNDED if unbounded else one[1] + other[1]


def _times(span: tuple[int, int], low: int, high: int) -> tuple[int, int]:
    if span[1] == 0 or high == 0:
        return 0, 0
    unbounded = UNBOUNDED in {span[1], high}
    return span[0] * low, UNBOUNDED if unbounded else span[1] * high


def _order(names: list[str], pairs: Pairs) -> list[str] | None:
    if any((after, before) in pairs for before, after in pairs):
        return None
    graph: dict[str, set[str]] = {name: set() for name in names}
    for before, after in pairs:
        graph[after].add(before)
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return None


def _is_simple(group: Group) -> bool:
    if group.kind == "choice" or (group.min, group.max) != (1, 1):
        return False
    seen: set[str] = set()
    for item in group.items:
        if isinstance(item, Group) and not _is_simple(item):
            return False
        names = _names(item)
        if names & seen:
            return False
        seen |= names
    return True


def _names(particle: Particle) -> set[str]:
    if isinstance(particle, ElementUse):
        return {particle.element.name}
    if isinstance(particle, Wildcard):
        return {WILD}
    return set().union(*(_names(item) for item in particle.items))


def _has_all(group: Group) -> bool:
    return group.kind == "all" or any(
        _has_all(item) for item in group.items if isinstance(item, Group)
    )


class _Expression:
    """The regular expression of a content model."""

    def __init__(self, chars: dict[str, str], spaces: dict[str, str]) -> None:
        self._chars, self._spaces = chars, spaces

    def of(self, particle: Particle) -> str:
        if isinstance(particle, ElementUse):
            return _repeated(self._chars[particle.element.name], particle.min, particle.max)
        if isinstance(particle, Wildcard):
            return _repeated(self._class(particle), particle.min, particle.max)
        if not particle.items:
            return "" if particle.kind != "choice" or particle.min == 0 else r"(?!)"
        if particle.kind == "all":
            inner = self._any_order(particle)
        elif particle.max == UNBOUNDED and all(_nullable(each) for each in particle.items):
            return f"(?:{'|'.join(self._once(each) for each in particle.items)})*"
        else:
            joint = "|" if particle.kind == "choice" else ""
            inner = joint.join(self.of(each) for each in particle.items)
        return _repeated(f"(?:{inner})", particle.min, particle.max)

    def _once(self, particle: Particle) -> str:
        """A nullable particle inside a star, at least once: (a*b*)* is (a|b)*, without blow-up."""
        if isinstance(particle, ElementUse):
            return self._chars[particle.element.name]
        if isinstance(particle, Wildcard):
            return self._class(particle)
        return self.of(particle)

    def _any_order(self, group: Group) -> str:
        """Each at most once, the required ones somewhere; repetition is excluded by look-ahead."""
        chars = {self._chars[i.element.name]: i for i in group.items if isinstance(i, ElementUse)}
        rules = "".join(f"(?!.*{c}.*{c})" for c, i in chars.items() if i.max == 1)
        rules += "".join(f"(?=.*{c})" for c, i in chars.items() if i.min >= 1)
        return f"(?s:{rules}[{''.join(chars)}]*)" if chars else ""

    def _class(self, wildcard: Wildcard) -> str:
        found = "".join(c for n, c in self._chars.items() if wildcard.allows(split(n)[0]))
        found += "".join(
            c
            for space, c in self._spaces.items()
            if (wildcard.allows(space) if space != "##other" else wildcard.allows("\0"))
        )
        return f"[{found}]" if found else r"(?!)"


def _nullable(particle: Particle) -> bool:
    if particle.min == 0:
        return True
    if isinstance(particle, Group):
        checks = (_nullable(each) for each in particle.items)
        return any(checks) if particle.kind == "choice" else all(checks)
    return False


def _repeated(inner: str, low: int, high: int) -> str:
    if (low, high) == (1, 1):
        return inner
    if (low, high) == (0, 1):
        return f"(?:{inner})?"
    if high == UNBOUNDED:
        return f"(?:{inner})*" if low == 0 else f"(?:{inner}){{{low},}}"
    return f"(?:{inner}){{{low},{high}}}"
