"""How long calls took, in a few fixed buckets that any number of processes and hours add up to.

A bucket has an upper bound in milliseconds, a power of the square root of two rounded to a whole
number: 1, 2, 3, 4, 6, 8, 11, 16, 23, 32 … Percentiles made of them lie in the bucket in which the
exact one lies: within 42 % of it beyond 16 ms, within a few milliseconds below.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

BOUNDS: Final = tuple(sorted({round(2 ** (half / 2)) for half in range(47)}))
"""Milliseconds, up to more than two hours; what took longer is in the last bucket."""

SHARES: Final = (0.5, 0.95, 0.99)
"""Of the percentiles that are shown."""

Spread = Mapping[int, int]
"""Calls by the upper bound of their bucket."""


def bound_of(milliseconds: int) -> int:
    """Of the bucket in which a call of this length is counted."""
    return BOUNDS[min(bisect_left(BOUNDS, milliseconds), len(BOUNDS) - 1)]


def percentile(spread: Spread, share: float, *, longest: int) -> float | None:
    """Milliseconds within which this share of the calls ended (nearest rank); None: no calls.

    `longest`: of these calls, or longer.
    """
    rank = max(1, math.ceil(share * sum(spread.values())))
    before = 0
    for bound, count in sorted(spread.items()):
        if before + count >= rank:
            low, high = _edges(bound, longest)
            return low + (high - low) * (rank - before) / count
        before += count
    return None


def _edges(bound: int, longest: int) -> tuple[int, int]:
    """None of the calls in the bucket took longer than the longest of all."""
    place = bisect_left(BOUNDS, bound)
    low = BOUNDS[place - 1] if place else 0
    if bound >= BOUNDS[-1]:
        return low, max(low, longest)
    return low, max(low, min(bound, longest))
