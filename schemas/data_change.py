"""A change of a register, as it is pushed to an agency that subscribed to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

KIND: Literal["change"] = "change"


class DataChange(BaseModel):
    """One item of an operation's answer; what the agency may not see is withheld in it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    feed: str  # name of the subscription
    service: str
    operation: str
    change: Literal["changed", "removed"]
    item: Any
