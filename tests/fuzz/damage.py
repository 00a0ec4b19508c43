"""How samples are damaged: pieces cut out, put in, doubled, or taken from another sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
TIMEOUT = 120 + EXAMPLES // 5
"""Seconds for all examples of one test."""

PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=timedelta(seconds=10),  # for one example: longer is a hang
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
places = st.lists(st.integers(0, 1 << 20), max_size=5)


def edits(
    harm: st.SearchStrategy[bytes], between: Sequence[bytes] = ()
) -> st.SearchStrategy[list[tuple[int, int, bytes]]]:
    """(place, length cut out there, what is put in its stead).

    A length of -1 puts one of `between` in front of a tag, so that the sample mostly stays
    well-formed.
    """
    length = st.sampled_from((0, 1)) | st.integers(0, 120)
    one = st.tuples(st.integers(0, 1 << 20), length, harm)
    if between:
        one |= st.tuples(st.integers(0, 1 << 20), st.just(-1), st.sampled_from(between))
    return st.lists(one, min_size=1, max_size=3)


@st.composite
def damaged(
    draw: st.DrawFn,
    samples: Sequence[bytes],
    edits: st.SearchStrategy[list[tuple[int, int, bytes]]],
) -> bytes:
    data = draw(st.sampled_from(samples))
    for place, length, piece in draw(edits):
        start = place % (len(data) + 1)
        if length < 0:
            start = max(data.find(b"<", start), 0)
        data = data[:start] + piece + data[start + max(length, 0) :]
    if draw(st.integers(0, 4)) == 0:
        other = draw(st.sampled_from(samples))
        start, end = sorted(draw(st.tuples(st.integers(0, len(other)), st.integers(0, len(other)))))
        at = draw(st.integers(0, len(data)))
        data = data[:at] + other[start:end] + data[at:]
    return data


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]
