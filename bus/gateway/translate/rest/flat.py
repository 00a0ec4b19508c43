"""A JSON Schema with its references and `allOf` worked in, so that one object says everything."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.rest.document import Document

Json = dict[str, Any]

ANNOTATIONS = frozenset(
    {"description", "title", "example", "examples", "deprecated", "externalDocs", "xml", "default",
     "$comment", "readOnly", "writeOnly", "nullable", "summary", "$defs", "definitions", "$id",
     "$schema", "$anchor"}
)  # fmt: skip
_HIGHER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_LOWER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def reference_of(schema: Any) -> str | None:
    """The `$ref` a schema is nothing but; `allOf` of one reference is a reference, too."""
    if not isinstance(schema, dict):
        return None
    plain = {key for key in schema if key not in ANNOTATIONS}
    if plain == {"$ref"} and isinstance(schema["$ref"], str):
        return str(schema["$ref"])
    if plain == {"allOf"} and isinstance(schema["allOf"], list) and len(schema["allOf"]) == 1:
        return reference_of(schema["allOf"][0])
    return None


def flat(document: Document, schema: Any, stack: tuple[str, ...] = ()) -> Json:
    """Raises InvalidContract for references that lead nowhere or into themselves."""
    if schema is True or schema is None:
        return {}
    if not isinstance(schema, dict):
        raise bad_contract("a schema that nothing fits", vi="Lược đồ không giá trị nào khớp")
    found: Json = {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference in stack:
            raise bad_contract(
                f"$ref {reference} contains itself by allOf", vi=f"$ref {reference} tự chứa nó"
            )
        found = flat(document, document.at(reference), (*stack, reference))
    own = {key: each for key, each in schema.items() if _well_formed(key, each)}
    own = {key: each for key, each in own.items() if key not in {"$ref", "allOf"}}
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else []:
        worked = flat(document, part, stack)
        if "oneOf" not in worked and "anyOf" not in worked:
            worked.pop("discriminator", None)  # of the base: the others of it are not meant here
        found = merged(found, worked)
    return merged(found, own)


_FORMS: dict[str, type | tuple[type, ...]] = {
    "properties": dict,
    "patternProperties": dict,
    "discriminator": dict,
    "required": list,
    "enum": list,
    "oneOf": list,
    "anyOf": list,
    "prefixItems": list,
    "format": str,
    "pattern": str,
    "type": (str, list),
    "additionalProperties": (dict, bool),
    "unevaluatedProperties": (dict, bool),
    "items": (dict, bool),
    **dict.fromkeys((*_HIGHER, *_LOWER), (int, float)),
}


def _well_formed(key: str, value: Any) -> bool:
    """Documents are written by hand: a keyword that is none (`required: true`) says nothing."""
    if key in {"type", "required"} and isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return key not in _FORMS or isinstance(value, _FORMS[key])


def merged(one: Json, other: Json) -> Json:
    """What both say together."""
    found = dict(one)
    for key, value in other.items():
        found[key] = _both(key, found[key], value) if key in found else value
    if "oneOf" in one and "oneOf" in other:
        found["oneOf"] = [{"allOf": [a, b]} for a in one["oneOf"] for b in other["oneOf"]][:64]
    return found


def _both(key: str, one: Any, other: Any) -> Any:  # noqa: PLR0911 - one line a keyword
    if key in {"properties", "patternProperties"}:
        both = {k: {"allOf": [one[k], other[k]]} for k in other if k in one and one[k] != other[k]}
        return {**one, **other, **both}
    if key == "required":
        return list(dict.fromkeys([*one, *other]))
    if key in {"additionalProperties", "unevaluatedProperties", "items"}:
        return _narrower(one, other)
    if key == "nullable":
        return one or other
    if key == "type":
        return _types(one, other)
    if key == "enum":
        return [value for value in one if value in other]
    if key in _HIGHER or key in _LOWER:
        if isinstance(one, bool) or isinstance(other, bool):
            return one or other
        return max(one, other) if key in _HIGHER else min(one, other)
    return other


def _narrower(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    if one is True or other is True or one == other:
        return other if one is True else one
    return {"allOf": [one, other]}


def _types(one: Any, other: Any) -> list[str]:
    first = one if isinstance(one, list) else [one]
    second = other if isinstance(other, list) else [other]
    found = [kind for kind in first if kind in second]
    if "integer" in {*first, *second} and "number" in {*first, *second}:
        found.append("integer")
    return list(dict.fromkeys(found))


_PYTHON = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"),
           (Decimal, "number"), (list, "array"), (dict, "object"))  # fmt: skip


def type_of(value: Any) -> str:
    return next((name for kind, name in _PYTHON if isinstance(value, kind)), "null")


def types_of(schema: Json) -> tuple[list[str], bool]:
    """The types without null, and whether null is one; no types: any."""
    written = schema.get("type")
    values = values_of(schema)
    if written is not None:
        types = list(written) if isinstance(written, list) else [str(written)]
    elif values:
        types = list(dict.fromkeys(type_of(value) for value in values))
    else:
        types = _guessed(schema)
    nullable = schema.get("nullable") is True or "null" in types
    if values and schema.get("nullable") is not True:
        nullable = None in values
    return [kind for kind in types if kind != "null"], nullable


def values_of(schema: Json) -> list[Any]:
    """Of `enum` and `const`."""
    if "const" in schema:
        return [schema["const"]]
    given = schema.get("enum")
    return given if isinstance(given, list) else []


def _guessed(schema: Json) -> list[str]:
    """Documents often leave `type` out where the other keywords tell it."""
    for kind, keywords in (
        ("object", {"properties", "additionalProperties", "required", "patternProperties"}),
        ("array", {"items", "prefixItems", "minItems", "maxItems"}),
        ("string", {"minLength", "maxLength", "pattern", "contentEncoding"}),
    ):
        if keywords & schema.keys():
            return [kind]
    return ["string"] if isinstance(schema.get("format"), str) else []
