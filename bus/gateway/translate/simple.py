"""Simple values both ways: the text of XML and the JSON value (deploy/docs/xml-json-mapping.md).

`decode` trusts that the text is valid where a schema has judged it; `encode` checks everything,
since nobody has judged JSON.  A text that is not the one `encode` would write for the same value
(`007`, `1` for true, blanks) comes as `Raw`, so that nothing is lost.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from bus.gateway.translate import builtin
from bus.gateway.translate.components import SimpleType
from bus.gateway.translate.facets import collapsed, facet_checks, words
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XML, clark, split

SAFE_INTEGER = 2**53 - 1
_BREAKS = str.maketrans("\t\n\r", "   ")
_REAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")


@dataclass(slots=True)
class Raw:
    """A value, and the text that stood for it where that is not the usual one."""

    value: object
    lexical: str


class Namespaces(dict[str, str]):
    """Namespace → prefix of one document being written; grows by what values name.

    `binaries` collects what goes into attachments of its own (MTOM), by the token left in place.
    """

    binaries: dict[str, bytes] | None = None
    reserved: Mapping[str, str] = {}

    def reserve(self, prefixes: Mapping[str, str]) -> None:
        """The contract's own prefixes, for the namespaces that are not yet declared."""
        self.reserved = prefixes

    def prefix(self, namespace: str) -> str:
        if namespace not in self:
            self[namespace] = self.reserved.get(namespace) or f"v{len(self)}"
        return self[namespace]


Check = Callable[[str], None]


class SimpleCodec:
    """Text types: the JSON value is the text, white space normalised as the type says."""

    json_type = "string"

    def __init__(self, kind: SimpleType) -> None:
        self.kind = kind
        self.builtin = kind.builtin
        self.lexical = builtin.LEXICAL.get(kind.builtin)
        self.checks: list[Check] = facet_checks(kind)
        self.free = not self.checks and self.lexical is None and kind.whitespace == "preserve"
        self.collapses = (
            type(self).decode is SimpleCodec.decode
            and kind.whitespace == "collapse"
            and kind.builtin != "base64Binary"
        )

    def decode(self, text: str, _node: etree._Element) -> object:
        if self.kind.whitespace == "preserve":
            return text
        value = self.normal(text)
        return value if value == text else Raw(value, text)

    def encode(self, value: object, _namespaces: Namespaces) -> str:
        if type(value) is not str:
            return self.other(value)
        if self.free:
            return value
        self.check(self.normal(value))
        return value

    def check(self, text: str) -> None:
        """Raises Mismatch unless the normalised text is of this type."""
        if self.lexical is not None and not self.lexical.fullmatch(text):
            raise not_a(self.builtin)
        for check in self.checks:
            check(text)

    def normal(self, text: str) -> str:
        if self.kind.whitespace == "collapse":
            if self.builtin == "base64Binary":
                return text.strip(" \t\r\n")  # line breaks inside stay: they are not worth a copy
            return collapsed(text)
        if self.kind.whitespace == "replace":
            return text.translate(_BREAKS)
        return text

    def other(self, value: object) -> str:
        if isinstance(value, Raw):
            return value.lexical
        raise Mismatch(
            f"xs:{self.builtin}",
            f"a JSON {self.json_type} is expected, not {json_kind(value)}",
            f"cần kiểu JSON {self.json_type}, không phải {json_kind(value)}",
        )


class BooleanCodec(SimpleCodec):
    json_type = "boolean"

    def decode(self, text: str, _node: etree._Element) -> object:
        if text == "true":
            return True
        if text == "false":
            return False
        bare = text.strip()
        if bare not in {"true", "false", "1", "0"}:
            raise not_a("boolean")
        return Raw(bare in {"true", "1"}, text)

    def encode(self, value: object, _namespaces: Namespaces) -> str:
        if value is True:
            return "true"
        if value is False:
            return "false"
        return self.other(value)


class IntegerCodec(SimpleCodec):
    """A JSON number within ±(2^53 - 1), which every JSON reader keeps; a string beyond."""

    json_type = "integer"

    def __init__(self, kind: SimpleType) -> None:
        super().__init__(kind)
        low, high = builtin.RANGES[kind.builtin]
        self.low, self.high = low, high
        self.lexical = builtin.LEXICAL["integer"]

    def decode(self, text: str, _node: etree._Element) -> object:
        try:
            value = int(text)
        except ValueError:
            if len(text) > 4000:
                return text.strip()
            raise not_a(self.builtin) from None
        written = str(value)
        shown: object = value if -SAFE_INTEGER <= value <= SAFE_INTEGER else written
        return shown if written == text else Raw(shown, text)

    def encode(self, value: object, _namespaces: Namespaces) -> str:
        if type(value) is float and value.is_integer() and abs(value) <= SAFE_INTEGER:
            value = int(value)  # 35.0 is an integer to JSON Schema, and loses nothing
        if type(value) is int:
            text = str(value)
        elif type(value) is str:
            text = value.strip()
            if len(text) > 4000 or not builtin.LEXICAL["integer"].fullmatch(text):
                raise not_a(self.builtin)
            value = int(text)
        else:
            return self.other(value)
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            raise not_a(self.builtin)
        for check in self.checks:
            check(text)
        return text


class DecimalCodec(SimpleCodec):
    """A string with the digits as written: JSON numbers lose them."""

    def encode(self, value: object, namespaces: Namespaces) -> str:
        if type(value) is int:
            value = str(value)
        elif isinstance(value, Decimal):
            value = format(value, "f")
        elif type(value) is float:
            raise Mismatch(
                "xs:decimal",
                "a decimal is sent as a string: a JSON number loses digits",
                "số thập phân gửi dạng chuỗi: số JSON làm mất chữ số",
            )
        return super().encode(value, namespaces)


class RealCodec(SimpleCodec):
    """float and double: JSON numbers; INF, -INF and NaN as strings."""

    json_type = "number"

    def decode(self, text: str, _node: etree._Element) -> object:
        bare = text.strip()
        if not self.lexical or not self.lexical.fullmatch(bare):
            raise not_a(self.builtin)
        if bare in {"INF", "-INF", "NaN"}:
            return bare if bare == text else Raw(bare, text)
        value: object = float(bare)
        if _REAL.fullmatch(bare) and bare.lstrip("-").isdigit() and len(bare) < 16:
            value = int(bare)
        if value in {float("inf"), float("-inf")}:
            return bare if bare == text else Raw(bare, text)
        return value if _number(value) == text else Raw(value, text)

    def encode(self, value: object, _namespaces: Namespaces) -> str:
        if type(value) in {int, float}:
            text = _number(value)
        elif type(value) is str:
            text = value.strip()
        else:
            return self.other(value)
        self.check(text)
        return text


class QNameCodec(SimpleCodec):
    """`{namespace}local` in JSON; prefixes are a matter of the document."""

    def decode(self, text: str, node: etree._Element) -> object:
        prefix, colon, name = text.strip().rpartition(":")
        if colon and prefix == "xml":
            return clark(XML, name)
        if colon and prefix not in node.nsmap:
            raise not_a("QName")
        return clark(node.nsmap.get(prefix if colon else None), name)

    def encode(self, value: object, namespaces: Namespaces) -> str:
        if type(value) is not str:
            return self.other(value)
        namespace, name = split(value)
        self.check_name(value, name)
        return f"{namespaces.prefix(namespace)}:{name}" if namespace else name

    def check_name(self, value: str, name: str) -> None:
        if not builtin.LEXICAL["NCName"].fullmatch(name):
            raise not_a("QName")
        allowed = self.kind.facets.enumeration
        if allowed is not None and value not in allowed:
            raise Mismatch("enumeration", "not one of the values listed", "ngoài danh mục")


class Base64Codec(SimpleCodec):
    """Base64 text as it is; with MTOM, a token that stands for an attachment."""

    def encode(self, value: object, namespaces: Namespaces) -> str:
        text = super().encode(value, namespaces)
        if namespaces.binaries is None or isinstance(value, Raw):
            return text
        token = f"xop-{secrets.token_hex(16)}"
        namespaces.binaries[token] = base64.b64decode(text)
        return token


class ListCodec(SimpleCodec):
    json_type = "array"

    def __init__(self, kind: SimpleType, item: SimpleCodec) -> None:
        super().__init__(kind)
        self.item, self.lexical, self.builtin = item, None, "list"

    def decode(self, text: str, node: etree._Element) -> object:
        values: list[object] = []
        usual = True
        for part in words(text):
            value = self.item.decode(part, node)
            if isinstance(value, Raw):
                value, usual = value.value, False
            values.append(value)
        return values if usual and collapsed(text) == text else Raw(values, text)

    def encode(self, value: object, namespaces: Namespaces) -> str:
        if type(value) is not list:
            return self.other(value)
        parts = []
        for index, each in enumerate(value):
            try:
                parts.append(_one_word(self.item.encode(each, namespaces)))
            except Mismatch as error:
                raise error.at(index) from None
        text = " ".join(parts)
        for check in self.checks:
            check(text)
        return text


class UnionCodec(SimpleCodec):
    """The first member type that takes the value."""

    json_type = "value of one member type"

    def __init__(self, kind: SimpleType, members: list[SimpleCodec]) -> None:
        super().__init__(kind)
        self.members, self.lexical, self.builtin = members, None, "union"

    def decode(self, text: str, node: etree._Element) -> object:
        for member in self.members:
            try:
                value = member.decode(text, node)
                shown = value.value if isinstance(value, Raw) else value
                member.encode(shown, Namespaces())
            except Mismatch:
                continue
            return value
        raise not_a("union")

    def encode(self, value: object, namespaces: Namespaces) -> str:
        if isinstance(value, Raw):
            return value.lexical
        for member in self.members:
            try:
                text = member.encode(value, namespaces)
            except Mismatch:
                continue
            for check in self.checks:
                check(text)
            return text
        raise not_a("union")


def simple_codec(kind: SimpleType) -> SimpleCodec:
    if kind.variety == "list" and kind.item is not None:
        return ListCodec(kind, simple_codec(kind.item))
    if kind.variety == "union":
        return UnionCodec(kind, [simple_codec(each) for each in kind.members])
    if kind.builtin in builtin.RANGES:
        return IntegerCodec(kind)
    return _BY_NAME.get(kind.builtin, SimpleCodec)(kind)


_BY_NAME: Mapping[str, type[SimpleCodec]] = {
    "boolean": BooleanCodec,
    "base64Binary": Base64Codec,
    "decimal": DecimalCodec,
    "float": RealCodec,
    "double": RealCodec,
    "QName": QNameCodec,
    "NOTATION": QNameCodec,
}


def not_a(name: str) -> Mismatch:
    rule = name if name in {"list", "union"} else f"xs:{name}"
    return Mismatch(rule, f"not a value of {rule}", f"không phải giá trị kiểu {rule}")


def json_kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _number(value: object) -> str:
    if type(value) is float and value.is_integer() and abs(value) < 1e16:
        return str(int(value)) if str(value) != "-0.0" else "-0.0"
    return str(value)


def _one_word(text: str) -> str:
    if not text or words(text) != [text]:
        raise Mismatch(
            "list", "an item without blanks is expected", "phần tử không được có dấu cách"
        )
    return text
