"""JSON values that a schema of OpenAPI allows, generated from the schema itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from bus.gateway.translate.rest.document import Document
from bus.gateway.translate.rest.flat import flat

DEPTH = 4
_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r &<>\"']"),
    max_size=8,
)
_WHOLE = st.integers(-(2**70), 2**70)
_EXACT = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25)
_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda at: f"{at.isoformat()}+07:00"),
    "time": st.times().map(lambda at: f"{at.isoformat()}Z"),
    "duration": st.sampled_from(["P1D", "PT36H", "P1Y2M10DT2H30M"]),
    "byte": st.sampled_from(["", "AQID", "eA==", "xIHDoA=="]),
}
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _TEXT | _WHOLE | _EXACT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


def instances(document: Document, schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Members that the schema leaves open are generated, too."""
    if not isinstance(schema, dict):
        return ANYTHING
    worked = flat(document, schema)
    options = worked.get("oneOf") or worked.get("anyOf")
    if options:
        rest = {k: v for k, v in worked.items() if k not in {"oneOf", "anyOf", "discriminator"}}
        drawn = st.sampled_from(options)
        return drawn.flatmap(lambda one: instances(document, {"allOf": [rest, one]}, depth))
    kinds = worked.get("type") or ("object" if "properties" in worked else None)
    if kinds is None:
        return ANYTHING
    listed = [kinds] if isinstance(kinds, str) else list(kinds)
    if worked.get("nullable"):
        listed.append("null")
    return st.sampled_from(listed).flatmap(lambda kind: _of_kind(document, kind, worked, depth))


def _of_kind(
    document: Document, kind: str, schema: dict[str, Any], depth: int
) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if "enum" in schema:
        return st.sampled_from([each for each in schema["enum"] if each is not None])
    if kind == "string":
        return _text(schema)
    if kind in {"integer", "number"}:
        return _number(kind, schema)
    if kind == "array":
        return _array(document, schema, depth)
    return _object(document, schema, depth) if kind == "object" else st.booleans()


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z").replace(r"\d", "[0-9]"))
    found = _FORMATS.get(schema.get("format", ""))
    if found is not None:
        return found
    low, high = schema.get("minLength", 0), schema.get("maxLength", 8)
    return _TEXT.filter(lambda text: low <= len(text) <= high)


def _number(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "integer":
        size = {"int32": 2**31, "int64": 2**63}.get(schema.get("format", ""), 2**70)
        return st.integers(-size if low is None else low, size - 1 if high is None else high)
    if schema.get("format") == "double":
        return st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Decimal(str(x)))
    high = schema.get("exclusiveMaximum", high)
    if low is None and high is None:
        return _EXACT | _WHOLE
    return st.decimals(low, high, allow_nan=False).filter(
        lambda x: x != schema.get("exclusiveMaximum")
    )


def _array(document: Document, schema: dict[str, Any], depth: int) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*[instances(document, e, depth + 1) for e in schema["prefixItems"]]).map(
            list
        )
    low = schema.get("minItems", 0)
    high = min(schema.get("maxItems", 3), max(low, 3 if depth < DEPTH else 0))
    inner = instances(document, schema.get("items", True), depth + 1) if high else st.none()
    return st.lists(inner, min_size=low, max_size=high)


def _object(
    document: Document, schema: dict[str, Any], depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for key, each in schema.get("properties", {}).items():
        needed = key in schema.get("required", [])
        if needed or depth < DEPTH:
            (required if needed else optional)[key] = instances(document, each, depth + 1)
    known = {*required, *optional, *schema.get("properties", {})}
    for key in schema.get("required", []):
        if key not in known:
            required[key] = ANYTHING
    described = st.fixed_dictionaries(required, optional=optional)
    more = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
    keys = _TEXT.filter(lambda key: key not in known)
    if "patternProperties" in schema:
        ((pattern, more),) = schema["patternProperties"].items()
        assert pattern == "^x-"
        keys = _TEXT.map(lambda key: f"x-{key}")
    if more is False or depth >= DEPTH:
        return described
    others = st.dictionaries(keys, instances(document, more, depth + 1), max_size=2)
    return st.builds(lambda one, other: {**other, **one}, described, others)
