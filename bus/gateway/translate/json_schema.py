"""JSON Schema (2020-12, as OpenAPI 3.1 uses it) for what the plan reads and writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bus.gateway.translate import builtin
from bus.gateway.translate.components import SimpleType
from bus.gateway.translate.facets import python_pattern
from bus.gateway.translate.plan import ComplexCodec, Plan, Slot
from bus.gateway.translate.simple import (
    BooleanCodec,
    IntegerCodec,
    ListCodec,
    RealCodec,
    SimpleCodec,
    UnionCodec,
)

if TYPE_CHECKING:
    from bus.gateway.translate.message import Message

Json = dict[str, Any]

_SAFE = 2**53 - 1
_LEXICAL = {"type": "object", "additionalProperties": {"type": "string"}, "readOnly": True}
"""Read back as it came; a caller who writes a message has no need of it."""
_ANY_ATTRIBUTE = {"^@": {"type": "string"}}
_IN_XML = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]*$"
"""Characters that XML 1.0 can hold (section 2.2)."""
_ASCII = frozenset({"decimal", "dateTime", "date", "time", "duration", "hexBinary", "language"}) | {
    name for name in builtin.LEXICAL if name.startswith("g")
}
"""Written in characters whose classes all readers of patterns agree about."""
_NOT_NAME = re.compile(r"[^A-Za-z0-9._-]")


class Schemas:
    """Component schemas of the types that messages reach, named as in `#type` where they can."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names: dict[int, str] = {}
        self._made: dict[str, Json] = {}

    def components(self) -> dict[str, Json]:
        return self._made

    def message(self, message: Message) -> Json:
        root = message.root
        if message.wrapper is None and not (message.unwrapped and message.body):
            properties = {slot.key: self.slot(slot) for slot in message.body}
            found: Json = {"type": "object", "properties": properties, "required": list(properties)}
        elif root is not None and isinstance(root.codec, ComplexCodec):
            if not self._derived(root):
                whole = self._object(root.codec)
                whole["properties"] |= _envelope(message, self)
                return whole if not root.element.nillable else _or_nil(whole)
            found = self._complex(root)
        elif root is not None and isinstance(root.codec, SimpleCodec):
            found = _object({"#text": self.simple(root.codec)}, ["#text"])
        else:
            found = {"type": "object"}
        return {"allOf": [found], "properties": _envelope(message, self)}

    def slot(self, slot: Slot) -> Json:
        """The value of one element, without the array around it."""
        codec = slot.codec
        if isinstance(codec, SimpleCodec):
            shown = _fixed(self.simple(codec), slot.element.fixed)
            if slot.element.default is not None:
                shown = {**shown, "description": f"default: {slot.element.default}"}
        else:
            shown = self._complex(slot)
        if slot.element.nillable:
            shown = {"anyOf": [shown, {"type": "null"}, *self._nil(slot)]}
        return shown

    def _nil(self, slot: Slot) -> list[Json]:
        """No value, but attributes."""
        codec = slot.codec
        if not isinstance(codec, ComplexCodec) or not codec.attributes:
            return []
        attributes = {each.key: self.simple(each.codec) for each in codec.attributes.values()}
        marks = {"#nil": {"const": True}, "#type": {"type": "string"}, "#lexical": _LEXICAL}
        nil = _object(marks | attributes, ["#nil"])
        if codec.any_attribute is not None:
            nil["patternProperties"] = _ANY_ATTRIBUTE
        return [nil | {"additionalProperties": False}]

    def _complex(self, slot: Slot) -> Json:
        codec = slot.codec
        assert isinstance(codec, ComplexCodec)  # noqa: S101 - the caller looked
        refs = [] if codec.type.abstract else [self._ref(codec, slot.key)]
        refs += [  # of nothing else can be told which one is meant
            {"allOf": [self._ref(each, slot.key)], "required": ["#type"]}
            for each in self._derived(slot)
            if not each.type.abstract
        ]
        return refs[0] if len(refs) == 1 else {"anyOf": refs} if refs else {"type": "object"}

    def _derived(self, slot: Slot) -> list[ComplexCodec]:
        kinds = [self._plan.codec(kind) for kind in self._plan.derived_from(slot.element.type)]
        return [kind for kind in kinds if isinstance(kind, ComplexCodec)]

    def _ref(self, codec: ComplexCodec, hint: str) -> Json:
        if id(codec) not in self._names:
            label = self._plan.label(codec.type.name) if codec.type.name else hint
            plain = _NOT_NAME.sub("_", label) or "Type"
            name, number = plain, 2
            while name in self._made or name in {"Fault", "Problem"}:
                name, number = f"{plain}_{number}", number + 1
            self._names[id(codec)] = name
            self._made[name] = {}
            self._made[name] = self._object(codec)
        return {"$ref": f"#/components/schemas/{self._names[id(codec)]}"}

    def _object(self, codec: ComplexCodec) -> Json:
        properties: Json = {
            slot.key: _fixed(self.simple(slot.codec), slot.declared.fixed)
            for slot in codec.attributes.values()
        }
        required = [slot.key for slot in codec.required]
        if codec.text is not None:
            properties["#text"] = self.simple(codec.text)
        elif codec.ordered:
            properties["#content"] = self._content(codec)
        else:
            self._members(codec, properties, required)
        if codec.type.name:
            properties["#type"] = {"enum": [self._plan.label(codec.type.name)]}
        properties["#lexical"] = _LEXICAL
        found = _object(properties, required)
        if codec.type.doc:
            found["description"] = codec.type.doc
        if codec.any_attribute is not None:
            found["patternProperties"] = _ANY_ATTRIBUTE
        found["additionalProperties"] = False
        return found

    def _members(self, codec: ComplexCodec, properties: Json, required: list[str]) -> None:
        for slot in codec.order:
            if slot is None:
                properties["#any"] = {"type": "array", "items": {"type": "object"}}
                continue
            shown = self.slot(slot)
            if slot.array:
                shown = {"type": "array", "items": shown}
                if slot.min and codec.model.simple:
                    shown["minItems"] = slot.min
                if slot.max > 0:
                    shown["maxItems"] = slot.max
            properties[slot.key] = shown
            if slot.min and codec.model.simple:
                required.append(slot.key)

    def _content(self, codec: ComplexCodec) -> Json:
        kinds: list[Json] = [{"type": "string", "pattern": _IN_XML}] if codec.type.mixed else []
        kinds += [
            _object({slot.key: self.slot(slot), "#lexical": _LEXICAL}, [slot.key])
            | {"additionalProperties": False}
            for slot in codec.slots.values()
        ]
        if codec.model.wildcards:
            kinds.append({"type": "object"})
        return {"type": "array", "items": {"anyOf": kinds} if kinds else {}}

    def simple(self, codec: SimpleCodec) -> Json:
        kind = codec.kind
        if isinstance(codec, ListCodec):
            return {"type": "array", "items": self.simple(codec.item)}
        if isinstance(codec, UnionCodec):
            return {"anyOf": [self.simple(each) for each in codec.members]}
        if isinstance(codec, BooleanCodec):
            return {"type": "boolean"}
        if isinstance(codec, RealCodec):
            return {"anyOf": [{"type": "number"}, {"enum": ["INF", "-INF", "NaN"]}]}
        if isinstance(codec, IntegerCodec):
            return _integer(codec)
        return _string(kind)


def _integer(codec: IntegerCodec) -> Json:
    lowest, highest = _range(codec)
    low = lowest if lowest is None or abs(lowest) <= _SAFE else None
    high = highest if highest is None or abs(highest) <= _SAFE else None
    number: Json = {"type": "integer"}
    if low is not None:
        number["minimum"] = low
    if high is not None:
        number["maximum"] = high
    bounded = low is not None and high is not None
    if bounded:
        return number
    return {"anyOf": [number, {"type": "string", "pattern": "^[+-]?[0-9]+$"}]}


def _range(codec: IntegerCodec) -> tuple[int | None, int | None]:
    """Of the built-in type and of all facets together."""
    facets, lows, highs = codec.kind.facets, [codec.low], [codec.high]
    for bound, step, found in (
        (facets.min_inclusive, 0, lows),
        (facets.min_exclusive, 1, lows),
        (facets.max_inclusive, 0, highs),
        (facets.max_exclusive, -1, highs),
    ):
        if bound is not None and builtin.LEXICAL["integer"].fullmatch(bound):
            found.append(int(bound) + step)
    low = max((each for each in lows if each is not None), default=None)
    return low, min((each for each in highs if each is not None), default=None)


def _string(kind: SimpleType) -> Json:
    facets, found = kind.facets, Json(type="string")
    if kind.builtin in {"date", "decimal"}:
        found["format"] = "xsd-date" if kind.builtin == "date" else "decimal"
    elif kind.builtin == "base64Binary":
        found["contentEncoding"] = "base64"
    elif kind.builtin in builtin.LEXICAL:
        found["format"] = f"xsd-{kind.builtin}"
    if facets.enumeration is not None and kind.builtin not in {"QName", "decimal"}:
        found["enum"] = list(dict.fromkeys(facets.enumeration))
    found |= _pattern(kind, enumerated="enum" in found)
    if kind.builtin not in {"base64Binary", "hexBinary", "QName"}:
        low = facets.length if facets.length is not None else facets.min_length
        high = facets.length if facets.length is not None else facets.max_length
        if low is not None:
            found["minLength"] = low
        if high is not None:
            found["maxLength"] = high
    return found


def _pattern(kind: SimpleType, *, enumerated: bool) -> Json:
    patterns = [p for each in kind.facets.patterns if (p := python_pattern(each)) is not None]
    if patterns:
        return {"pattern": f"^(?:{patterns[-1]})$"}
    if enumerated:
        return {}
    if kind.builtin in _ASCII:
        return {"pattern": f"^(?:{builtin.LEXICAL[kind.builtin].pattern})$"}
    return {} if kind.builtin in {"base64Binary", *builtin.LEXICAL} else {"pattern": _IN_XML}


def _fixed(shown: Json, value: str | None) -> Json:
    """The one value a text may have; numbers and dates may write it in several ways."""
    plain = shown.get("type") == "string" and "format" not in shown
    return {"const": value} if plain and value is not None else shown


def _object(properties: Json, required: list[str]) -> Json:
    found: Json = {"type": "object", "properties": properties}
    if required:
        found["required"] = list(dict.fromkeys(required))
    return found


def _or_nil(body: Json) -> Json:
    """The element in the body may have no value: then the message says so itself."""
    return {"anyOf": [body, _object({"#nil": {"const": True}}, ["#nil"])]}


def _envelope(message: Message, schemas: Schemas) -> Json:
    found: Json = {}
    if message.headers:
        properties = {key: schemas.slot(slot) for key, (slot, _) in message.headers.items()}
        required = [key for key, (_, needed) in message.headers.items() if needed]
        found["#headers"] = _object(properties, required)
    if message.attachments:
        part = {name: {"type": "string"} for name in ("contentId", "contentType", "data")}
        found["#attachments"] = {"type": "array", "items": _object(part, ["data"])}
    return found
