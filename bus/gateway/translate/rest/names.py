"""Names of JSON as names of XML.

A character that an XML name may not have is written `_xHHHH_`, its code point in at least four
hexadecimal digits; so is an underscore that would make a name read like such an escape.  Letters
of Vietnamese stay as they are.  The empty name is `_x_`.
"""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"[^A-Za-z0-9_.\-À-ÖØ-öø-ıĴ-ľŁ-ňŊ-žƀ-ǃẠ-ỹ]")
_FIRST = re.compile(r"[0-9.\-]")
_LIKE_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4})|^_(?=x_$)")
_ESCAPE = re.compile(r"_x([0-9A-F]{4,6})_")


def xml_name(name: str) -> str:
    """`name` as an NCName, which `json_name` turns back."""
    if not name:
        return "_x_"
    safe = _LIKE_ESCAPE.sub("_x005F_", name)
    safe = _OUTSIDE.sub(lambda found: _escaped(found[0]), safe)
    if _FIRST.match(safe):
        return _escaped(safe[0]) + safe[1:]
    return safe


def json_name(name: str) -> str:
    return "" if name == "_x_" else _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def _escaped(character: str) -> str:
    return f"_x{ord(character):04X}_"


class Names:
    """Names given out once each: a second `A` is `A2`."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def copy(self) -> Names:
        return Names(*self._taken)

    def unique(self, name: str) -> str:
        found, number = name, 2
        while found in self._taken:
            found, number = f"{name}{number}", number + 1
        self._taken.add(found)
        return found
