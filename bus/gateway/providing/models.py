"""What the doors of this package answer."""

from __future__ import annotations

from typing import Literal

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
