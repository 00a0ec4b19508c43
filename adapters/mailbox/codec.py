"""The listing and the acknowledgement as they travel; no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.message import Lane


class _Wire(BaseModel):
    """Reads camelCase; new fields may appear in later versions and are ignored by clients."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Item(_Wire):
    """One delivery that waits."""

    delivery_id: int = Field(alias="deliveryId")
    message_id: str = Field(alias="messageId", min_length=1)  # the idempotency key of the receiver
    kind: str
    sender: str
    receiver: str
    size: int
    sha256: str
    accepted_at: str = Field(alias="acceptedAt")
    lane: Lane
    subject: str = ""


class Listing(_Wire):
    """One page of what waits, oldest first within each lane."""

    items: tuple[Item, ...]
    next: str | None = None  # cursor of the next page


class Ack(NamedTuple):
    """The receiver's word about one delivery; repeating it changes nothing."""

    result: Literal["delivered", "rejected"]
    receipt: str = ""  # the receiver's own number for it
    reason: str = ""  # why it was rejected

    def to_json(self) -> bytes:
        return orjson.dumps({name: value for name, value in self._asdict().items() if value})


def chunked(items: tuple[Item, ...], size: int) -> Iterator[tuple[Item, ...]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
