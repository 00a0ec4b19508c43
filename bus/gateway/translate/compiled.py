"""Sequences of elements as straight-line code: one function a type, made from source.

Most of a message are sequences of simple elements.  A function that names each of them in its
place is two to three times as fast as a loop that looks each one up.  It knows the usual form
only; what has attributes, no text, another lexical form, null … goes the long way, by `Reader` or
`Writer`.

The source holds numbers and types only; names of a contract come in as values, so that none can
bring code in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lxml import etree

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import local
from bus.gateway.translate.simple import (
    Base64Codec,
    BooleanCodec,
    DecimalCodec,
    IntegerCodec,
    SimpleCodec,
)

if TYPE_CHECKING:
    from bus.gateway.translate.plan import ComplexCodec, Slot
    from bus.gateway.translate.reading import Json, Reader
    from bus.gateway.translate.writing import Writer

ReadSequence = Callable[[list[etree._Element], "Reader"], "Json"]  # noqa: SLF001 - lxml's name
WriteSequence = Callable[[dict[str, object], "Writer"], str | None]

_SURE_DIGITS = 15  # an integer of so many characters is safe in JSON


def sequence_reader(codec: ComplexCodec) -> ReadSequence:
    """Reads the children of an element without attributes that XSD has found valid.

    So those of the sequence come in order, and what is required is there.
    """
    code = _Code("read(children, reader)")
    slots = [slot for slot in codec.order if slot is not None]
    code.add("notes = {}")
    if not any(slot.array for slot in slots):
        with_all = code.block(f"if len(children) == {len(slots)}:")
        with_all.add("".join(f"c{i}, " for i in range(len(slots))) + "= children")
        for i, slot in enumerate(slots):
            _read(with_all, slot, i, f"c{i}")
        with_all.add("out = {" + ", ".join(f"k{i}: v{i}" for i in range(len(slots))) + "}")
        with_all.add("if notes: out['#lexical'] = notes")
        with_all.add("return out")
    code.add("out = {}", "more = iter(children)", "c = next(more, None)")
    for i, slot in enumerate(slots):
        sure = i == len(slots) - 1 or (slot.min and not slot.array)
        here = "c is not None" + ("" if sure else f" and c.tag == n{i}")
        if slot.array:
            some = code.block(f"if {here}:")
            some.add(f"items = out[k{i}] = []")
            each = some.block(f"while {here}:")
            _read(each, slot, i, "c", ", len(items)")
            each.add(f"items.append(v{i})", "c = next(more, None)")
        else:
            one = code.block(f"if {here}:")
            _read(one, slot, i, "c")
            one.add(f"out[k{i}] = v{i}", "c = next(more, None)")
    code.add("if c is not None: raise unexpected(c)")
    code.add("if notes: out['#lexical'] = notes", "return out")
    for i, slot in enumerate(slots):
        code.let(i, k=slot.key, n=slot.element.name, s=slot, t=slot.codec)
    read: ReadSequence = code.function("read")
    return read


def _read(code: _Code, slot: Slot, i: int, c: str, index: str = "") -> None:
    """`v{i}`: the value of the element `c`."""
    codec, value = slot.codec, f"v{i}"
    long_way = f"{value} = reader.field(s{i}, {c}, notes{index})"
    if not isinstance(codec, SimpleCodec):
        if not codec.sequence:
            code.add(long_way)
            return
        code.add(f"if {c}.keys(): {long_way}")
        short = code.block("else:")
        short.add(f"try: {value} = t{i}.read({c}[:], reader)")
        short.add(f"except Mismatch as error: raise placed(error, s{i}, {c}{index}) from None")
        return
    code.add(f"{value} = {c}.text", f"if not {value} or {c}.keys(): {long_way}")
    if slot.free:
        return
    if type(codec) is IntegerCodec:
        code.add(
            f"elif len({value}) > {_SURE_DIGITS} or str(n := int({value})) != {value}: {long_way}",
            f"else: {value} = n",
        )
    elif codec.collapses:
        code.add(f"elif ' '.join({value}.split()) != {value}: {long_way}")
    else:
        code.add(f"else: {value} = reader.decoded(s{i}, {value}, {c}, notes{index})")


def sequence_writer(codec: ComplexCodec) -> WriteSequence:
    """Writes what stands in an element without attributes; None for an object of another kind.

    None is given before anything is left behind, so that the caller can go the long way.
    """
    code = _Code("write(value, writer)")
    slots = [slot for slot in codec.order if slot is not None]
    must = [i for i, slot in enumerate(slots) if slot.min]
    may = [i for i, slot in enumerate(slots) if not slot.min]
    if must:
        code.add("try:", *(f"  v{i} = value[k{i}]" for i in must), "except KeyError: return None")
    code.add(*(f"v{i} = value.get(k{i}, missing)" for i in may))
    absent = "".join(f" - (v{i} is missing)" for i in may)
    code.add(f"if len(value) != {len(slots)}{absent}: return None")
    leaves = [i for i, slot in enumerate(slots) if _is_leaf(slot)]
    texts = [f"{{v{i}}}" for i in leaves if _write_leaf(code, slots[i], i)]
    if texts:
        code.add(f"text = f'{''.join(texts)}'")
        code.add("if not text.isprintable() or '<' in text or '&' in text or '>' in text:")
        code.add("  return None")
    for i in sorted({*range(len(slots))} - {*leaves}):
        here = code
        if i in may:
            code.add(f"if v{i} is missing: x{i} = ''")
            here = code.block("else:")
        if is_object(slots[i]) and not slots[i].array:
            here.add(f"try: x{i} = t{i}.write(v{i}, writer) if type(v{i}) is dict else None")
            here.add(f"except Mismatch as error: raise error.at(k{i}) from None")
            here.add(f"if x{i} is None: x{i} = writer.piece(s{i}, v{i})")
            here.add(f"else: x{i} = f'{{o{i}}}{{x{i}}}{{e{i}}}'")
        else:
            here.add(f"x{i} = writer.piece(s{i}, v{i})")
    code.add(f"return f'{_template(code, slots, leaves)}'")
    for i, slot in enumerate(slots):
        code.let(i, k=slot.key, s=slot, t=slot.codec, e=slot.close)
        code.let(i, o=f"{slot.start}>" if is_object(slot) else slot.opening)
    write: WriteSequence = code.function("write")
    return write


def is_object(slot: Slot) -> bool:
    """Whether `write` of its type may do without the long way."""
    codec = slot.codec
    if isinstance(codec, SimpleCodec) or codec.type.abstract or slot.element.abstract:
        return False
    return codec.sequence and not codec.required


def _is_leaf(slot: Slot) -> bool:
    """A single simple value, of which writing leaves nothing behind (as MTOM does)."""
    codec = slot.codec
    if not isinstance(codec, SimpleCodec) or isinstance(codec, Base64Codec):
        return False
    return codec.kind.variety == "atomic" and not slot.array and slot.element.fixed is None


def _write_leaf(code: _Code, slot: Slot, i: int) -> bool:
    """`v{i}`: the text, or it gives up.  True if it may hold characters that XML writes apart."""
    v = f"v{i}"
    if slot.min:
        return _write_text(code, slot, i)
    code.add(f"if {v} is missing: {v} = x{i} = ''")
    there = code.block("else:")
    doubtful = _write_text(there, slot, i)
    there.add(f"x{i} = f'{{o{i}}}{{{v}}}{{e{i}}}'")
    return doubtful


def _write_text(code: _Code, slot: Slot, i: int) -> bool:
    codec, v = slot.codec, f"v{i}"
    assert isinstance(codec, SimpleCodec)  # noqa: S101 - the caller looked
    if slot.free:
        code.add(f"if type({v}) is not str: return None")
        return True
    if type(codec) is BooleanCodec:
        code.add(f"if type({v}) is not bool: return None", f"{v} = 'true' if {v} else 'false'")
        return False
    if type(codec) is IntegerCodec and not codec.checks:
        code.let(i, low=codec.low, high=codec.high)
        code.add(f"if type({v}) is not int: return None")
        for bound, wrong in ((codec.low, f"{v} < low{i}"), (codec.high, f"{v} > high{i}")):
            if bound is not None:
                code.add(f"if {wrong}: return None")
        return False
    if codec.lexical is not None and not codec.checks and type(codec) in _AS_WRITTEN:
        code.let(i, fits=codec.lexical.fullmatch)
        code.add(f"if type({v}) is not str or not fits{i}({v}): return None")
        return False
    code.let(i, encode=codec.encode)
    code.add(
        f"if type({v}) not in scalars: return None",
        f"try: {v} = encode{i}({v}, writer.namespaces)",
        "except Mismatch: return None",
    )
    return True


_AS_WRITTEN = {SimpleCodec, DecimalCodec}  # text that is of the type's form stays as it is


def _template(code: _Code, slots: list[Slot], leaves: list[int]) -> str:
    """The content as an f-string, tags that stand side by side as one value."""
    parts, tags = "", ""
    for i, slot in enumerate(slots):
        if slot.min and i in leaves:
            code.let(i, g=tags + slot.opening)
            parts += f"{{g{i}}}{{v{i}}}"
            tags = slot.close
        else:
            code.let(i, g=tags)
            parts += f"{{g{i}}}{{x{i}}}"
            tags = ""
    code.let(len(slots), g=tags)
    return f"{parts}{{g{len(slots)}}}"


def placed(
    error: Mismatch, slot: Slot, child: etree._Element, index: int | None = None
) -> Mismatch:
    """`error` in the value of `child`, with its line and its step of the path."""
    error.line = error.line or child.sourceline or 0
    if index is not None:
        error.at(index)
    return error.at(slot.key)


def unexpected(child: etree._Element) -> Mismatch:
    error = Mismatch(
        "cvc-complex-type.2.4", "this element is not expected here", "phần tử không được phép ở đây"
    )
    error.line = child.sourceline or 0
    return error.at(local(child.tag))


class _Code:
    """Source of one function, and the values that it names."""

    def __init__(self, head: str) -> None:
        self._lines = [f"def {head}:"]
        self._values: dict[str, Any] = {
            "Mismatch": Mismatch,
            "placed": placed,
            "unexpected": unexpected,
            "missing": object(),
            "scalars": {str, int, float, bool},
        }
        self._indent = "  "

    def add(self, *lines: str) -> None:
        self._lines += [self._indent + line for line in lines]

    def block(self, head: str) -> _Code:
        """What is added to the result stands indented below `head`."""
        self.add(head)
        inner = _Code("")
        inner._lines, inner._values = self._lines, self._values
        inner._indent = self._indent + "  "
        return inner

    def let(self, index: int, **values: object) -> None:
        self._values |= {f"{name}{index}": value for name, value in values.items()}

    def function(self, name: str) -> Any:
        exec("\n".join(self._lines), self._values)  # noqa: S102 - see above
        return self._values[name]
