"""A valid JSON example of a message, from its types alone."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bus.gateway.translate.components import ElementUse, Group, Particle, SimpleType, Wildcard
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.plan import ComplexCodec, Plan, Slot
from bus.gateway.translate.simple import ListCodec, Namespaces, SimpleCodec, UnionCodec

if TYPE_CHECKING:
    from bus.gateway.translate.message import Message

_DEPTH = 12
_TEXTS = {
    "boolean": True, "decimal": "1.50", "float": 1.5, "double": 1.5, "duration": "P1D",
    "dateTime": "2026-01-31T08:00:00+07:00", "time": "08:00:00", "date": "2026-01-31",
    "gYearMonth": "2026-01", "gYear": "2026", "gMonthDay": "--01-31", "gDay": "---31",
    "gMonth": "--01", "hexBinary": "00FF", "base64Binary": base64.b64encode(b"ABC").decode(),
    "anyURI": "https://example.gov.vn/", "QName": "name", "language": "vi", "NMTOKEN": "name",
    "Name": "name", "NCName": "name", "ID": "id1", "IDREF": "id1",
}  # fmt: skip
_TRIES: tuple[object, ...] = (
    "text", 1, 0, -1, 10, 100, "1", "0", "A", "a", "001", "1234567890", "ABCDEFGH",
    "a@example.gov.vn",
)  # fmt: skip


def example(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    root = message.root
    if message.wrapper is None and not (message.unwrapped and message.body):
        found = {slot.key: _value(message.plan, slot, 0) for slot in message.body}
    elif root is not None:
        value = _value(message.plan, root, 0)
        found = value if isinstance(value, dict) else {"#text": value}
    needed = {
        k: _value(message.plan, s, 0) for k, (s, required) in message.headers.items() if required
    }
    if needed:
        found["#headers"] = needed
    return found


def _value(plan: Plan, slot: Slot, depth: int) -> Any:
    codec = slot.codec
    if isinstance(codec, SimpleCodec):
        fixed = slot.element.fixed
        return _fixed(codec, fixed) if fixed is not None else simple_example(codec)
    if depth > _DEPTH:
        return None if slot.element.nillable else {}
    if codec.type.abstract:
        for kind in plan.derived_from(codec.type):
            other = plan.codec(kind)
            if isinstance(other, ComplexCodec) and not kind_abstract(other) and kind.name:
                return {"#type": plan.label(kind.name), **_object(plan, other, depth)}
        return {}
    return _object(plan, codec, depth)


def kind_abstract(codec: ComplexCodec) -> bool:
    return codec.type.abstract


def _fixed(codec: SimpleCodec, text: str) -> Any:
    from lxml import etree  # noqa: PLC0415 - decode wants an element only for QNames

    value = codec.decode(text, etree.Element("v"))
    return getattr(value, "value", value)


def _object(plan: Plan, codec: ComplexCodec, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for attribute in codec.required:
        fixed = attribute.declared.fixed
        out[attribute.key] = (
            _fixed(attribute.codec, fixed) if fixed is not None else simple_example(attribute.codec)
        )
    if codec.text is not None:
        out["#text"] = simple_example(codec.text)
        return out
    group = codec.type.content
    if group is None:
        return out
    pairs: list[tuple[Slot | None, Any]] = []
    _walk(plan, codec, group, depth, pairs)
    if codec.ordered:
        if pairs:
            out["#content"] = [{slot.key: v} if slot else v for slot, v in pairs]
        return out
    for slot, value in pairs:
        if slot is None:
            out.setdefault("#any", []).append(value)
        elif slot.array:
            out.setdefault(slot.key, []).append(value)
        else:
            out[slot.key] = value
    return out


def _walk(
    plan: Plan,
    codec: ComplexCodec,
    particle: Particle,
    depth: int,
    out: list[tuple[Slot | None, Any]],
) -> None:
    optional_depth = 3  # optional elements are shown near the root only
    times = max(particle.min, 1 if depth < optional_depth else 0)
    if isinstance(particle, Wildcard):
        for _ in range(particle.min):
            name = next((n for n in particle.namespaces or () if n), "urn:example")
            if particle.process != "strict":
                out.append((None, {f"{{{name}}}example": "text"}))
    elif isinstance(particle, ElementUse):
        slot = codec.slots[particle.element.name]
        deep = particle.min == 0 and depth >= optional_depth
        out += [(slot, _value(plan, slot, depth + 1)) for _ in range(0 if deep else times)]
    elif isinstance(particle, Group):
        for _ in range(times):
            items = _shallowest(particle) if particle.kind == "choice" else particle.items
            for item in items:
                _walk(plan, codec, item, depth, out)


def _shallowest(group: Group) -> list[Particle]:
    """Of a choice, a branch of simple elements if there is one: recursion must end."""
    for item in group.items:
        if isinstance(item, ElementUse) and isinstance(item.element.type, SimpleType):
            return [item]
    return group.items[:1]


def simple_example(codec: SimpleCodec) -> Any:
    """A value that the type takes; None when none of the tries fits (unusual patterns)."""
    if isinstance(codec, ListCodec):
        size = codec.kind.facets.length or codec.kind.facets.min_length or 1
        return [simple_example(codec.item)] * size
    if isinstance(codec, UnionCodec):
        return simple_example(codec.members[0])
    facets = codec.kind.facets
    tries: list[Any] = list(facets.enumeration or [])
    tries += [_TEXTS[codec.builtin]] if codec.builtin in _TEXTS else []
    bounds = (facets.min_inclusive, facets.max_inclusive)
    tries += [b for b in bounds if b is not None]
    size = facets.length or facets.min_length or 0
    tries += [*_TRIES, "x" * size, "1" * size, "A" * size, "text"[: facets.max_length or 4]]
    tries += [digits for each in facets.patterns for digits in _from_patterns(each)]
    for each in tries:
        try:
            codec.encode(each, Namespaces())
        except Mismatch:
            continue
        if codec.json_type == "integer" and isinstance(each, str):
            return int(each)
        return each
    return None


def _from_patterns(alternatives: list[str]) -> list[str]:
    """Guesses for plain patterns: each class or escape by one fitting character, repeated."""
    import re  # noqa: PLC0415

    found = []
    for pattern in alternatives:
        text = re.sub(r"\\d|\[0-9\]", "1", pattern)
        text = re.sub(r"\[([^\]^\\])[^\]]*\]", r"\1", text)
        text = re.sub(r"(.)\{(\d+)(?:,\d*)?\}", lambda m: m[1] * int(m[2]), text)
        text = re.sub(r"[()?*+]|\\", "", text.partition("|")[0])
        found.append(text)
    return found
