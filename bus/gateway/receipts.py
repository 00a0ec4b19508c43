"""The receipt as the sender gets it: made only from what was committed, so repeats are equal."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from starlette.responses import Response

from bus.ledger.records import Receipt
from schemas.instant import to_iso


def to_json(receipt: Receipt) -> bytes:
    """Shape: models.ReceiptAnswer. Written by hand, since this is the hot path."""
    return orjson.dumps(
        {
            "messageId": receipt.message_id,
            "messageRef": receipt.sender_ref,
            "sender": receipt.sender,
            "sha256": receipt.sha256,
            "acceptedAt": to_iso(receipt.accepted_at),
            "receivers": orjson.Fragment(_receivers(receipt.decision)),
        }
    )


@lru_cache(maxsize=1024)
def _receivers(decision: str) -> bytes:
    """Senders write to the same receivers again and again: equal decisions are equal texts."""
    return orjson.dumps([_receiver(each) for each in orjson.loads(decision)["receivers"]])


def _receiver(decided: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": decided["addressed"],
        "agency": decided["agency"],
        "name": decided["name"],
        "outcome": decided["outcome"],
        "endpoint": decided["endpoint"],
    }


def response(receipt: Receipt) -> Response:
    """202 with the receipt; a repeat is told apart by a header only."""
    headers = {"Location": f"/api/v1/messages/{receipt.message_id}", "Cache-Control": "no-store"}
    if receipt.duplicate:
        headers["LGSP-Duplicate"] = "true"
    return Response(to_json(receipt), 202, headers, "application/json")
