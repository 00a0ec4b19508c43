"""Instances of a contract's messages, generated from its plan (hypothesis)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bus.gateway.translate import Message
from bus.gateway.translate.components import ElementUse, Group, Particle, Wildcard
from bus.gateway.translate.examples import simple_example
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.plan import ComplexCodec, Plan, Slot
from bus.gateway.translate.simple import (
    BooleanCodec,
    IntegerCodec,
    ListCodec,
    Namespaces,
    RealCodec,
    SimpleCodec,
    UnionCodec,
)

_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n\r"), max_size=20
)
_DEEPEST = 4


def _may_be_null(slot: Slot) -> bool:
    codec = slot.codec
    if _attributes_needed(codec) or slot.element.abstract:
        return False
    return not (isinstance(codec, ComplexCodec) and codec.type.abstract)


def fits(codec: SimpleCodec, value: object) -> bool:
    try:
        codec.encode(value, Namespaces())
    except Mismatch:
        return False
    return True


def simple(codec: SimpleCodec) -> st.SearchStrategy[Any]:
    if isinstance(codec, ListCodec):
        sure = simple_example(codec)
        return st.lists(simple(codec.item), max_size=4).map(
            lambda value: value if fits(codec, value) else sure
        )
    if isinstance(codec, UnionCodec):
        return st.just(simple_example(codec))
    if isinstance(codec, BooleanCodec):
        made: st.SearchStrategy[Any] = st.booleans()
    elif isinstance(codec, IntegerCodec):
        low, high = codec.low, codec.high
        edge = 2**53 - 1
        number = st.integers(low, high)
        made = number.map(lambda n: n if -edge <= n <= edge else str(n))
    elif isinstance(codec, RealCodec):
        made = st.floats(allow_nan=False, allow_infinity=False, width=32).map(
            lambda f: int(f) if f.is_integer() and abs(f) < 1e15 and str(f) != "-0.0" else f
        )
    elif codec.builtin == "decimal":
        made = st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str)
    elif codec.builtin == "string":
        made = _TEXT
    elif codec.builtin == "base64Binary":
        made = st.binary(max_size=20).map(lambda b: __import__("base64").b64encode(b).decode())
    else:
        return st.just(simple_example(codec))
    sure = simple_example(codec)
    return made.map(lambda value: value if fits(codec, value) else sure)


@st.composite
def value(draw: st.DrawFn, plan: Plan, slot: Slot, depth: int = 0) -> Any:
    codec = slot.codec
    if slot.element.nillable and draw(st.integers(0, 4)) == 0 and _may_be_null(slot):
        return None
    if isinstance(codec, SimpleCodec):
        if slot.element.fixed is not None:
            return slot.element.fixed
        return draw(simple(codec))
    kinds = [codec] if not codec.type.abstract else []
    for kind in plan.derived_from(codec.type):
        other = plan.codec(kind)
        if isinstance(other, ComplexCodec) and not other.type.abstract:
            kinds.append(other)
    chosen = draw(st.sampled_from(kinds))
    found = draw(content(plan, chosen, depth))
    if chosen is not codec and chosen.type.name:
        found["#type"] = plan.label(chosen.type.name)
    return found


def _attributes_needed(codec: object) -> bool:
    return isinstance(codec, ComplexCodec) and bool(codec.required)


@st.composite
def content(draw: st.DrawFn, plan: Plan, codec: ComplexCodec, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for attribute in codec.attributes.values():
        if attribute.declared.required or draw(st.booleans()):
            fixed = attribute.declared.fixed
            out[attribute.key] = fixed if fixed is not None else draw(simple(attribute.codec))
    if codec.text is not None:
        out["#text"] = draw(simple(codec.text))
        return out
    pairs: list[tuple[Slot | None, Any]] = []
    if codec.type.content is not None:
        draw(_walk(plan, codec, codec.type.content, depth, pairs))
    if codec.ordered:
        _ordered(draw, codec, pairs, out)
        return out
    for slot, each in pairs:
        if slot is None:
            out.setdefault("#any", []).append(each)
        elif slot.array:
            out.setdefault(slot.key, []).append(each)
        else:
            out[slot.key] = each
    return out


def _ordered(
    draw: st.DrawFn,
    codec: ComplexCodec,
    pairs: list[tuple[Slot | None, Any]],
    out: dict[str, Any],
) -> None:
    items: list[Any] = []
    for slot, each in pairs:
        if codec.type.mixed and draw(st.booleans()):
            items.append(draw(_TEXT.filter(bool)))
        items.append({slot.key: each} if slot else each)
    if items:
        out["#content"] = items


@st.composite
def _walk(
    draw: st.DrawFn,
    plan: Plan,
    codec: ComplexCodec,
    particle: Particle,
    depth: int,
    out: list[tuple[Slot | None, Any]],
) -> None:
    most = particle.max if 0 <= particle.max < particle.min + 3 else particle.min + 2
    times = particle.min if depth >= _DEEPEST else draw(st.integers(particle.min, most))
    for _ in range(times):
        if isinstance(particle, ElementUse):
            slot = codec.slots[particle.element.name]
            out.append((slot, draw(value(plan, slot, depth + 1))))
        elif isinstance(particle, Wildcard):
            if particle.process != "strict":
                name = next((n for n in sorted(particle.namespaces or ()) if n), "")
                space = name if name and not particle.negated else "urn:elsewhere"
                out.append((None, {f"{{{space}}}e": draw(_generic())}))
        elif isinstance(particle, Group):
            items = list(particle.items)
            if particle.kind == "choice":
                items = [draw(st.sampled_from(items))]
            elif particle.kind == "all":
                items = draw(st.permutations(items))
            for item in items:
                draw(_walk(plan, codec, item, depth, out))


def _generic() -> st.SearchStrategy[Any]:
    text = st.text("abc ắ<&>", max_size=5)
    leaf = st.dictionaries(st.sampled_from(["@k", "@{urn:a}k"]), text, min_size=1, max_size=2)
    return st.one_of(
        text,
        st.builds(
            lambda attributes, inside: {
                **attributes,
                "#content": ["t", {"{urn:elsewhere}i": inside}],
            },
            leaf,
            text,
        ),
    )


@st.composite
def message(draw: st.DrawFn, of: Message) -> dict[str, Any]:
    root = of.root
    if of.wrapper is None and not (of.unwrapped and of.body):
        return {slot.key: draw(value(of.plan, slot)) for slot in of.body}
    if root is None:
        return {}
    found = draw(value(of.plan, root))
    if found is None:
        return {"#nil": True}
    found = found if isinstance(found, dict) else {"#text": found}
    needed = {k: draw(value(of.plan, s)) for k, (s, required) in of.headers.items() if required}
    return {**found, **({"#headers": needed} if needed else {})}
