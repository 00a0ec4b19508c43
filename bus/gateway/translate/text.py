"""Text as XML: escaped, and refused where XML 1.0 has no such character (section 2.2)."""

from __future__ import annotations

import re

from bus.gateway.translate.failure import Mismatch

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element_text(text: str) -> str:
    """`text` as the content of an element."""
    if not text.isprintable():  # the fast way is for text without controls and line ends
        if _FORBIDDEN.search(text):
            raise Mismatch(
                "xml", "a character that XML does not allow", "ký tự không được phép trong XML"
            )
        text = text.replace("&", "&amp;").replace("\r", "&#13;")
    elif "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return text


def attribute_text(text: str) -> str:
    """`text` as the value of an attribute in double quotes."""
    found = element_text(text).replace('"', "&quot;")
    if not found.isprintable():
        found = found.replace("\n", "&#10;").replace("\t", "&#9;")
    return found
