"""Spans: ids in the same trace, failures, and nothing at all when nobody listens."""

from __future__ import annotations

import pytest

from bus.engine.spans import Span, child, spanning

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def record(self, span: Span) -> None:
        self.spans.append(span)


def test_a_child_stays_in_the_trace_and_keeps_its_flags() -> None:
    made = child(PARENT)
    assert made != PARENT
    assert (made[:36], made[52:]) == (PARENT[:36], PARENT[52:])
    assert len(made) == len(PARENT)


def test_a_span_is_recorded_with_its_parent_and_its_failure() -> None:
    kept = Kept()
    with (
        spanning(kept, "accept", "internal", PARENT) as outer,
        spanning(kept, "inner", "client", outer.trace) as inner,
    ):
        inner.facts["n"] = 1
    with pytest.raises(ValueError, match="x"), spanning(kept, "bad", "client", PARENT):
        raise ValueError("x")
    first, second, bad = kept.spans
    assert (first.name, first.parent, first.facts) == ("inner", second.trace, {"n": 1})
    assert second.parent == PARENT
    assert 0 < second.began <= first.began <= first.ended <= second.ended
    assert (bad.failed, second.failed) == (True, False)


@pytest.mark.parametrize("parent", [PARENT, ""])
def test_nobody_listens_or_nothing_is_traced(parent: str) -> None:
    with spanning(None, "accept", "internal", parent) as span:
        assert span.trace == parent
    kept = Kept()
    with spanning(kept, "accept", "internal", "") as span:
        assert span.trace == ""
    assert kept.spans == []
