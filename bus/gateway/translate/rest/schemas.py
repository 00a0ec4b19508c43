"""From JSON Schema to shapes, and the XSD types they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal

from bus.gateway.translate.builtin import LEXICAL, RANGES
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.rest.document import Document
from bus.gateway.translate.rest.flat import ANNOTATIONS, flat, reference_of, types_of, values_of
from bus.gateway.translate.rest.names import Names, xml_name
from bus.gateway.translate.rest.patterns import xsd_pattern
from bus.gateway.translate.rest.shapes import (
    Alternative,
    Anything,
    Array,
    Choice,
    Facets,
    Flag,
    Integer,
    Member,
    Number,
    Object,
    Shape,
    Simple,
    Text,
    Use,
)
from schemas.errors import InvalidContract

Json = dict[str, Any]

MAX_SHAPES = 20_000
MAX_STATED = 500  # of minItems and maxItems
JSON_TYPES = ("Json", "JsonArray", "JsonObject", "JsonEntry", "JsonNumber")
_FORMATS = {
    "date": "date",
    "date-time": "dateTime",
    "time": "time",
    "duration": "duration",
    "byte": "base64Binary",
}
_INTEGERS = {"int32": "int", "int64": "long"}
_RULES = ("not", "if", "propertyNames", "dependentSchemas", "dependentRequired", "contains",
          "uniqueItems", "multipleOf", "minProperties", "maxProperties")  # fmt: skip


Rules = Literal["all", "no patterns", "none"]  # which facets the WSDL states


class Schemas:
    """All shapes of one document.  `notes`: rules that the WSDL does not state, by place.

    No value is lost by such a rule; the service itself still holds to it.
    """

    def __init__(self, document: Document, *, rules: Rules = "all") -> None:
        self._document = document
        self._rules = rules
        self._names = Names(*JSON_TYPES)
        self._by_reference: dict[str, Use] = {}
        self._count = 0
        self.types: dict[str, Shape] = {}  # by name, in the order in which they were met
        self.simples: list[Simple] = []
        self.notes: dict[str, None] = {}
        self.anything = Anything()

    @contextmanager
    def whole_or_nothing(self) -> Iterator[None]:
        """What an operation that fails has begun is forgotten."""
        names, references, types = self._names.copy(), dict(self._by_reference), dict(self.types)
        simples, notes = list(self.simples), dict(self.notes)
        try:
            yield
        except InvalidContract:
            self._names, self._by_reference, self.types = names, references, types
            self.simples, self.notes = simples, notes
            raise

    def use(self, schema: Any, hint: str) -> Use:
        """`hint` names the type where the document does not.  Raises InvalidContract."""
        self._count += 1
        if self._count > MAX_SHAPES:
            raise bad_contract("too many schemas", vi="Quá nhiều lược đồ", limit=MAX_SHAPES)
        reference = reference_of(schema)
        if reference is None:
            return self._made(flat(self._document, schema), hint, None)
        found = self._by_reference.get(reference)
        if found is None:
            name = xml_name(reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~"))
            worked = flat(self._document, {"$ref": reference})
            found = self._made(worked, name, reference)
        aside = isinstance(schema, dict) and schema.get("nullable") is True
        return Use(found.shape, found.nullable or aside)

    def _made(self, schema: Json, hint: str, reference: str | None) -> Use:
        alternatives, nullable = self._alternatives(schema)
        if len(alternatives) == 1:
            schema, more = self._single(schema, alternatives[0])
            alternatives = []
            if more:
                found = self.use({**schema}, hint)
                return self._keep(reference, Use(found.shape, found.nullable or nullable))
        types, also = types_of(schema)
        nullable = nullable or also
        heirs = self._heirs(schema, reference) if reference and not alternatives else []
        if alternatives or heirs:
            return self._choice(schema, alternatives, heirs, hint, reference, nullable=nullable)
        if len(types) > 1:
            each = [{**schema, "type": kind} for kind in types]
            return self._choice({}, each, [], hint, reference, nullable=nullable)
        if not types:
            nothing = "null" in _listed(schema.get("type"))
            if not nothing:
                self._noted(schema, hint)
            return self._keep(reference, Use(self.anything, nullable=True))
        return self._one(types[0], schema, hint, reference, nullable=nullable)

    def _keep(self, reference: str | None, use: Use) -> Use:
        if reference is not None:
            self._by_reference[reference] = use
        return use

    def _one(
        self, kind: str, schema: Json, hint: str, reference: str | None, *, nullable: bool
    ) -> Use:
        makers: dict[str, Callable[[Json, str], Shape]] = {
            "string": self._text,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _schema, _hint: Flag("boolean"),
        }
        self._noted(schema, hint)
        if kind in makers:
            shape = makers[kind](schema, hint)
            assert isinstance(shape, Simple)  # noqa: S101 - these are simple
            if self._rules == "none" and shape.facets.found:
                self._note(hint, "facets")
                shape.facets.found.clear()
            if shape.facets.found:
                self._register(shape, hint)
            self.simples.append(shape)
            return self._keep(reference, Use(shape, nullable))
        if kind == "object":
            made = Object()
            self._register(made, hint)
            use = self._keep(reference, Use(made, nullable))
            self._object(made, schema)
            return use
        if kind == "array":
            listed = self._array(schema, hint)
            self._register(listed, hint)
            use = self._keep(reference, Use(listed, nullable))
            listed.item = self.use(_items(schema), f"{listed.type_name}Item")
            return use
        raise bad_contract(f"unknown type {kind} at {hint}", vi=f"Kiểu lạ {kind} ở {hint}")

    def _array(self, schema: Json, hint: str) -> Array:
        """Large numbers stay unsaid: validators of XSD build an automaton of that size."""
        low, high = _count(schema.get("minItems")) or 0, _count(schema.get("maxItems"))
        if low > MAX_STATED or (high is not None and not low <= high <= MAX_STATED):
            self._note(hint, "minItems, maxItems")
            return Array()
        return Array(low, high)

    def _register(self, shape: Shape, hint: str) -> None:
        shape.type_name = self._names.unique(hint)
        self.types[shape.type_name] = shape

    # --- alternatives ---

    def _alternatives(self, schema: Json) -> tuple[list[Any], bool]:
        """Of oneOf or anyOf, null put aside; none where they are only rules."""
        given = schema.get("oneOf") or schema.get("anyOf")
        if not isinstance(given, list):
            return [], False
        found = [each for each in given if not _is_null(each)]
        ruled = all(
            isinstance(each, dict) and not (each.keys() - {"required", "not", *ANNOTATIONS})
            for each in found
        )
        return ([], False) if ruled else (found, len(found) < len(given))

    def _single(self, schema: Json, alternative: Any) -> tuple[Json, bool]:
        rest = {k: v for k, v in schema.items() if k not in {"oneOf", "anyOf", *ANNOTATIONS}}
        rest.pop("discriminator", None)
        if not rest:
            return alternative if isinstance(alternative, dict) else {}, True
        return {"allOf": [rest, alternative]}, True

    def _heirs(self, schema: Json, reference: str) -> list[str]:
        """Those that extend a schema with a discriminator by allOf: any of them may stand there."""
        if not isinstance(schema.get("discriminator"), dict):
            return []
        found = []
        for name, each in self._document.schemas.items():
            parts = each.get("allOf") if isinstance(each, dict) else None
            if any(isinstance(p, dict) and p.get("$ref") == reference for p in _listed(parts)):
                found.append(f"#/components/schemas/{name.replace('~', '~0').replace('/', '~1')}")
        return found

    def _choice(
        self,
        schema: Json,
        alternatives: list[Any],
        heirs: list[str],
        hint: str,
        reference: str | None,
        *,
        nullable: bool,
    ) -> Use:
        shape = Choice()
        self._register(shape, hint)
        nullable = nullable or any(types_of(flat(self._document, e))[1] for e in alternatives)
        use = self._keep(reference, Use(shape, nullable))
        rest = {k: v for k, v in schema.items() if k not in {"oneOf", "anyOf", *ANNOTATIONS}}
        tags = rest.pop("discriminator", None)
        shape.discriminator = str(tags.get("propertyName", "")) if isinstance(tags, dict) else ""
        given = tags.get("mapping") if isinstance(tags, dict) else None
        mapping = given if isinstance(given, dict) else {}
        names = Names()
        for each in alternatives:
            merged = {"allOf": [rest, each]} if rest else each
            self._add(shape, names, each, self.use(merged, f"{shape.type_name}Option"), mapping)
        if heirs:  # the base first: what no heir describes better is of it
            own = self._made({**rest, "type": "object"}, f"{shape.type_name}Base", None)
            self._add(shape, names, {"$ref": reference}, own, mapping)
        for heir in heirs:
            self._add(shape, names, {"$ref": heir}, self.use({"$ref": heir}, hint), mapping)
        use.nullable = nullable or any(each.use.nullable for each in shape.alternatives)
        return use

    def _add(
        self, shape: Choice, names: Names, schema: Any, use: Use, mapping: dict[str, str]
    ) -> None:
        reference = reference_of(schema)
        title = str(schema.get("title") or "") if isinstance(schema, dict) else ""
        own = reference.rpartition("/")[2] if reference else ""
        tags = {tag for tag, named in mapping.items() if named in (reference, own)}
        label = own or title or use.shape.label
        element = names.unique(xml_name(label))
        tagged = frozenset(tags | {own} - {""}) if shape.discriminator else frozenset()
        shape.alternatives.append(Alternative(element, use, tagged))

    # --- objects ---

    def _object(self, shape: Object, schema: Json) -> None:
        names = Names()
        required = [str(each) for each in _listed(schema.get("required"))]
        others = self._others(schema, shape.type_name)
        properties = schema.get("properties")
        for key, each in (properties if isinstance(properties, dict) else {}).items():
            if each is False:
                continue
            element = names.unique(xml_name(str(key)))
            use = self.use(each, f"{shape.type_name}_{element}")
            worked = flat(self._document, each)
            one_way = worked.get("readOnly") is True or worked.get("writeOnly") is True
            needed = key in required and not one_way
            shape.members.append(Member(str(key), element, use, needed))
        known = {member.key for member in shape.members}
        for key in required:
            if key not in known:
                use = others or Use(self.anything, nullable=True)
                shape.members.append(Member(key, names.unique(xml_name(key)), use, required=True))
        shape.others = others
        shape.entry = names.unique("entry")

    def _others(self, schema: Json, hint: str) -> Use | None:
        patterned = schema.get("patternProperties")
        more = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
        if isinstance(patterned, dict) and patterned:
            several = [*patterned.values(), *([more] if more is not False else [])]
            return self.use(several[0] if len(several) == 1 else {"anyOf": several}, f"{hint}Entry")
        return None if more is False else self.use(more, f"{hint}Entry")

    # --- simple values ---

    def _text(self, schema: Json, hint: str) -> Simple:
        base = _FORMATS.get(str(schema.get("format")), "string")
        if schema.get("contentEncoding") == "base64":
            base = "base64Binary"
        facets = Facets()
        if base == "string":
            self._lengths(schema, facets, hint)
        values = [each for each in values_of(schema) if each is not None]
        rule = LEXICAL.get(base)
        if values and all(isinstance(each, str) and _printable(each) for each in values):
            if rule is not None and not all(rule.fullmatch(each) for each in values):
                return Text("string", facets)  # the format is not what the values are
            for each in dict.fromkeys(values):
                facets.add("enumeration", each)
        return Text(base, facets)

    def _lengths(self, schema: Json, facets: Facets, hint: str) -> None:
        low, high = _count(schema.get("minLength")), _count(schema.get("maxLength"))
        if low:
            facets.add("minLength", low)
        if high is not None and high >= (low or 0):
            facets.add("maxLength", high)
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            found = xsd_pattern(pattern) if self._rules == "all" else None
            if found is None:
                self._note(hint, "pattern")
            else:
                facets.add("pattern", found)

    def _integer(self, schema: Json, hint: str) -> Simple:
        base = _INTEGERS.get(str(schema.get("format")), "integer")
        low, high = RANGES[base]
        facets = Facets()
        for name, bound in _bounds(schema):
            fits = (low is None or bound >= low) and (high is None or bound <= high)
            if bound == bound.to_integral_value() and fits:
                facets.add(name, format(bound, "f").partition(".")[0])
            elif fits:
                self._note(hint, name)
        values = [each for each in values_of(schema) if each is not None]
        if values and all(isinstance(each, int) and not isinstance(each, bool) for each in values):
            for each in dict.fromkeys(values):
                facets.add("enumeration", each)
        return Integer(base, facets)

    def _number(self, schema: Json, hint: str) -> Simple:
        double = schema.get("format") in {"double", "float"}
        facets = Facets()
        for name, bound in _bounds(schema):
            facets.add(name, format(bound, "f"))
        if values_of(schema):
            self._note(hint, "enum")
        return Number("double" if double else "decimal", facets)

    # --- notes ---

    def _noted(self, schema: Json, hint: str) -> None:
        for rule in _RULES:
            if schema.get(rule) not in (None, False):
                self._note(hint, rule)
        if schema.get("oneOf") or schema.get("anyOf"):
            self._note(hint, "oneOf, anyOf")

    def _note(self, hint: str, rule: str) -> None:
        self.notes[f"{hint}: {rule}"] = None


def _items(schema: Json) -> Any:
    """Of a tuple (`prefixItems`) any of its schemas, in any place."""
    listed = _listed(schema.get("prefixItems"))
    if not listed:
        return schema.get("items", True)
    rest = schema.get("items", True)
    return {"anyOf": [*listed, *([] if rest is False else [rest])]}


def _bounds(schema: Json) -> Iterator[tuple[str, Decimal]]:
    """As facets of XSD, one a side. In OpenAPI 3.0 `exclusiveMinimum` is a boolean."""
    for plain, exclusive, inside, outside in (
        ("minimum", "exclusiveMinimum", "minInclusive", "minExclusive"),
        ("maximum", "exclusiveMaximum", "maxInclusive", "maxExclusive"),
    ):
        bound, strict = schema.get(plain), schema.get(exclusive)
        if isinstance(strict, int | float) and not isinstance(strict, bool):
            yield outside, Decimal(str(strict))
        elif isinstance(bound, int | float) and not isinstance(bound, bool):
            yield (outside if strict is True else inside), Decimal(str(bound))


def _is_null(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    return schema.get("type") in ("null", ["null"]) or values_of(schema) == [None]


def _printable(text: str) -> bool:
    """Whether an enumeration of XSD can name it."""
    return text.isprintable()


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
