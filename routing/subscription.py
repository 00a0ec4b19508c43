"""Who gets dossiers, which name no receivers: the subscriptions, compiled for matching."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from routing.table import parse_pattern
from schemas.province import Subscription


class SubscriptionTable:
    """Subscriptions in order of names. All that fit count, each receiver once.

    Raises ConfigurationError for a pattern that cannot be read.
    """

    __slots__ = ("_compiled",)

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        ordered = sorted(subscriptions, key=lambda each: each.name)
        self._compiled = tuple(
            (each, frozenset[str](each.kinds), parse_pattern(each.sender)) for each in ordered
        )

    def __iter__(self) -> Iterator[Subscription]:
        return (each for each, *_ in self._compiled)

    def receivers(self, kind: str, sender: Collection[str]) -> dict[str, str]:
        """Codes of the receivers, with the name of the subscription each is first found in.

        `sender` holds every code of the sending agency.
        """
        found: dict[str, str] = {}
        for each, kinds, fits in self._compiled:
            if kind in kinds and fits(sender):
                for code in each.receivers:
                    found.setdefault(code, each.name)
        return found


NOBODY_SUBSCRIBES = SubscriptionTable(())
