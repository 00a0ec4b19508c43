"""The translation plan: for each type, tables that reading and writing only have to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from bus.gateway.translate import builtin
from bus.gateway.translate.build import Builder
from bus.gateway.translate.compiled import (
    ReadSequence,
    WriteSequence,
    sequence_reader,
    sequence_writer,
)
from bus.gateway.translate.components import (
    UNBOUNDED,
    AnyType,
    Attribute,
    ComplexType,
    Element,
    SimpleType,
    Wildcard,
)
from bus.gateway.translate.content import WILD, Model, analyse
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XML, XSD, XSI, Tag, clark, local, split
from bus.gateway.translate.simple import Namespaces, SimpleCodec, simple_codec

if TYPE_CHECKING:
    from bus.gateway.translate.reading import Json, Reader
    from bus.gateway.translate.writing import Writer

Decode = Callable[[str, etree._Element], object]  # noqa: SLF001 - lxml's name for it
Encode = Callable[[object, Namespaces], str]


@dataclass(slots=True, eq=False)
class AttributeSlot:
    key: str  # "@name"
    name: str  # as written, with prefix
    declared: Attribute
    codec: SimpleCodec


@dataclass(slots=True, eq=False)
class Slot:
    """One element in a content model, or one global element."""

    key: str
    element: Element
    codec: Codec
    start: str  # "<ns1:Name"
    close: str  # "</ns1:Name>"
    min: int = 1
    max: int = 1
    array: bool = False
    decode: Decode | None = None  # of simple types: the fast way
    encode: Encode | None = None
    free: bool = False  # any text is a value, and is the value
    opening: str = ""  # "<ns1:Name>", with xsi:type in SOAP encoding


@dataclass(slots=True, eq=False)
class ComplexCodec:
    type: ComplexType
    attributes: dict[str, AttributeSlot] = field(default_factory=dict)  # by Clark name
    any_attribute: Wildcard | None = None
    text: SimpleCodec | None = None
    model: Model = field(default_factory=Model)
    slots: dict[Tag, Slot] = field(default_factory=dict)  # by Clark name
    by_key: dict[str, Slot] = field(default_factory=dict)
    order: list[Slot | None] = field(default_factory=list)  # None: the wildcards' place
    ordered: bool = False  # JSON keeps a list in document order
    required: list[AttributeSlot] = field(default_factory=list)
    sequence: bool = False  # of declared elements only: `read` and `write` serve it
    read: ReadSequence = field(init=False)
    write: WriteSequence = field(init=False)

    def __post_init__(self) -> None:
        self.read, self.write = self._first_read, self._first_write

    def _first_read(self, children: list[etree._Element], reader: Reader) -> Json:
        self.read = sequence_reader(self)
        return self.read(children, reader)

    def _first_write(self, value: Json, writer: Writer) -> str | None:
        self.write = sequence_writer(self)
        return self.write(value, writer)


Codec = SimpleCodec | ComplexCodec


class Plan:
    """All codecs of one contract, each made once."""

    def __init__(self, builder: Builder, *, encoded: bool = False) -> None:
        self.builder = builder
        self.encoded = encoded  # SOAP 1.1 section 5: xsi:type on everything
        self.prefixes: dict[str, str] = {XSI: "xsi", XML: "xml", XSD: "xs"}
        self._codecs: dict[int, Codec] = {}
        self._globals: dict[str, Slot | None] = {}
        self._labels: dict[str, str] = {}
        self._by_label: dict[str, str] = {}
        self._unfinished: list[ComplexCodec] = []

    # --- codecs ---

    def codec(self, kind: AnyType) -> Codec:
        found = self._codecs.get(id(kind))
        if found is not None:
            return found
        if isinstance(kind, SimpleType):
            found = simple_codec(kind)
            self._codecs[id(kind)] = found
            return found
        made = ComplexCodec(kind)
        self._codecs[id(kind)] = made
        self._unfinished.append(made)
        if len(self._unfinished) == 1:  # the outermost call works the list off
            while self._unfinished:
                self._finish(self._unfinished[0])
                self._unfinished.pop(0)
        return made

    def _finish(self, codec: ComplexCodec) -> None:
        kind = codec.type
        codec.any_attribute = kind.any_attribute
        codec.attributes = self._attributes(kind)
        codec.required = [a for a in codec.attributes.values() if a.declared.required]
        if kind.simple is not None:
            made = self.codec(kind.simple)
            assert isinstance(made, SimpleCodec)  # noqa: S101 - `simple` is a simple type
            codec.text = made
            return
        codec.model = model = analyse(kind.content)
        codec.ordered = kind.mixed or model.order is None
        keys = _keys([name for name in model.usages if name != WILD])
        for name, usage in model.usages.items():
            if usage.element is not None and usage.max != 0:
                slot = self.slot(usage.element, keys[name], usage.min, usage.max)
                codec.slots[name] = codec.by_key[slot.key] = slot
        if model.order is not None:
            codec.order = [
                codec.slots.get(name) for name in model.order if name == WILD or name in codec.slots
            ]
            plain = model.simple and not (codec.ordered or model.all or kind.array_of)
            codec.sequence = plain and bool(codec.order) and None not in codec.order

    def _attributes(self, kind: ComplexType) -> dict[str, AttributeSlot]:
        keys = _keys(list(kind.attributes))
        found = {}
        for name, declared in kind.attributes.items():
            if self.encoded and name in {"id", "href"}:
                continue  # they belong to the references, which are gone from JSON
            codec = self.codec(declared.type)
            assert isinstance(codec, SimpleCodec)  # noqa: S101 - attributes have simple types
            found[name] = AttributeSlot(f"@{keys[name]}", self.tag(name), declared, codec)
        return found

    def slot(self, element: Element, key: str, low: int = 1, high: int = 1) -> Slot:
        codec = self.codec(element.type)
        tag = self.tag(element.name)
        slot = Slot(key, element, codec, f"<{tag}", f"</{tag}>", low, high)
        slot.array = high == UNBOUNDED or high > 1
        if isinstance(codec, SimpleCodec):
            slot.decode, slot.encode = codec.decode, codec.encode
            slot.free = codec.free and element.default is None and element.fixed is None
        slot.opening = f"<{tag}{self._typed(element.type)}>"
        if self.encoded:
            slot.start += self._typed(element.type)
        return slot

    def _typed(self, kind: AnyType) -> str:
        if not self.encoded:
            return ""
        if isinstance(kind, ComplexType) and kind.array_of:
            return self._array_type(kind)
        named: AnyType | None = kind
        while named is not None and not named.name and isinstance(named, SimpleType):
            named = named.base
        return f' xsi:type="{self.tag(named.name)}"' if named is not None and named.name else ""

    def _array_type(self, kind: ComplexType) -> str:
        encoding = self.prefix(_ENC11)
        return (
            f' xsi:type="{encoding}:Array" {encoding}:arrayType="{self.tag(kind.array_of)}[{SIZE}]"'
        )

    # --- names ---

    def prefix(self, namespace: str) -> str:
        if namespace not in self.prefixes:
            self.prefixes[namespace] = f"ns{len(self.prefixes) - 2}"
        return self.prefixes[namespace]

    def tag(self, name: str) -> str:
        namespace, plain = split(name)
        return f"{self.prefix(namespace)}:{plain}" if namespace else plain

    def top(self, tag: Tag) -> Slot | None:
        """A global element by Clark name; its key is that name."""
        name = str(tag)
        if name not in self._globals:
            known = self.builder.has_element(name)
            self._globals[name] = self.slot(self.builder.element(name), name) if known else None
        return self._globals[name]

    def label(self, name: str) -> str:
        """What JSON calls a type (`#type`): the local name if only one type has it."""
        self._name_types()
        return self._labels.get(name, name)

    def labelled(self, label: str) -> AnyType | None:
        self._name_types()
        return self.type_by_name(self._by_label.get(label, label))

    def type_by_name(self, name: str) -> AnyType | None:
        return self.builder.derived().get(name)

    def _name_types(self) -> None:
        if self._labels:
            return
        taken: dict[str, str] = {}
        for name in self.builder.derived():
            plain = f"xs:{local(name)}" if split(name)[0] == XSD else local(name)
            if plain in taken or "redefined" in plain:
                self._labels[name] = name
                continue
            taken[plain] = name
            self._labels[name] = plain
        self._by_label = {label: name for name, label in self._labels.items()}

    def substitute(self, declared: AnyType, actual: AnyType) -> Codec:
        """The codec of an xsi:type. Raises Mismatch unless it derives from the declared type."""
        if not derives(actual, declared):
            raise Mismatch(
                "xsi:type",
                "this type is not derived from the declared one",
                "kiểu này không dẫn xuất từ kiểu đã khai báo",
            )
        return self.codec(actual)

    def derived_from(self, declared: AnyType) -> list[AnyType]:
        if declared is builtin.ANY_TYPE:
            return []
        return [
            kind
            for kind in self.builder.derived().values()
            if kind is not declared and derives(kind, declared)
        ]


_ENC11 = "http://schemas.xmlsoap.org/soap/encoding/"
SIZE = "\N{SYMBOL FOR SUBSTITUTE}"  # stands for the number of items until it is known


def derives(actual: AnyType, declared: AnyType) -> bool:
    if declared is builtin.ANY_TYPE or declared.name == clark(XSD, "anyType"):
        return True
    seen: AnyType | None = actual
    while seen is not None:
        if seen is declared:
            return True
        seen = seen.base
    if isinstance(declared, SimpleType) and declared.variety == "union":
        return any(derives(actual, member) for member in declared.members)
    return False


def _keys(names: list[str]) -> dict[str, str]:
    """JSON member of each name: the local name; the whole name for later ones that share it."""
    taken: set[str] = set()
    keys = {}
    for name in names:
        plain = local(name)
        keys[name] = name if plain in taken else plain
        taken.add(plain)
    return keys


def reachable(plan: Plan, start: list[Slot]) -> Iterator[Slot]:
    """Every slot that a message of these elements can contain, derived types included."""
    waiting, seen = list(start), set[int]()
    while waiting:
        slot = waiting.pop()
        yield slot
        for codec in _codecs(plan, slot):
            if id(codec) not in seen and isinstance(codec, ComplexCodec):
                seen.add(id(codec))
                waiting += codec.slots.values()


def attribute_names(plan: Plan, slots: Iterable[Slot]) -> set[str]:
    """As written, with prefix: of every attribute that these elements may have."""
    return {
        attribute.name
        for slot in slots
        for codec in _codecs(plan, slot)
        if isinstance(codec, ComplexCodec)
        for attribute in codec.attributes.values()
    }


def _codecs(plan: Plan, slot: Slot) -> list[Codec]:
    return [slot.codec, *map(plan.codec, plan.derived_from(slot.element.type))]
