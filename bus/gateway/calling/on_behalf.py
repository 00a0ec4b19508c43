"""Officer and purpose that a question to a national register says itself, beside its other members.

Contracts of national registers carry them in the message; whoever writes such a message has them
there, not in headers of HTTP. They are taken out: what is asked is the rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from bus.gateway.national import NationalCall
from bus.gateway.translate import Operation

MEMBERS = ("officer", "purpose")


class Said(NamedTuple):
    """As it stands in the question; nothing is checked yet."""

    officer: object = None
    purpose: object = None


NOTHING = Said()


def may_say(operation: Operation) -> bool:
    """Only of registers whose own messages name the officer: elsewhere these are ordinary names."""
    return isinstance(operation, NationalCall) and operation.settings.personal is not None


def taken(question: bytes) -> tuple[Said, bytes | dict[str, Any]]:
    """What it says of them, and the question without; what is no JSON object is left to others."""
    try:
        found = orjson.loads(question)
    except orjson.JSONDecodeError:
        return NOTHING, question
    if not isinstance(found, dict) or not found.keys() & set(MEMBERS):
        return NOTHING, question
    said = Said(*(found.pop(name, None) for name in MEMBERS))
    return said, found
