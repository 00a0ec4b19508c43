"""The port: what the bus's service engine knows of a national service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.service import Changes

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who asks, and how long they wait."""

    agency: str  # mã cơ quan, on whose behalf
    officer: str = ""  # cán bộ tra cứu; personal operations demand one
    seconds: float = 30.0  # until the answer must be there
    trace: str = ""  # W3C traceparent to hand on


@dataclass(frozen=True, slots=True)
class NationalOperation:
    """What can be asked, in canonical JSON whatever the register itself speaks."""

    name: str
    title_vi: str
    title_en: str
    request: Json  # JSON Schema
    reply: Json  # JSON Schema
    idempotent: bool  # asking twice does no harm
    personal: bool  # about people: officer and purpose are demanded, accesses written down
    subjects: tuple[str, ...]  # members of the request that name the person
    changes: Changes | None = None  # what changed since a cursor can be asked


class NationalService(Protocol):
    """One declared national service, used by many calls at once."""

    name: str
    operations: Mapping[str, NationalOperation]

    async def call(self, operation: str, json: Json, context: CallContext) -> Json:
        """One attempt, without retries; whole within `context.seconds`. Safe to cancel.

        Raises PartnerError; NotFound (no such operation); ContractMismatch and InvalidRequest for
        what cannot be asked so; ConfigurationError when the partner does not know the bus.
        """
        ...
