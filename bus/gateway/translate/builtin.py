"""The built-in types (XSD 1.0 part 2, section 3): what each derives from and how it is written."""

from __future__ import annotations

import re
from typing import Literal

from bus.gateway.translate.components import ComplexType, Facets, Group, SimpleType, Wildcard
from bus.gateway.translate.names import XSD, clark

_INT = r"[+-]?[0-9]+"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
_YEAR = r"-?(?:[1-9][0-9]{3,}|0[0-9]{3})"
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
_NCNAME = r"[^\W\d][\w.\-·]*"  # near enough to XML 1.0 names: letters, digits, . - _ ·
_NAME = r"[:]|[^\W\d:][\w.\-·:]*|:[\w.\-·:]+"
_DURATION = (
    r"-?P(?=[0-9T])(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
    r"(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?"
)
_B64 = r"(?:(?:[A-Za-z0-9+/]\s*){4})*(?:(?:[A-Za-z0-9+/]\s*){2}=\s*=|(?:[A-Za-z0-9+/]\s*){3}=)?\s*"

LEXICAL: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "boolean": r"true|false|1|0",
        "decimal": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)",
        "integer": _INT,
        "double": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?|-?INF|NaN",
        "dateTime": rf"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}",
        "date": rf"{_YEAR}-{_MONTH}-{_DAY}{_ZONE}",
        "time": rf"{_TIME}{_ZONE}",
        "gYear": rf"{_YEAR}{_ZONE}",
        "gYearMonth": rf"{_YEAR}-{_MONTH}{_ZONE}",
        "gMonth": rf"--{_MONTH}{_ZONE}",
        "gMonthDay": rf"--{_MONTH}-{_DAY}{_ZONE}",
        "gDay": rf"---{_DAY}{_ZONE}",
        "duration": _DURATION,
        "hexBinary": r"(?:[0-9a-fA-F]{2})*",
        "base64Binary": _B64,
        "language": r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*",
        "Name": _NAME,
        "NCName": _NCNAME,
        "NMTOKEN": r"[\w.\-·:]+",
        "QName": rf"(?:{_NCNAME}:)?{_NCNAME}",
    }.items()
}
LEXICAL["float"] = LEXICAL["double"]
for _alias in ("ID", "IDREF", "ENTITY"):
    LEXICAL[_alias] = LEXICAL["NCName"]
LEXICAL["NOTATION"] = LEXICAL["QName"]

RANGES: dict[str, tuple[int | None, int | None]] = {
    "integer": (None, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-128, 127),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 255),
}

_BASES = {
    "normalizedString": "string",
    "token": "normalizedString",
    "language": "token",
    "NMTOKEN": "token",
    "Name": "token",
    "NCName": "Name",
    "ID": "NCName",
    "IDREF": "NCName",
    "ENTITY": "NCName",
    "integer": "decimal",
    "nonPositiveInteger": "integer",
    "negativeInteger": "nonPositiveInteger",
    "long": "integer",
    "int": "long",
    "short": "int",
    "byte": "short",
    "nonNegativeInteger": "integer",
    "unsignedLong": "nonNegativeInteger",
    "unsignedInt": "unsignedLong",
    "unsignedShort": "unsignedInt",
    "unsignedByte": "unsignedShort",
    "positiveInteger": "nonNegativeInteger",
}
_PRIMITIVES = (
    "string", "boolean", "decimal", "float", "double", "duration", "dateTime", "time", "date",
    "gYearMonth", "gYear", "gMonthDay", "gDay", "gMonth", "hexBinary", "base64Binary", "anyURI",
    "QName", "NOTATION",
)  # fmt: skip
_LISTS = {"NMTOKENS": "NMTOKEN", "IDREFS": "IDREF", "ENTITIES": "ENTITY"}


def _whitespace(name: str) -> Literal["preserve", "replace", "collapse"]:
    if name in {"string", "anySimpleType"}:
        return "preserve"
    return "replace" if name == "normalizedString" else "collapse"


def _simple(name: str, base: SimpleType | None) -> SimpleType:
    return SimpleType(clark(XSD, name), builtin=name, whitespace=_whitespace(name), base=base)


def _all() -> dict[str, SimpleType | ComplexType]:
    root = _simple("anySimpleType", None)
    found: dict[str, SimpleType] = {"anySimpleType": root}
    for name in _PRIMITIVES:
        found[name] = _simple(name, root)
    for name, base in _BASES.items():
        found[name] = _simple(name, found[base])
    for name, item in _LISTS.items():
        found[name] = SimpleType(
            clark(XSD, name),
            variety="list",
            item=found[item],
            base=root,
            facets=Facets(min_length=1),
        )
    types: dict[str, SimpleType | ComplexType] = {clark(XSD, k): v for k, v in found.items()}
    types[clark(XSD, "anyType")] = ANY_TYPE
    return types


ANY_TYPE = ComplexType(
    clark(XSD, "anyType"),
    mixed=True,
    content=Group("sequence", [Wildcard(None, process="lax", min=0, max=-1)]),
    any_attribute=Wildcard(None, process="lax"),
)
TYPES = _all()
STRING = TYPES[clark(XSD, "string")]
