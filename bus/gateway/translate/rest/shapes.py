"""Shapes: how one JSON value of a service stands in the JSON that the plans write as XML.

`to_plan` and `from_plan` are inverse.  Numbers are `int` and `Decimal`, so that no digit is lost.
Both raise Mismatch with the path and the rule, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.simple import Namespaces, SimpleCodec, json_kind

Json = dict[str, Any]

MAX_DIGITS = 1000  # of a number written out: 1e999999999 is four characters and a gigabyte
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WITHHELD = "#withheld"

MAX_VAIN = 5_000  # alternatives tried in vain in one message: a hostile one nests them
_vain: ContextVar[int] = ContextVar("vain", default=0)


def start_counting() -> None:
    """Before each message that may hold alternatives."""
    _vain.set(0)


def _count_vain() -> None:
    count = _vain.get() + 1
    _vain.set(count)
    if count > MAX_VAIN:
        raise Mismatch("oneOf", "too many alternatives to try", "quá nhiều phương án phải thử")


class Shape:
    """`type_name`: the XSD type, local name of ours or `xs:…`; given out by the compiler."""

    def __init__(self, type_name: str = "") -> None:
        self.type_name = type_name
        self.label = ""  # what an alternative of this shape is called

    def to_plan(self, value: Any) -> Any:
        raise NotImplementedError

    def from_plan(self, value: Any) -> Any:
        raise NotImplementedError

    def fits(self, value: Any) -> bool:
        """Whether it may be a value of this shape, at a glance: what lies deeper is not looked at.

        Without it, alternatives in alternatives would be tried in all their combinations.
        """
        raise NotImplementedError

    def unknown(self, _value: Any) -> int:
        """How many members of `value` are not described: the fewer, the better it fits."""
        return 0


@dataclass(slots=True, eq=False)
class Use:
    """A shape in its place."""

    shape: Shape
    nullable: bool = False

    def to_plan(self, value: Any) -> Any:
        if value is None:
            if not self.nullable:
                raise Mismatch("nullable", "null is not allowed here", "không được để null")
            return None
        if isinstance(value, dict) and value.get(_WITHHELD) is True:
            return {_WITHHELD: True}
        return self.shape.to_plan(value)

    def from_plan(self, value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("#nil") is True:
                return None
            if "#text" in value:
                value = value["#text"]
        return None if value is None else self.shape.from_plan(value)


@dataclass(slots=True, eq=False)
class Facets:
    """Restrictions in the words of XSD, in the order in which they are written."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        self.found.append((name, str(value)))


class Simple(Shape):
    """A value that is one text in XML.  `codec` is the plan's, set when it is compiled."""

    kind = "string"

    def __init__(self, base: str, facets: Facets | None = None) -> None:
        super().__init__(f"xs:{base}")
        self.base = base
        self.facets = facets or Facets()
        self.label = base
        self.codec: SimpleCodec | None = None

    def judged(self, value: Any) -> Any:
        if self.codec is not None:
            self.codec.encode(value, Namespaces())
        return value

    def fits(self, value: Any) -> bool:
        try:
            self.to_plan(value)
        except Mismatch:
            return False
        return True

    def wrong(self, value: Any) -> Mismatch:
        return Mismatch(
            "type",
            f"a JSON {self.kind} is expected, not {_kind(value)}",
            f"cần kiểu JSON {self.kind}, không phải {_kind(value)}",
        )


class Text(Simple):
    def to_plan(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise self.wrong(value)
        return self.judged(value)

    def from_plan(self, value: Any) -> Any:
        return value


class Flag(Simple):
    kind = "boolean"

    def to_plan(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise self.wrong(value)
        return value

    def from_plan(self, value: Any) -> Any:
        return value


class Integer(Simple):
    """1.0 is an integer in JSON, too."""

    kind = "integer"

    def to_plan(self, value: Any) -> Any:
        exact = _exact(value, self)
        if exact != exact.to_integral_value():
            raise self.wrong(value)
        return self.judged(_written_out(exact).partition(".")[0])

    def from_plan(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > 2 * MAX_DIGITS:
            raise Mismatch("number", "too many digits", "quá nhiều chữ số")
        return int(value)


class Number(Simple):
    """xs:decimal: every digit stays.  xs:double only where the document says that it is one."""

    kind = "number"

    def to_plan(self, value: Any) -> Any:
        exact = _exact(value, self)
        return self.judged(str(exact) if self.base in {"double", "float"} else _written_out(exact))

    def from_plan(self, value: Any) -> Any:
        if isinstance(value, int | float):
            return value
        try:
            exact = Decimal(value)
        except InvalidOperation:
            raise self.wrong(value) from None
        if not exact.is_finite():
            raise Mismatch("type", "JSON has no such number", "JSON không có số này")
        return _number_of(value if _NUMBER.fullmatch(value) else _written_out(exact))


class Array(Shape):
    """`<item>` for each: so that absent, null, empty and nested arrays all differ."""

    def __init__(self, low: int = 0, high: int | None = None) -> None:
        super().__init__()
        self.item = Use(Shape())
        self.low, self.high = low, high
        self.label = "array"

    def to_plan(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise _expected("array", "mảng", value)
        if len(value) < self.low or (self.high is not None and len(value) > self.high):
            rule = "minItems" if len(value) < self.low else "maxItems"
            raise Mismatch(rule, f"{rule}: {len(value)} items", f"{rule}: có {len(value)} phần tử")
        return {"item": _each(self.item.to_plan, value)}

    def from_plan(self, value: Any) -> Any:
        return _each(self.item.from_plan, value.get("item", []))

    def fits(self, value: Any) -> bool:
        return isinstance(value, list)


@dataclass(slots=True, eq=False)
class Member:
    """A described member of an object. `element`: its name in XML."""

    key: str
    element: str
    use: Use
    required: bool


class Object(Shape):
    """Described members in the document's order, then the others as `entry` (key and value)."""

    def __init__(self) -> None:
        super().__init__()
        self.label = "object"
        self.members: list[Member] = []
        self.others: Use | None = None  # None: the document forbids others
        self.entry = "entry"
        self.low, self.high = 0, None  # of entries

    def to_plan(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise _expected("object", "đối tượng", value)
        found: Json = {}
        known = set()
        for member in self.members:
            known.add(member.key)
            if member.key in value:
                found[member.element] = _at(member.key, member.use.to_plan, value[member.key])
            elif member.required:
                raise _missing(member.key)
        others = [key for key in value if key not in known]
        if others:
            if self.others is None:
                raise _unknown(others[0])
            found[self.entry] = [
                {"key": key, "value": _at(key, self.others.to_plan, value[key])} for key in others
            ]
        return found

    def from_plan(self, value: Any) -> Any:
        found: Json = {}
        for member in self.members:
            if member.element in value:
                given = value[member.element]
                found[member.key] = _at(member.element, member.use.from_plan, given)
        if self.others is not None:
            for entry in value.get(self.entry, []):
                self._entry(entry, found, self.others)
        return found

    def _entry(self, entry: Json, found: Json, others: Use) -> None:
        key = entry["key"]
        if key in found or any(member.key == key for member in self.members):
            raise (
                Mismatch(
                    "entry",
                    "a member of this name has an element of its own, or comes twice",
                    "trường này có phần tử riêng hoặc lặp lại",
                )
                .at(key[:100])
                .at(self.entry)
            )
        found[key] = _at(key, others.from_plan, entry["value"])

    def fits(self, value: Any) -> bool:
        if not isinstance(value, dict) or (self.others is None and self.unknown(value)):
            return False
        return all(_may_hold(member, value) for member in self.members)

    def unknown(self, value: Any) -> int:
        known = {member.key for member in self.members}
        return sum(key not in known for key in value) if isinstance(value, dict) else 0


def _may_hold(member: Member, value: Json) -> bool:
    if member.key not in value:
        return not member.required
    given, use = value[member.key], member.use
    if given is None:
        return use.nullable
    return not isinstance(use.shape, Simple) or use.shape.fits(given)


@dataclass(slots=True, eq=False)
class Alternative:
    element: str
    use: Use
    tags: frozenset[str] = frozenset()  # values of the discriminator that mean this one


class Choice(Shape):
    """One element that names the alternative; JSON does not say which one it is.

    The discriminator decides where there is one; else of those that take the value the one that
    describes most of it, the first one of equals.
    """

    def __init__(self) -> None:
        super().__init__()
        self.label = "choice"
        self.alternatives: list[Alternative] = []
        self.discriminator = ""

    def to_plan(self, value: Any) -> Any:
        tag = value.get(self.discriminator) if isinstance(value, dict) else None
        for each in self.alternatives:
            if isinstance(tag, str) and tag in each.tags:
                return {each.element: each.use.to_plan(value)}
        fitting = [each for each in self.alternatives if each.use.shape.fits(value)]
        fitting.sort(key=lambda each: each.use.shape.unknown(value))
        for each in fitting:
            try:
                return {each.element: each.use.to_plan(value)}
            except Mismatch:
                _count_vain()
        raise Mismatch("oneOf", "none of the alternatives", "không khớp phương án nào")

    def from_plan(self, value: Any) -> Any:
        for each in self.alternatives:
            if each.element in value:
                return _at(each.element, each.use.from_plan, value[each.element])
        raise Mismatch("oneOf", "one element is expected", "cần một phần tử")

    def fits(self, value: Any) -> bool:
        return any(each.use.shape.fits(value) for each in self.alternatives)

    def unknown(self, value: Any) -> int:
        return min((each.use.shape.unknown(value) for each in self.alternatives), default=0)


class Anything(Shape):
    """Any JSON, kept exactly: numbers as their text, objects as entries."""

    def __init__(self) -> None:
        super().__init__("Json")
        self.label = "any"
        self._use = Use(self, nullable=True)

    def to_plan(self, value: Any) -> Any:
        if isinstance(value, bool):
            return {"boolean": value}
        if isinstance(value, str):
            return {"string": value}
        if isinstance(value, int | float | Decimal):
            return {"number": str(value)}
        if isinstance(value, list):
            return {"array": {"item": _each(self._use.to_plan, value)}}
        if isinstance(value, dict):
            entries = [{"key": k, "value": _at(k, self._use.to_plan, v)} for k, v in value.items()]
            return {"object": {"entry": entries}}
        raise _expected("value", "giá trị", value)

    def from_plan(self, value: Any) -> Any:
        if "array" in value:
            return _each(self._use.from_plan, value["array"].get("item", []))
        if "object" in value:
            return self._object(value["object"])
        if "number" in value:
            return _number_of(value["number"])
        return value["boolean"] if "boolean" in value else value["string"]

    def _object(self, value: Json) -> Json:
        found: Json = {}
        for entry in value.get("entry", []):
            if entry["key"] in found:
                raise Mismatch("entry", "comes twice", "lặp lại").at(entry["key"][:100])
            found[entry["key"]] = _at(entry["key"], self._use.from_plan, entry["value"])
        return found

    def fits(self, value: Any) -> bool:
        return value is not None

    def unknown(self, value: Any) -> int:
        return len(value) + 1 if isinstance(value, dict) else 1


def _exact(value: Any, shape: Simple) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise shape.wrong(value)
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if not exact.is_finite() or abs(exact.adjusted()) > MAX_DIGITS:
        raise Mismatch("number", "too large or too small", "số quá lớn hoặc quá nhỏ")
    return exact


def _written_out(exact: Decimal) -> str:
    if abs(exact.adjusted()) > MAX_DIGITS or len(exact.as_tuple().digits) > 2 * MAX_DIGITS:
        raise Mismatch("number", "too many digits", "quá nhiều chữ số")
    return format(exact, "f")


def _number_of(text: str) -> int | Decimal:
    """The number that `text` is, digit by digit."""
    return (
        int(text)
        if len(text) < 16 and text.lstrip("-").isdigit() and text != "-0"
        else Decimal(text)
    )


def _each(change: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    return [_at(index, change, value) for index, value in enumerate(values)]


def _at(step: str | int, change: Callable[[Any], Any], value: Any) -> Any:
    try:
        return change(value)
    except Mismatch as error:
        raise error.at(step[:100] if isinstance(step, str) else step) from None


def _kind(value: Any) -> str:
    return "number" if isinstance(value, Decimal) else json_kind(value)


def _expected(en: str, vi: str, value: Any) -> Mismatch:
    got = _kind(value)
    return Mismatch(
        "type", f"a JSON {en} is expected, not {got}", f"cần {vi} JSON, không phải {got}"
    )


def _missing(key: str) -> Mismatch:
    return Mismatch("required", "a required value is missing", "thiếu giá trị bắt buộc").at(key)


def _unknown(key: str) -> Mismatch:
    return Mismatch(
        "additionalProperties", "the document has no such member", "đặc tả không có trường này"
    ).at(key[:100])
