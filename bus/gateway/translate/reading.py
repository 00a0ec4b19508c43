"""XML to JSON values, by the plan."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from bus.gateway.translate import generic
from bus.gateway.translate.compiled import placed, unexpected
from bus.gateway.translate.components import ComplexType
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XSI_NIL, XSI_TYPE, Tag, clark, local, resolve
from bus.gateway.translate.plan import Codec, ComplexCodec, Plan, Slot
from bus.gateway.translate.simple import Raw, SimpleCodec
from schemas.errors import InvalidContract

LGSP = "urn:lgsp:translation:1"
WITHHELD = clark(LGSP, "withheld")

Json = dict[str, object]


@dataclass(slots=True)
class Reader:
    """`judged`: XSD has found the element valid, so what that says need not be looked at again.

    `careful`: nobody judges the document, so what is against the contract may not pass.
    """

    plan: Plan
    careful: bool = False
    judged: bool = False

    def element(self, slot: Slot, el: etree._Element) -> object:
        """The JSON value of one element, whatever attributes it has."""
        items = el.items()
        codec, special = slot.codec, Json()
        nil = None
        if items:
            codec, nil = self._xsi(slot, el, items, special)
        if WITHHELD in el.attrib:
            return {"#withheld": True}
        if isinstance(codec, ComplexCodec):
            return self._with_complex(codec, el, special, nil)
        return self._with_simple(slot, codec, el, special, nil)

    def _xsi(
        self, slot: Slot, el: etree._Element, items: list[tuple[str, str]], special: Json
    ) -> tuple[Codec, str | None]:
        codec, nil = slot.codec, None
        for name, value in items:
            if name == XSI_NIL:
                nil = value
            elif name == XSI_TYPE:
                codec = self._named(slot, el, value, special)
        return codec, nil

    def _named(self, slot: Slot, el: etree._Element, value: str, special: Json) -> Codec:
        if self.plan.encoded and value.startswith("{"):
            name = value  # resolved where it stood (encoded.py)
        else:
            try:
                name = resolve(value, el)
            except InvalidContract:
                raise Mismatch("xsi:type", "undeclared prefix", "tiền tố chưa khai báo") from None
        kind = self.plan.type_by_name(name)
        if kind is None:
            raise Mismatch("xsi:type", f"unknown type {name}", f"không có kiểu {name}")
        declared = slot.element.type
        if self.plan.encoded and isinstance(declared, ComplexType) and kind is declared.simple:
            return slot.codec  # xsd:string for soapenc:string, which may have an id besides
        codec = self.plan.substitute(declared, kind)
        if not (self.plan.encoded and kind is declared):
            special["#type"] = self.plan.label(name)
        return codec

    def _with_complex(
        self, codec: ComplexCodec, el: etree._Element, special: Json, nil: str | None
    ) -> object:
        if nil is None:
            return self.complex(codec, el, special)
        if nil.strip() not in {"true", "1"}:
            special["#nil"] = False
            _note(special, "#nil", nil, "false")
            return self.complex(codec, el, special)
        if special or any(name not in {XSI_NIL, XSI_TYPE} for name in el.keys()):  # noqa: SIM118
            special["#nil"] = True
            _note(special, "#nil", nil, "true")
            self._attributes(codec, el, special)
            return special
        return None if nil == "true" else Raw(None, nil)

    def _with_simple(
        self, slot: Slot, codec: SimpleCodec, el: etree._Element, special: Json, nil: str | None
    ) -> object:
        others = [(k, v) for k, v in el.items() if k not in {XSI_NIL, XSI_TYPE}]
        special.update({f"@{name}": each for name, each in others})
        if nil is not None and nil.strip() in {"true", "1"}:
            if not special:
                return None if nil == "true" else Raw(None, nil)
            special["#nil"] = True
            _note(special, "#nil", nil, "true")
            return special
        if nil is not None:
            special["#nil"] = False
            _note(special, "#nil", nil, "false")
        value = self.leaf(slot, codec, el)
        if not special:
            return value
        _put(special, "#text", value)
        return special

    def leaf(self, slot: Slot, codec: SimpleCodec, el: etree._Element) -> object:
        if len(el):
            raise Mismatch(
                "cvc-type.3.1.2", "text is expected, not elements", "cần chữ, không phải phần tử"
            )
        text = el.text
        if text is None:
            usual = slot.element.default or slot.element.fixed
            if usual is None:
                return codec.decode("", el)
            value = codec.decode(usual, el)
            return Raw(value.value if isinstance(value, Raw) else value, "")
        return codec.decode(text, el)

    def complex(self, codec: ComplexCodec, el: etree._Element, out: Json) -> Json:
        """The members of one complex element, added to `out`."""
        if codec.attributes or el.items():
            self._attributes(codec, el, out)
        if codec.text is not None:
            if len(el):
                raise Mismatch(
                    "cvc-complex-type.2.2",
                    "text is expected, not elements",
                    "cần chữ, không phải phần tử",
                )
            _put(out, "#text", codec.text.decode(el.text or "", el))
            return out
        if codec.ordered:
            return self._ordered(codec, el, out)
        if self.judged and codec.sequence:
            found = codec.read(el[:], self)
            return _joined(out, found) if out else found
        if not self.judged:
            _no_text(el)
        self._plain(codec, el, out)
        return out

    def field(
        self,
        slot: Slot,
        child: etree._Element,
        notes: dict[str, str],
        index: int | None = None,
    ) -> object:
        """The value of one element of a sequence, the long way; its text into `notes`."""
        try:
            value = self.element(slot, child)
        except Mismatch as error:
            raise placed(error, slot, child, index) from None
        return value if type(value) is not Raw else _noted(value, slot, notes, index)

    def decoded(
        self,
        slot: Slot,
        text: str,
        child: etree._Element,
        notes: dict[str, str],
        index: int | None = None,
    ) -> object:
        """The same of an element that has `text` and nothing else."""
        assert slot.decode is not None  # noqa: S101 - it has a simple type
        try:
            value = slot.decode(text, child)
        except Mismatch as error:
            raise placed(error, slot, child, index) from None
        return value if type(value) is not Raw else _noted(value, slot, notes, index)

    def _plain(self, codec: ComplexCodec, el: etree._Element, out: Json) -> None:
        slots = codec.slots
        for child in el:
            slot = slots.get(child.tag) or self._unexpected(codec, child, out)
            if slot is None:
                continue
            try:
                value = self._value(slot, child)
            except Mismatch as error:
                index = len(out.get(slot.key, ())) if slot.array else None  # type: ignore[arg-type]
                raise placed(error, slot, child, index) from None
            if type(value) is Raw:
                value = self._raw(value, slot, out)
            key = slot.key
            if key not in out:
                out[key] = [value] if slot.array else value
            elif slot.array:
                out[key].append(value)  # type: ignore[attr-defined]
            else:
                self._second(codec, slot, child, out)

    def _value(self, slot: Slot, child: etree._Element) -> object:
        """The usual forms at once; whatever has attributes or is empty the long way."""
        if not child.keys():
            if slot.decode is None:
                return self.complex(slot.codec, child, {})  # type: ignore[arg-type]
            text = child.text
            if text and not len(child):
                return text if slot.free else slot.decode(text, child)
        return self.element(slot, child)

    def _raw(self, value: Raw, slot: Slot, out: Json) -> object:
        place = slot.key
        if slot.array:
            place = f"{place}/{len(out.get(slot.key, ()))}"  # type: ignore[arg-type]
        out.setdefault("#lexical", {})[place] = value.lexical  # type: ignore[index]
        return value.value

    def _unexpected(self, codec: ComplexCodec, child: etree._Element, out: Json) -> Slot | None:
        """An element that no name matches: a wildcard's, or an item of a SOAP array."""
        if codec.type.array_of and codec.slots:
            return next(iter(codec.slots.values()))
        wildcard = codec.model.wildcard_for(child.tag)
        if wildcard is None:
            raise unexpected(child)
        item = self._any(child, typed=wildcard.process != "skip")
        out.setdefault("#any", []).append(item)  # type: ignore[attr-defined]
        return None

    def _second(self, codec: ComplexCodec, slot: Slot, child: etree._Element, out: Json) -> None:
        """A repeated name that may come once only: a wildcard's, if one takes it."""
        wildcard = codec.model.wildcard_for(child.tag)
        if wildcard is None:
            error = Mismatch("maxOccurs", "occurs more than once", "lặp lại quá một lần")
            error.line = child.sourceline or 0
            raise error.at(slot.key)
        item = self._any(child, typed=wildcard.process != "skip")
        out.setdefault("#any", []).append(item)  # type: ignore[attr-defined]

    def _any(self, child: etree._Element, *, typed: bool) -> Json:
        name = str(child.tag)
        slot = self.plan.top(child.tag) if typed else None
        if slot is None:
            return generic.read_item(child)
        try:
            item: Json = {}
            _put(item, name, self.element(slot, child))
        except Mismatch as error:
            raise error.at(name) from None
        return item

    def _ordered(self, codec: ComplexCodec, el: etree._Element, out: Json) -> Json:
        content: list[object] = []
        mixed = codec.type.mixed
        if mixed and el.text:
            content.append(el.text)
        if not mixed and not self.judged:
            _no_text(el)
        for child in el:
            slot = codec.slots.get(child.tag)
            if slot is None and codec.model.wildcard_for(child.tag) is None:
                raise unexpected(child)
            if slot is None:
                content.append(self._any(child, typed=not _skips(codec, child.tag)))
            else:
                item: Json = {}
                try:
                    _put(item, slot.key, self.element(slot, child))
                except Mismatch as error:
                    error.line = error.line or child.sourceline or 0
                    raise error.at(slot.key) from None
                content.append(item)
            if mixed and child.tail:
                content.append(child.tail)
        if content:
            out["#content"] = content
        return out

    def _attributes(self, codec: ComplexCodec, el: etree._Element, out: Json) -> None:
        for name, value in el.items():
            slot = codec.attributes.get(name)
            if slot is not None:
                try:
                    _put(out, slot.key, slot.codec.decode(value, el))
                except Mismatch as error:
                    raise error.at(slot.key) from None
            elif name not in {XSI_TYPE, XSI_NIL}:
                self._foreign_attribute(codec, name, value, out)

    def _foreign_attribute(self, codec: ComplexCodec, name: str, value: str, out: Json) -> None:
        known = name.startswith("{http://www.w3.org/2001/XMLSchema-instance}")
        if codec.any_attribute is None and self.careful and not known:
            raise Mismatch(
                "cvc-complex-type.3.2.2", "unknown attribute", "thuộc tính không có trong đặc tả"
            ).at(f"@{local(name)}")
        out[
            f"@{name}"
            if f"@{name}" not in {a.key for a in codec.attributes.values()}
            else f"@{{}}{name}"
        ] = value


def _skips(codec: ComplexCodec, name: Tag) -> bool:
    wildcard = codec.model.wildcard_for(name)
    return wildcard is not None and wildcard.process == "skip"


def _put(out: Json, key: str, value: object) -> None:
    if isinstance(value, Raw):
        out.setdefault("#lexical", {})[key] = value.lexical  # type: ignore[index]
        value = value.value
    out[key] = value


def _noted(value: Raw, slot: Slot, notes: dict[str, str], index: int | None) -> object:
    notes[slot.key if index is None else f"{slot.key}/{index}"] = value.lexical
    return value.value


def _joined(out: Json, more: Json) -> Json:
    """`out` with the members of `more`; each may have #lexical."""
    notes = out.get("#lexical", {})
    out.update(more)
    if notes and "#lexical" in more:
        out["#lexical"] = {**notes, **more["#lexical"]}  # type: ignore[dict-item]
    return out


def _note(out: Json, key: str, written: str, usual: str) -> None:
    if written != usual:
        out.setdefault("#lexical", {})[key] = written  # type: ignore[index]


def _no_text(el: etree._Element) -> None:
    if (el.text and el.text.strip()) or any(c.tail and c.tail.strip() for c in el):
        raise Mismatch("cvc-complex-type.2.3", "text between elements", "có chữ giữa các phần tử")
