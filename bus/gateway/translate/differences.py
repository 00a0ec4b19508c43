"""What changes for callers when one contract takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bus.gateway.translate.json_schema import Schemas

if TYPE_CHECKING:
    from bus.gateway.translate.contract import Contract
    from bus.gateway.translate.message import Message

Json = dict[str, Any]
Side = Literal["", "request", "reply"]

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
    """In order of operations, then of members."""
    found: list[Difference] = []
    for name in sorted(old.operations.keys() | new.operations.keys()):
        before, after = old.operations.get(name), new.operations.get(name)
        if before is None or after is None:
            gone = after is None
            words = ("operation", "") if gone else ("", "operation")
            found.append(Difference(name, "", "", *words, breaks=gone))
            continue
        found += _side(name, "request", _flat(before.request, old), _flat(after.request, new))
        found += _side(name, "reply", _flat(before.reply, old), _flat(after.reply, new))
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


def _flat(message: Message, contract: Contract) -> dict[str, str]:
    """What each member is, by path."""
    schemas = Schemas(contract.plan)
    root = schemas.message(message)
    out: dict[str, str] = {}
    _walk(root, schemas.components(), "", "", (), out)
    return out


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
