"""What changes for callers when one contract takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bus.gateway.translate.contract import Contract

Json = dict[str, Any]
Side = Literal["", "request", "reply"]

_SIDES: tuple[Side, ...] = ("request", "reply")
_OURS = frozenset({"#type", "#nil", "#lexical"})
_WORDS = frozenset({"description", "example", "title"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One operation or one of its members; `old` or `new` is empty where it is not there."""

    operation: str
    side: Side  # empty: the operation itself
    path: str  # of the member, steps separated by `/`
    old: str
    new: str
    breaks: bool  # a caller made for the old contract may fail


def differences(old: Contract, new: Contract) -> list[Difference]:
    """In order of operations, then of members; of operations that can be called."""
    found: list[Difference] = []
    before, after = _described(old), _described(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            gone = name not in after
            words = ("operation", "") if gone else ("", "operation")
            found.append(Difference(name, "", "", *words, breaks=gone))
            continue
        for side in _SIDES:
            found += _side(name, side, before[name][side], after[name][side])
    return found


def _side(name: str, side: Side, old: dict[str, str], new: dict[str, str]) -> list[Difference]:
    return [
        Difference(
            name,
            side,
            path,
            old.get(path, ""),
            new.get(path, ""),
            breaks=_breaks(side, old.get(path, ""), new.get(path, "")),
        )
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def _breaks(side: Side, old: str, new: str) -> bool:
    """What is new may be left out of a request, or be ignored in a reply."""
    if not old:
        return side == "request" and new.startswith("required")
    return True


def _described(contract: Contract) -> dict[str, dict[Side, dict[str, str]]]:
    """Of each operation and side, what each member is, by path: as OpenAPI tells it callers."""
    document = contract.openapi()
    components = document["components"]["schemas"]
    found: dict[str, dict[Side, dict[str, str]]] = {}
    for methods in document["paths"].values():
        post = methods["post"]
        bodies: dict[Side, Json] = {
            "request": post["requestBody"],
            "reply": post["responses"].get("200", {}),
        }
        sides = found[post["operationId"]] = {}
        for side, body in bodies.items():
            out: dict[str, str] = {}
            schema = body.get("content", {}).get("application/json", {}).get("schema", {})
            _walk(schema, components, "", "", (), out)
            sides[side] = out
    return found


def _walk(
    schema: Json,
    components: dict[str, Json],
    path: str,
    prefix: str,
    within: tuple[str, ...],
    out: dict[str, str],
) -> None:
    reference = schema.get("$ref", "")
    if reference:
        name = reference.rpartition("/")[2]
        if name in within:
            out[path] = f"{prefix}again {name}"
            return
        _walk(components[name], components, path, prefix, (*within, name), out)
        return
    branches = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    for branch in branches:
        _walk(branch, components, path, prefix, within, out)
    if schema.get("type") == "array":
        out[path] = f"{prefix}array"
        _walk(schema.get("items", {}), components, path, f"{prefix}array of ", within, out)
    elif "properties" in schema:
        out.setdefault(path, f"{prefix}object")
        for key, below in schema["properties"].items():
            if key not in _OURS:
                must = "required " if key in schema.get("required", ()) else ""
                _walk(below, components, f"{path}/{key}".lstrip("/"), must, within, out)
    elif not branches:
        rules = ", ".join(f"{k} {v}" for k, v in sorted(schema.items()) if k not in _WORDS)
        known = out.get(path, "")
        out[path] = f"{known} or {rules}" if known and rules not in known else f"{prefix}{rules}"
