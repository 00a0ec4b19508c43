"""The route table: exceptions to delivery by directory, compiled for matching."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from schemas.errors import ConfigurationError
from schemas.province import Route

Matcher = Callable[[Collection[str]], bool]
"""Whether a pattern fits one of an agency's codes."""


def parse_pattern(pattern: str) -> Matcher:
    """`H38.14` one code, `H38.*` a prefix, `*.H38` a suffix, `*` everything.

    Raises ConfigurationError for a `*` anywhere else.
    """
    tidied = "".join(pattern.split()).upper()
    fixed = tidied.strip("*")
    if tidied == "*":
        return lambda _codes: True
    if fixed and "*" not in fixed:
        if tidied == fixed:
            return lambda codes: fixed in codes
        if tidied == f"{fixed}*":
            return lambda codes: any(code.startswith(fixed) for code in codes)
        if tidied == f"*{fixed}":
            return lambda codes: any(code.endswith(fixed) for code in codes)
    raise ConfigurationError(
        f"pattern {pattern[:50]!r}: '*' may stand alone, at the beginning or at the end",
        vi=f"mẫu {pattern[:50]!r}: dấu '*' chỉ được đứng một mình, ở đầu hoặc ở cuối",
    )


class RouteTable:
    """Routes in the order they are tried: by priority, then by name.

    A pattern is held against every code of the agency in force (its own and its aliases), so a
    route means the same however the sender wrote the code.
    Raises ConfigurationError for a pattern that cannot be read.
    """

    __slots__ = ("_compiled",)

    def __init__(self, routes: Iterable[Route]) -> None:
        ordered = sorted(routes, key=lambda route: (route.priority, route.name))
        self._compiled = tuple(
            (
                route,
                frozenset(route.kinds),
                parse_pattern(route.sender),
                parse_pattern(route.receiver),
            )
            for route in ordered
        )

    def __len__(self) -> int:
        return len(self._compiled)

    def __iter__(self) -> Iterator[Route]:
        return (route for route, *_ in self._compiled)

    def first_match(
        self, kind: str, sender: Collection[str], receiver: Collection[str]
    ) -> Route | None:
        """The first route that fits the kind of message and all codes of both agencies."""
        for route, kinds, fits_sender, fits_receiver in self._compiled:
            if (not kinds or kind in kinds) and fits_sender(sender) and fits_receiver(receiver):
                return route
        return None
