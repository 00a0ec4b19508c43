"""Spans of traces: which part of a message's way took how long. Nobody listens: nothing is made.

The bus makes its ids itself (W3C Trace Context), because a message's trace outlives processes: it
lies in the ledger and goes on, days later, with the next attempt.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

SpanKind = Literal["server", "client", "producer", "internal"]
Fact = str | int | float | bool


@dataclass(slots=True)
class Span:
    """Times in nanoseconds since 1970. `trace` and `parent` are traceparents; no parent: empty.

    Facts hold names of configuration and fixed words: a trace leaves the bus.
    """

    name: str
    kind: SpanKind
    trace: str
    parent: str
    began: int
    ended: int = 0
    failed: bool = False
    facts: dict[str, Fact] = field(default_factory=dict)


class Spans(Protocol):
    def record(self, span: Span) -> None:
        """Takes a span that has ended. Returns at once."""


def child(parent: str) -> str:
    """A traceparent in the same trace."""
    return f"{parent[:36]}{secrets.token_hex(8)}{parent[52:]}"


@contextmanager
def spanning(spans: Spans | None, name: str, kind: SpanKind, parent: str) -> Iterator[Span]:
    """A span around what is inside; its `trace` is what is handed on."""
    if spans is None or not parent:
        yield Span(name, kind, parent, "", 0)
        return
    span = Span(name, kind, child(parent), parent, time.time_ns())
    try:
        yield span
    except BaseException:
        span.failed = True
        raise
    finally:
        span.ended = time.time_ns()
        spans.record(span)
