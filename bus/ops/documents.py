"""What of documents concerns somebody now."""

from __future__ import annotations

from schemas.instant import SECOND, Instant

REFUSED_DAYS = 30
"""A refusal concerns its sender and its receiver for so long."""


def refused_since(now: Instant) -> Instant:
    return now - REFUSED_DAYS * 86_400 * SECOND
