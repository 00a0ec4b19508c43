"""W3C Trace Context."""

from __future__ import annotations

import re

import pytest

from bus.ops import tracing

FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_new_traces_are_well_formed_and_differ() -> None:
    traces = {tracing.start() for _ in range(100)}
    assert len(traces) == 100
    assert all(FORM.fullmatch(each) for each in traces)


@pytest.mark.parametrize("flags", ["00", "01"])
def test_the_callers_trace_goes_on_under_a_span_of_our_own(flags: str) -> None:
    ours = tracing.follow(f"00-{TRACE}-{SPAN}-{flags}")
    assert FORM.fullmatch(ours)
    assert tracing.trace_id(ours) == TRACE
    assert SPAN not in ours
    assert ours.endswith(flags)


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert tracing.trace_id(tracing.follow(f"01-{TRACE}-{SPAN}-01-more")) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\r\nx: y",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_malformed_starts_a_new_trace(header: str) -> None:
    ours = tracing.follow(header)
    assert FORM.fullmatch(ours)
    assert TRACE not in ours
