"""A pattern of JSON Schema (ECMA-262) as one of XSD, where both mean the same."""

from __future__ import annotations

import re

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \t\n\r"}
_TOKEN = re.compile(
    r"\\(?P<escape>[dws.\\/()\[\]{}?*+|^$-])"
    r"|\[(?P<negated>\^?)(?P<set>(?:\\[dws.\\/()\[\]{}?*+|^$-]|[^\\\[\]^])+)\]"
    r"|(?P<open>\((?:\?:)?)(?!\?)|(?P<close>\))|(?P<or>\|)"
    r"|(?P<many>(?:[?*+]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})(?![?*+{]))"
    r"|(?P<plain>[^\\\[\](){}?*+|^$])"
)
_SPECIAL = set(".\\?*+{}()[]|^-")


def xsd_pattern(pattern: str) -> str | None:
    """None where the meaning would differ: look-around, `^` or `$` inside, unanchored …"""
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        return None
    body, at, depth, out = pattern[1:-1], 0, 0, []
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None:
            return None
        at = token.end()
        depth += (token["open"] is not None) - (token["close"] is not None)
        if depth < 0 or (token["or"] and not depth):
            return None
        out.append(_written(token))
    return "".join(out) if not depth else None


def _written(token: re.Match[str]) -> str:
    if token["escape"]:
        letter = token["escape"]
        return f"[{_CLASSES[letter]}]" if letter in _CLASSES else _literal(letter)
    if token["set"]:
        return f"[{token['negated']}{_set(token['set'])}]"
    if token["open"]:
        return "("
    if token["plain"] == ".":
        return "[^\n\r]"
    return token[0]


def _set(text: str) -> str:
    if text.startswith("-") or text.endswith("-"):
        text = text.strip("-") + "\\-"
    return re.sub(r"\\(.)", lambda f: _CLASSES.get(f[1]) or _literal(f[1]), text)


def _literal(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
