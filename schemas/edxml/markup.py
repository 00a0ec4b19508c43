"""XML text of names, values and unknown elements, with the prefixes that strict receivers want."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from schemas.edxml.model import NAMESPACE, Element, Kept
from schemas.errors import MalformedPacket

PREFIX = "edXML:"

_XML = "http://www.w3.org/XML/1998/namespace"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_PREFIXES = {"http://www.w3.org/1999/xlink": "xlink"}

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, Char
_NOT_PLAIN = re.compile("[&<>\r" + _ILLEGAL.pattern[1:])
_NOT_PLAIN_ATTRIBUTE = re.compile('["\t\n&<>\r' + _ILLEGAL.pattern[1:])
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_ESCAPES |= {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}

# XML 1.0 (fifth edition) NameStartChar and NameChar, without the colon.
_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_URI = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*")  # RFC 3986; libxml2 refuses others
_NAME = re.compile(f"[{_START}][{_START}.0-9\u00b7\u0300-\u036f\u203f\u2040-]*")


def text(value: str, element: str) -> str:
    """Character data. Raises MalformedPacket on a character that XML cannot carry."""
    return _escaped(value, _NOT_PLAIN, element)


def attributes_of(kept: Kept, prefix: str) -> str:
    """What stands in a start tag behind the name, where `prefix` is PREFIX if it is in scope."""
    return _attributes(kept.attributes, prefixed=bool(prefix))


def elements_of(kept: Kept, prefix: str) -> str:
    """The unknown elements, written where `prefix` is PREFIX if it is in scope.

    Those of the standard's namespace take the prefix, all others the default namespace; Signature
    has none and so has all within: that is the form of the Java client.
    """
    return "".join(
        _element(each, default=NAMESPACE, prefixed=bool(prefix)) for each in kept.elements
    )


def _element(element: Element, *, default: str, prefixed: bool) -> str:
    space, local = _split(element.name)
    if space == NAMESPACE and local == "Signature":
        prefixed = False
    declared = ""
    if space == NAMESPACE and prefixed:
        tag = PREFIX + local
    elif space == _XML:
        tag = f"xml:{local}"
    else:
        tag = local
        if space != default:
            declared = f' xmlns="{_escaped(space, _NOT_PLAIN_ATTRIBUTE, local)}"'
            default = space
    inner = "".join(
        text(part, local)
        if isinstance(part, str)
        else _element(part, default=default, prefixed=prefixed)
        for part in element.content
    )
    attributes = _attributes(element.attributes, prefixed=prefixed)
    if not inner:
        return f"<{tag}{declared}{attributes}/>"
    return f"<{tag}{declared}{attributes}>{inner}</{tag}>"


def _attributes(attributes: Mapping[str, str], *, prefixed: bool) -> str:
    """Sorted, so that the same packet always gives the same bytes; prefixes are declared here."""
    parts = []
    declared: dict[str, str] = {}
    for name, value in sorted(attributes.items()):
        space, local = _split(name)
        if not space:
            tag = local
        elif space == _XML:
            tag = f"xml:{local}"
        elif space == NAMESPACE and prefixed:
            tag = PREFIX + local
        else:
            fresh = _PREFIXES.get(space, f"n{len(declared) + 1}")
            tag = f"{declared.setdefault(space, fresh)}:{local}"
        parts.append(f' {tag}="{_escaped(value, _NOT_PLAIN_ATTRIBUTE, local)}"')
    spaces = [
        f' xmlns:{prefix}="{_escaped(space, _NOT_PLAIN_ATTRIBUTE, prefix)}"'
        for space, prefix in declared.items()
    ]
    return "".join(spaces + parts)


@lru_cache(maxsize=256)
def _split(name: str) -> tuple[str, str]:
    """(namespace, local name). Raises MalformedPacket when it is no name of XML."""
    space, _, local = name.rpartition("}")
    named = _NAME.fullmatch(local) and _URI.fullmatch(space[1:]) and space[:1] in {"", "{"}
    if not named or space[1:] == _XMLNS:
        raise MalformedPacket(
            f"{name[:100]!r} is not a name of XML", vi=f"{name[:100]!r} không phải tên XML"
        )
    return space[1:], local


def _escaped(value: str, not_plain: re.Pattern[str], element: str) -> str:
    if not not_plain.search(value):
        return value
    illegal = _ILLEGAL.search(value)
    if illegal:
        code = f"U+{ord(illegal[0]):04X}"
        raise MalformedPacket(
            f"{element} holds the character {code}, which XML 1.0 cannot carry",
            vi=f"{element} chứa ký tự {code} mà XML 1.0 không cho phép",
            element=element,
        )
    return not_plain.sub(lambda found: _ESCAPES[found[0]], value)
