"""What declared things of several kinds share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BreakerPolicy(Declared):
    """When a partner is left in peace, and how often one probe asks whether it is back."""

    failures: int = Field(5, ge=1, description="failures in a row, no success between")
    distinct: int = Field(3, ge=1, description="of at least so many different deliveries")
    probe_every: float = Field(5.0, gt=0, description="seconds between probes while open")
