"""Percentiles made of buckets lie where the exact ones lie, whoever counted what and when."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.ops.latency import BOUNDS, bound_of, percentile

DAY = 86_400_000
_took = st.one_of(st.integers(0, 40), st.integers(0, 30_000), st.integers(0, DAY))
_shares = st.sampled_from((0.5, 0.95, 0.99)) | st.floats(0.01, 1)


def _bucket(milliseconds: float, longest: int) -> tuple[int, int]:
    """Its edges, found without the code that is judged."""
    low = 0
    for bound in BOUNDS[:-1]:
        if milliseconds <= bound:
            return low, bound
        low = bound
    return low, max(BOUNDS[-1], longest)


def _exact(calls: list[int], share: float) -> int:
    """Nearest rank, counted out: the least value that at least this share does not exceed."""
    return next(v for v in sorted(calls) if sum(c <= v for c in calls) >= share * len(calls))


@given(calls=st.lists(_took, min_size=1, max_size=60), share=_shares)
def test_a_percentile_is_within_the_bucket_of_the_exact_one(calls: list[int], share: float) -> None:
    exact, longest = _exact(calls, share), max(calls)
    found = percentile(Counter(map(bound_of, calls)), share, longest=longest)
    assert found is not None
    low, high = _bucket(exact, longest)
    assert low <= found <= min(high, longest)
    assert abs(found - exact) <= high - low


@given(parts=st.lists(st.lists(_took, max_size=20), min_size=1, max_size=5), share=_shares)
def test_what_several_counted_adds_up_to_what_one_would_have_counted(
    parts: list[list[int]], share: float
) -> None:
    together = [each for part in parts for each in part]
    added: Counter[int] = Counter()
    for part in parts:
        added.update(map(bound_of, part))
    longest = max(together, default=0)
    one = percentile(Counter(map(bound_of, together)), share, longest=longest)
    assert percentile(added, share, longest=longest) == one


@given(calls=st.lists(_took, min_size=1, max_size=60))
def test_a_greater_share_takes_no_less_and_all_take_the_longest(calls: list[int]) -> None:
    spread, longest = Counter(map(bound_of, calls)), max(calls)
    found = [percentile(spread, share, longest=longest) or 0 for share in (0.1, 0.5, 0.95, 0.99, 1)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(longest)


def test_there_are_few_buckets_and_each_is_narrow() -> None:
    assert len(BOUNDS) < 50
    assert BOUNDS[:10] == (1, 2, 3, 4, 6, 8, 11, 16, 23, 32)
    assert BOUNDS[-1] > 2 * 3_600_000
    assert all(high / (low + 1) <= 1.42 for low, high in pairwise(BOUNDS) if low >= 16)
    assert all(high - low <= 5 for low, high in pairwise(BOUNDS) if high <= 16)


def test_edges_belong_to_the_bucket_that_they_end() -> None:
    assert [bound_of(each) for each in (0, 1, 2, 5, 6, 7, 16, 17)] == [1, 1, 2, 6, 6, 8, 16, 23]
    assert bound_of(BOUNDS[-1] + 1) == BOUNDS[-1] == bound_of(BOUNDS[-1])
    assert bisect_left(BOUNDS, bound_of(20_000)) > 0


def test_of_no_calls_there_is_no_percentile() -> None:
    assert percentile({}, 0.5, longest=0) is None
