"""The content of a delivery for adapters that write it anew: read as a whole, and checked."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator

from adapters.upload import PIECE, Upload
from schemas.adapter import OutboundDelivery, Outcome, Result
from schemas.errors import Unavailable


async def read_whole(delivery: OutboundDelivery) -> bytes | Outcome:
    """The bytes, or why there are none: no fault of the partner, and nothing was sent."""
    try:
        content = b"".join([piece async for piece in delivery.read()])
    except Exception as error:  # noqa: BLE001 - whatever the store raises, nothing was sent
        detail = f"The content could not be read ({type(error).__name__})."
        return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=detail)
    if len(content) != delivery.size or hashlib.sha256(content).hexdigest() != delivery.sha256:
        detail = "The content is not what the ledger says."
        return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=detail)
    return content


def as_body(content: bytes, media_type: str) -> bytes | Upload:
    """A large one is written in pieces, so that others get their turn."""
    return content if len(content) <= PIECE else Upload(_once(content), len(content), media_type)


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
