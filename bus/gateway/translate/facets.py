"""Checks of XSD facets (XSD 1.0 part 2, section 4.3) on the normalised text of a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from bus.gateway.translate import names
from bus.gateway.translate.components import SimpleType
from bus.gateway.translate.failure import Mismatch
from schemas.xml import simple_type_matcher

_NUMERIC = {"decimal", "float", "double"}
_EXOTIC = re.compile(r"\\[^nrt\\|.?*+(){}\-\[\]^d]|-\[|\[[^\]]*\[|[$]|\^(?<!\[\^)|\(\?")

Check = Callable[[str], None]


def facet_checks(kind: SimpleType) -> list[Check]:
    facets = kind.facets
    found: list[Check] = [_pattern(alternatives) for alternatives in facets.patterns]
    if facets.enumeration is not None and kind.builtin not in {"QName", "NOTATION"}:
        found.append(_enumeration(kind, facets.enumeration))
    found += _lengths(kind)
    if kind.variety == "atomic" and _is_number(kind):
        found += _bounds(kind) + _digits(kind)
    return found


def _is_number(kind: SimpleType) -> bool:
    base: SimpleType | None = kind
    while base is not None:
        if names.local(base.name or "") in _NUMERIC:
            return True
        base = base.base
    return False


def _pattern(alternatives: list[str]) -> Check:
    matches = pattern_matcher(alternatives)

    def check(text: str) -> None:
        if not matches(text):
            raise Mismatch("pattern", "does not match the pattern", "không khớp mẫu quy định")

    return check


def pattern_matcher(alternatives: list[str]) -> Callable[[str], bool]:
    r"""Python's expressions where they mean the same; libxml2's for the rest (\\p, \\i, \\c …)."""
    python = python_pattern(alternatives)
    if python is not None:
        compiled = re.compile(python)
        return lambda text: compiled.fullmatch(text) is not None
    return simple_type_matcher(alternatives)


def python_pattern(alternatives: list[str]) -> str | None:
    """The patterns as one expression of Python, if each is in the common subset."""
    for each in alternatives:
        if _EXOTIC.search(each):
            return None
    joined = "|".join(f"(?:{each})" for each in alternatives)
    joined = _dots(joined)
    try:
        re.compile(joined)
    except (re.error, OverflowError, FutureWarning):
        return None
    return joined


def _dots(pattern: str) -> str:
    """`.` outside a class does not match CR in XSD."""
    out, in_class, escaped = [], False, False
    for char in pattern:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        elif char == "." and not in_class:
            out.append(r"[^\n\r]")
            continue
        out.append(char)
    return "".join(out)


_BLANKS = re.compile("[ \\t\\r\\n]+")


def words(text: str) -> list[str]:
    """Items of a list. White space is these four (XML Schema Part 2, 4.3.6): others, such as the
    no-break space, belong to an item.
    """
    if text.isascii():  # whatever else str.split takes for blank is no character of XML
        return text.split()
    return [word for word in _BLANKS.split(text) if word]


def collapsed(text: str) -> str:
    """whiteSpace="collapse"."""
    return " ".join(words(text))


def _enumeration(kind: SimpleType, values: list[str]) -> Check:
    number = kind.variety == "atomic" and _is_number(kind)
    collapse = kind.whitespace == "collapse" and kind.variety != "union"
    allowed = {collapsed(each) if collapse else each for each in values}
    numbers = {_decimal(each) for each in values} if number else set()

    def check(text: str) -> None:
        if text not in allowed and not (number and _decimal(text) in numbers):
            raise Mismatch("enumeration", "not one of the values listed", "ngoài danh mục")

    return check


def _lengths(kind: SimpleType) -> list[Check]:
    facets, measure = kind.facets, _measure(kind)
    found: list[Check] = []
    if facets.length is not None:
        found.append(_length("length", facets.length, facets.length, measure))
    if facets.min_length is not None:
        found.append(_length("minLength", facets.min_length, None, measure))
    if facets.max_length is not None:
        found.append(_length("maxLength", 0, facets.max_length, measure))
    return found


def _measure(kind: SimpleType) -> Callable[[str], int]:
    if kind.variety == "list":
        return lambda text: len(words(text))
    if kind.builtin == "hexBinary":
        return lambda text: len(text) // 2
    if kind.builtin == "base64Binary":
        return _base64_length
    return len


def _base64_length(text: str) -> int:
    bare = "".join(text.split())
    return len(bare) // 4 * 3 - bare[-2:].count("=")


def _length(rule: str, low: int, high: int | None, measure: Callable[[str], int]) -> Check:
    limit = low if high is None else high

    def check(text: str) -> None:
        size = measure(text)
        if size < low or (high is not None and size > high):
            raise Mismatch(
                rule, f"{rule} is {limit}, this has {size}", f"{rule} là {limit}, giá trị có {size}"
            )

    return check


def _bounds(kind: SimpleType) -> list[Check]:
    facets = kind.facets
    rules: list[tuple[str, str | None, Callable[[Decimal, Decimal], bool]]] = [
        ("minInclusive", facets.min_inclusive, lambda value, bound: value >= bound),
        ("minExclusive", facets.min_exclusive, lambda value, bound: value > bound),
        ("maxInclusive", facets.max_inclusive, lambda value, bound: value <= bound),
        ("maxExclusive", facets.max_exclusive, lambda value, bound: value < bound),
    ]
    return [_bound(rule, bound, holds) for rule, bound, holds in rules if bound is not None]


def _bound(rule: str, written: str, holds: Callable[[Decimal, Decimal], bool]) -> Check:
    bound = _decimal(written)

    def check(text: str) -> None:
        value = _decimal(text)
        if value is None or bound is None or value.is_nan() or not holds(value, bound):
            raise Mismatch(rule, f"{rule} is {written}", f"{rule} là {written}")

    return check


def _digits(kind: SimpleType) -> list[Check]:
    total, fraction = kind.facets.total_digits, kind.facets.fraction_digits

    def check(text: str) -> None:
        whole, _, part = text.lstrip("+-").partition(".")
        whole, part = whole.lstrip("0"), part.rstrip("0")
        if total is not None and len(whole) + len(part) > total:
            raise Mismatch("totalDigits", f"at most {total} digits", f"tối đa {total} chữ số")
        if fraction is not None and len(part) > fraction:
            raise Mismatch(
                "fractionDigits",
                f"at most {fraction} digits after the point",
                f"tối đa {fraction} chữ số thập phân",
            )

    return [check] if total is not None or fraction is not None else []


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip().replace("INF", "Infinity"))
    except InvalidOperation:
        return None
