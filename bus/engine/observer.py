"""What the engine tells whoever measures it. It knows no metrics library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bus.engine.spans import Spans


@dataclass(frozen=True, slots=True)
class News:
    """What one message says about the system that sent it."""

    as_: Literal["new", "duplicate", "conflict"]  # conflict: a known id with other content
    warnings: tuple[str, ...] = ()  # what the reader put up with
    lag: float | None = None  # seconds from when it says it was sent to when it came


class Observer(Protocol):
    @property
    def spans(self) -> Spans | None:
        """Where spans go; None: nobody wants them."""

    def accepted(self, kind: str, lane: str, seconds: float) -> None:
        """A new message was committed; `seconds` from the end of its body to the commit."""

    def heard(self, sender: str, news: News) -> None:
        """The sender's system has spoken, and this is what was noticed about how it does."""

    def attempted(self, endpoint: str, result: str, seconds: float) -> None:
        """One attempt ended with this `schemas.adapter.Result`."""

    def finished(self, endpoint: str, state: str, seconds_since_accept: float) -> None:
        """A delivery was delivered, rejected or dead."""

    def acknowledged(self, state: str) -> None:
        """A receiver that fetches has said what became of a delivery."""

    def breaker(self, endpoint: str, open_: bool) -> None: ...

    def published(self, endpoint: str, count: int) -> None:
        """So many deliveries were handed to the broker."""

    def batch(self, kind: str, size: int, seconds: float) -> None:
        """A group commit."""

    def polled(self, endpoint: str, taken: int | None) -> None:
        """A round of fetching brought so many packets; None: it failed."""


class Silent:
    """Measures nothing."""

    spans: Spans | None = None

    def accepted(self, kind: str, lane: str, seconds: float) -> None: ...

    def heard(self, sender: str, news: News) -> None: ...

    def attempted(self, endpoint: str, result: str, seconds: float) -> None: ...

    def finished(self, endpoint: str, state: str, seconds_since_accept: float) -> None: ...

    def acknowledged(self, state: str) -> None: ...

    def breaker(self, endpoint: str, open_: bool) -> None: ...

    def published(self, endpoint: str, count: int) -> None: ...

    def batch(self, kind: str, size: int, seconds: float) -> None: ...

    def polled(self, endpoint: str, taken: int | None) -> None: ...
