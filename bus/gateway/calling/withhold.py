"""What a caller may not see of a reply comes back as withheld, never silently absent.

TT 13/2017/TT-BTTTT asks for three states: has a value, has none, has one that is not for this
caller. The third is `{"#withheld": true}` (deploy/docs/xml-json-mapping.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from schemas.service import ALL

WITHHELD: dict[str, Any] = {"#withheld": True}
_KEPT = frozenset({"#type", "#nil", "#withheld"})
_ATTACHMENTS = "#attachments"

Tree = dict[str, "Tree | bool"]
"""What may be seen below a member; True: all of it."""


@lru_cache(maxsize=1024)
def _tree(fields: tuple[str, ...]) -> Tree:
    tree: Tree = {}
    for path in fields:
        node = tree
        *steps, last = path.split("/")
        for step in steps:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                break  # all of it may be seen already
            node = below
        else:
            node[last] = True
    return tree


def withhold(value: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """The message with everything replaced that none of `fields` allows."""
    return dict(value) if ALL in fields else _object(value, _tree(fields))


def _object(value: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    return {key: _member(key, each, tree) for key, each in value.items() if key != "#lexical"} | (
        _lexical(value["#lexical"], tree) if "#lexical" in value else {}
    )


def _member(key: str, value: Any, tree: Tree) -> Any:
    if key in _KEPT:
        return value
    if key in {"#content", "#any"} and isinstance(value, list) and tree.get(key) is not True:
        return [_item(each, tree) for each in value]
    return _value(key, value, tree.get(key))


def _item(item: Any, tree: Tree) -> Any:
    """One piece of content in document order: text, or an element under its name."""
    if isinstance(item, dict):
        return {key: _member(key, each, tree) for key, each in item.items()}
    return item if tree.get("#text") is True else ""


def _value(key: str, value: Any, allowed: Tree | bool | None) -> Any:
    if allowed is True:
        return value
    if key == _ATTACHMENTS and isinstance(value, list):
        return [_emptied(each) for each in value]
    if isinstance(allowed, dict) and isinstance(value, dict):
        return _object(value, allowed)
    if isinstance(allowed, dict) and isinstance(value, list):
        return [_object(each, allowed) if isinstance(each, dict) else WITHHELD for each in value]
    return [WITHHELD] if isinstance(value, list) else WITHHELD


def _emptied(attachment: Mapping[str, Any]) -> dict[str, Any]:
    """An attachment stays one, in SOAP too."""
    kind = "application/vnd.lgsp.withheld"
    return {"contentId": attachment.get("contentId", ""), "contentType": kind, "data": ""}


def _lexical(lexical: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    """How seen values were written; of the others that would tell them."""
    seen = {k: text for k, text in lexical.items() if tree.get(k.partition("/")[0]) is True}
    return {"#lexical": seen} if seen else {}


def for_soap(value: Any) -> Any:
    """The same where XML has no place for the mark: a withheld attribute is left out, and an
    element whose text is withheld is withheld.
    """
    if isinstance(value, list):
        return [for_soap(each) for each in value]
    if not isinstance(value, dict) or value == WITHHELD:
        return value
    if value.get("#text") == WITHHELD:
        return WITHHELD
    return {
        key: for_soap(each)
        for key, each in value.items()
        if not (key.startswith("@") and each == WITHHELD)
    }


def seen(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the values that a message shows, arrays without their numbers."""
    if isinstance(value, list):
        for each in value:
            yield from seen(each, path)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in {"#content", "#any"}:
                yield from seen(each, path)
            elif key not in {"#lexical", *_KEPT}:
                yield from seen(each, f"{path}/{key}" if path else key)
    elif path:
        yield path


def values_at(value: Any, path: str) -> Iterator[str]:
    """Texts and numbers at a path, from every item of the arrays on the way."""
    if isinstance(value, list):
        for each in value:
            yield from values_at(each, path)
    elif path and isinstance(value, dict):
        step, _, rest = path.partition("/")
        if step in value:
            yield from values_at(value[step], rest)
        elif "#content" in value:
            yield from values_at(value["#content"], path)
    elif isinstance(value, dict):
        yield from values_at(value.get("#text"), "")
    elif not path and isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)
