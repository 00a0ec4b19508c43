"""SOAP header blocks that the contract does not name: they are between two neighbours."""

from __future__ import annotations

from typing import Any


def without_strangers(message: dict[str, Any]) -> dict[str, Any]:
    """The message as the contract has it.

    What else stands in the header is for the bus: a caller's password, or the identifiers that a
    partner's own network puts there. Neither goes on to the other side.
    """
    headers = message.get("#headers")
    if not isinstance(headers, dict) or "#any" not in headers:
        return message
    kept = {key: value for key, value in headers.items() if key != "#any"}
    rest = {key: value for key, value in message.items() if key != "#headers"}
    return rest | ({"#headers": kept} if kept else {})
