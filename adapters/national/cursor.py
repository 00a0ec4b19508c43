"""A cursor that holds what its owner has seen: the register itself does not say what changed.

A digest for each code, packed; 2,000 procedures are about 20,000 characters.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import orjson

MAX_CURSOR = 400_000
"""Characters."""

_MAX_UNPACKED = 4_000_000  # bytes


def digest(text: str) -> str:
    """Eight hexadecimal digits: of 2,000 changes one in two million goes unseen."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pack(seen: Mapping[str, str]) -> str:
    written = orjson.dumps(seen, option=orjson.OPT_SORT_KEYS)
    return urlsafe_b64encode(zlib.compress(written, 9)).decode()


def unpack(cursor: str) -> dict[str, str]:
    """Raises ValueError for what `pack` did not make."""
    try:
        inflate = zlib.decompressobj()
        written = inflate.decompress(urlsafe_b64decode(cursor), _MAX_UNPACKED)
        found = orjson.loads(written)
    except (zlib.error, ValueError):
        msg = "not a cursor of this service"
        raise ValueError(msg) from None
    good = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
    if not good or inflate.unconsumed_tail:
        msg = "not a cursor of this service"
        raise ValueError(msg)
    return dict(found)


def checked(cursor: str) -> str:
    """For a question's model. Raises ValueError."""
    if cursor:
        unpack(cursor)
    return cursor
