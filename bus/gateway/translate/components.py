"""Components of an XML Schema after resolution (XSD 1.0 part 1, section 3), as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

UNBOUNDED = -1


@dataclass(slots=True)
class Facets:
    """Restrictions on a value. `patterns`: all must match, each being alternatives joined."""

    patterns: list[list[str]] = field(default_factory=list)
    enumeration: list[str] | None = None
    length: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_inclusive: str | None = None
    min_exclusive: str | None = None
    max_inclusive: str | None = None
    max_exclusive: str | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None


@dataclass(slots=True, eq=False)
class SimpleType:
    """`builtin` is the nearest built-in ancestor's local name (of an atomic type)."""

    name: str | None
    variety: Literal["atomic", "list", "union"] = "atomic"
    builtin: str = "string"
    item: SimpleType | None = None
    members: list[SimpleType] = field(default_factory=list)
    facets: Facets = field(default_factory=Facets)
    whitespace: Literal["preserve", "replace", "collapse"] = "collapse"
    base: SimpleType | None = None
    doc: str = ""


@dataclass(slots=True, eq=False)
class Wildcard:
    """`namespaces`: None is any; else those allowed ("" is no namespace); `negated` turns it."""

    namespaces: frozenset[str] | None
    negated: bool = False
    process: Literal["strict", "lax", "skip"] = "strict"
    min: int = 1
    max: int = 1

    def allows(self, namespace: str) -> bool:
        if self.namespaces is None:
            return True
        return (namespace in self.namespaces) != self.negated


@dataclass(slots=True, eq=False)
class Element:
    """An element declaration. `type` may be filled in after construction (recursion)."""

    name: str
    type: AnyType
    nillable: bool = False
    default: str | None = None
    fixed: str | None = None
    abstract: bool = False
    expected_mime: str = ""  # xmlmime:expectedContentTypes
    top: bool = False
    doc: str = ""
    block_substitution: bool = False


@dataclass(slots=True, eq=False)
class ElementUse:
    element: Element
    min: int = 1
    max: int = 1


@dataclass(slots=True, eq=False)
class Group:
    kind: Literal["sequence", "choice", "all"]
    items: list[Particle]
    min: int = 1
    max: int = 1


Particle = ElementUse | Group | Wildcard


@dataclass(slots=True, eq=False)
class Attribute:
    name: str
    type: SimpleType
    required: bool = False
    default: str | None = None
    fixed: str | None = None


@dataclass(slots=True, eq=False)
class ComplexType:
    """`simple` is set for simpleContent; otherwise `content` may be None (empty).

    `array_of`: the element type of a SOAP-encoded array (SOAP 1.1 section 5.4), as a QName.
    """

    name: str | None
    base: AnyType | None = None
    derivation: Literal["extension", "restriction", ""] = ""
    abstract: bool = False
    mixed: bool = False
    simple: SimpleType | None = None
    content: Group | None = None
    attributes: dict[str, Attribute] = field(default_factory=dict)
    any_attribute: Wildcard | None = None
    array_of: str = ""
    doc: str = ""


AnyType = SimpleType | ComplexType
