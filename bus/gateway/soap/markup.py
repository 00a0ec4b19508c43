"""Writing small XML: nothing but elements and text, in the order given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, Char


def leaf(name: str | None, value: object, *, quoted: bool = False) -> str:
    """One element with text, or without a name the text alone.

    What XML cannot carry becomes U+FFFD: it is text for people, and an answer must be readable.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    entities = {"\r": "&#13;"} | ({'"': "&quot;"} if quoted else {})
    text = escape(_ILLEGAL.sub("\ufffd", text), entities)
    return text if name is None else f"<{name}>{text}</{name}>"


def tree(members: Mapping[str, object]) -> str:
    """Elements by name. A mapping nests, a sequence repeats, None is left out."""
    return "".join(_member(name, value) for name, value in members.items())


def _member(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return f"<{name}>{tree(value)}</{name}>"
    if isinstance(value, list | tuple):
        return "".join(_member(name, each) for each in value)
    return leaf(name, value)
