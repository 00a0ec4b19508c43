"""Personal data in what is shown: hidden until a person with a reason uncovers it.

Hidden is every text that is not known to be harmless: a name that nobody has thought of is masked.
"""

from __future__ import annotations

from typing import Any

import orjson

MASK = "•••"
PLAIN = frozenset(
    {
        *("kind", "lane", "sender", "senderRef", "sender_ref", "receivers", "order_key"),
        *("accepted_at", "expires_at", "sha256", "media_type", "trace", "warnings"),
        *("documentId", "document_id", "notation", "type_name", "promulgated", "due"),
        *("content_id", "relation", "code", "status", "timestamp", "at", "stepId", "step_id"),
        *("nationCode", "nation_code", "procedure", "procedureName", "procedureCode"),
        *("agency", "agencyCode", "agencyName", "channel", "received", "finished", "returned"),
        *("month", "until", "told", "total"),
    }
)
"""Members whose texts are codes, times and names of offices."""


def masked(value: Any, name: str = "") -> Any:
    """The same document with every other text hidden."""
    match value:
        case dict():
            return {key: masked(each, str(key)) for key, each in value.items()}
        case list():
            return [masked(each, name) for each in value]
        case str():
            return value if name in PLAIN or not value else MASK
        case _:
            return value


def pretty(text: str, *, open_: bool) -> str:
    """A JSON document as people read it, masked unless it was uncovered."""
    document = orjson.loads(text)
    shown = document if open_ else masked(document)
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
