"""What the doors of this package answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bus.gateway.models import Wire


class JobAnswer(Wire):
    """Lô: how far the bus has come with it."""

    id: str
    service: str
    operation: str
    agency: str
    state: Literal["queued", "running", "done", "cancelled"]
    total: int = Field(description="questions")
    answered: int
    failed: int = Field(description="of those answered: whose line holds a problem")
    created_at: str
    finished_at: str | None
    expires_at: str = Field(description="then it is removed, with its results")
    results: str = Field(description="where they are read")


class JobPage(Wire):
    items: list[JobAnswer]


class ChangesQuestion(Wire):
    """What is asked of an operation that tells what changed."""

    cursor: str = Field("", description="of the last answer; empty: everything there is")
    request: dict[str, Any] = Field({}, description="the operation's other members")


class ChangesAnswer(Wire):
    """Phần thay đổi. An answer without items: nothing has changed since its question's cursor."""

    cursor: str = Field(description="for the next question; keep it once these items are kept")
    changed: list[Any] = Field(description="new, or other than before; as the contract has them")
    removed: list[Any] = Field(description="no longer there")
