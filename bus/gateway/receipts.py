"""The receipt as the sender gets it: made only from what was committed, so repeats are equal."""

from __future__ import annotations

from functools import lru_cache

import orjson
from starlette.responses import Response

from schemas.door import Accepted, Addressed
from schemas.instant import to_iso


def to_json(accepted: Accepted) -> bytes:
    """Shape: models.ReceiptAnswer. Written by hand, since this is the hot path."""
    return orjson.dumps(
        {
            "messageId": accepted.message_id,
            "messageRef": accepted.message_ref,
            "sender": accepted.sender,
            "sha256": accepted.sha256,
            "acceptedAt": to_iso(accepted.accepted_at),
            "receivers": orjson.Fragment(_receivers(accepted.receivers)),
        }
    )


@lru_cache(maxsize=1024)
def _receivers(receivers: tuple[Addressed, ...]) -> bytes:
    """Senders write to the same receivers again and again."""
    return orjson.dumps(receivers)


def response(accepted: Accepted) -> Response:
    """202 with the receipt; a repeat is told apart by a header only."""
    headers = {"Location": f"/api/v1/messages/{accepted.message_id}", "Cache-Control": "no-store"}
    if accepted.duplicate:
        headers["LGSP-Duplicate"] = "true"
    return Response(to_json(accepted), 202, headers, "application/json")
