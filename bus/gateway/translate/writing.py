"""JSON values to XML, by the plan; every rule of the contract is checked on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from bus.gateway.translate import generic
from bus.gateway.translate.compiled import is_object
from bus.gateway.translate.content import WILD
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.names import XSI, local, split
from bus.gateway.translate.plan import SIZE, Codec, ComplexCodec, Plan, Slot
from bus.gateway.translate.reading import LGSP
from bus.gateway.translate.simple import Namespaces, Raw, SimpleCodec, json_kind
from bus.gateway.translate.text import attribute_text, element_text

_MISSING = object()


@dataclass(slots=True)
class Writer:
    """One document. `out` is joined by the caller, who declares `namespaces` at the root.

    `withholds`: the third null state may be written (answers of a service we serve).
    """

    plan: Plan
    namespaces: Namespaces
    withholds: bool = False
    out: list[str] = field(default_factory=list)

    def element(self, slot: Slot, value: object) -> None:
        """One element, whatever form its value has."""
        codec = slot.codec
        if type(value) is dict:
            if "#withheld" in value:
                self._withheld(slot)
                return
            if "#type" in value or "#nil" in value or "#lexical" in value:
                self._special(slot, value)
                return
            if isinstance(codec, SimpleCodec):
                self._simple_object(slot, codec, value, "")
                return
            self._start(slot, codec)
            self.complex(codec, slot, value)
            return
        if value is None or (type(value) is Raw and value.value is None):
            self._null(slot, value)
        elif isinstance(codec, ComplexCodec):
            raise Mismatch(
                "object",
                f"an object is expected, not {json_kind(value)}",
                f"cần đối tượng JSON, không phải {json_kind(value)}",
            )
        else:
            self._leaf(slot, codec, value)

    def _start(self, slot: Slot, codec: ComplexCodec) -> None:
        _require_concrete(slot, codec)
        self.out.append(slot.start)

    def _leaf(self, slot: Slot, codec: SimpleCodec, value: object) -> None:
        text = self._text(slot, codec, value)
        self.out.append(f"{slot.opening}{element_text(text)}{slot.close}")

    def _text(self, slot: Slot, codec: SimpleCodec, value: object) -> str:
        return self._fixed(codec, value, slot.element.fixed)

    def _fixed(self, codec: SimpleCodec, value: object, fixed: str | None) -> str:
        text = codec.encode(value, self.namespaces)
        if fixed is not None and type(value) is not Raw and not _equal(codec, text, fixed):
            raise Mismatch(
                "fixed",
                "another value is fixed by the contract",
                "đặc tả quy định giá trị cố định khác",
            )
        return text

    def _null(self, slot: Slot, value: object) -> None:
        if not slot.element.nillable:
            raise Mismatch("nillable", "null is not allowed here", "không được để null")
        codec = slot.codec
        if isinstance(codec, ComplexCodec):  # one without a value is of a type as well
            _require_concrete(slot, codec)
        if isinstance(codec, ComplexCodec) and codec.required:
            raise Mismatch(
                "use",
                "attributes are required even where there is no value",
                "thiếu thuộc tính bắt buộc",
            ).at(codec.required[0].key)
        written = value.lexical if isinstance(value, Raw) else "true"
        self.out.append(f'{slot.start} xsi:nil="{attribute_text(written)}"/>')

    def _withheld(self, slot: Slot) -> None:
        if not self.withholds:
            raise Mismatch(
                "#withheld",
                "only answers may withhold a value",
                "chỉ câu trả lời mới được giữ lại giá trị",
            )
        prefix = self.namespaces.prefix(LGSP)
        self.out.append(f'{slot.start} xsi:nil="true" {prefix}:withheld="true"/>')

    def _special(self, slot: Slot, given: dict[str, object]) -> None:
        """Objects with #type, #nil or #lexical."""
        value = dict(given)
        codec = slot.codec
        named = "#type" in value
        label = value.pop("#type", None)
        start = slot.start
        if named:
            codec = self._typed(slot, label)
            type_name = codec.type.name if isinstance(codec, ComplexCodec) else codec.kind.name
            start = f'<{self._tag(slot.element.name)} xsi:type="{self._tag(type_name or "")}"'
        value = self._restored(codec, value)
        nil = value.pop("#nil", None)
        if isinstance(codec, SimpleCodec):
            self._simple_object(slot, codec, value, start, nil)
            return
        if codec.type.abstract:
            raise Mismatch("abstract", "an abstract type", "kiểu trừu tượng").at("#type")
        self.out.append(start)
        if nil is None:
            self.complex(codec, slot, value)
            return
        raised = self._nil(slot, nil)
        if not raised:
            self.complex(codec, slot, value)
            return
        done = self._attributes(codec, value)
        if done != len(value):
            raise Mismatch(
                "nillable", "no value may stand beside #nil", "không được có giá trị cùng #nil"
            )
        self.out.append("/>")

    def _nil(self, slot: Slot, nil: object) -> bool:
        shown, written = (nil.value, nil.lexical) if isinstance(nil, Raw) else (nil, None)
        if not slot.element.nillable or not isinstance(shown, bool):
            raise Mismatch("nillable", "#nil is not allowed here", "không được dùng #nil ở đây").at(
                "#nil"
            )
        text = written if written is not None else str(shown).lower()
        self.out.append(f' xsi:nil="{attribute_text(text)}"')
        return shown

    def _typed(self, slot: Slot, label: object) -> Codec:
        kind = self.plan.labelled(label) if isinstance(label, str) else None
        if kind is None:
            raise Mismatch(
                "xsi:type", "no such type in the contract", "đặc tả không có kiểu này"
            ).at("#type")
        try:
            return self.plan.substitute(slot.element.type, kind)
        except Mismatch as error:
            raise error.at("#type") from None

    def _tag(self, name: str) -> str:
        namespace, plain = split(name)
        return f"{self.namespaces.prefix(namespace)}:{plain}" if namespace else plain

    def _simple_object(
        self,
        slot: Slot,
        codec: SimpleCodec,
        value: dict[str, object],
        start: str,
        nil: object = None,
    ) -> None:
        """A simple element with xsi:type, xsi:nil or attributes of XSI."""
        out = self.out
        out.append(start or slot.start)
        raised = self._nil(slot, nil) if nil is not None else False
        text = ""
        for key, each in value.items():
            if key == "#text":
                text = self._text(slot, codec, each)
            elif key.startswith(f"@{{{XSI}}}") and isinstance(each, str):
                out.append(f' {self._tag(key[1:])}="{attribute_text(each)}"')
            else:
                raise _unknown(key)
        if raised:
            out.append("/>")
            return
        if "#text" not in value:
            raise _required("#text")
        out.append(f">{element_text(text)}{slot.close}")

    def complex(self, codec: ComplexCodec, slot: Slot, value: dict[str, object]) -> None:
        """Attributes and content of an element whose start tag is still open."""
        out = self.out
        if codec.sequence and not codec.required:
            text = codec.write(value, self)
            if text is not None:
                out += (">", text, slot.close)
                return
        done = 0
        if codec.attributes or codec.any_attribute is not None or len(value) > len(codec.by_key):
            done = self._attributes(codec, value)
        if codec.text is not None:
            if "#text" not in value:
                raise _required("#text")
            try:
                text = self._text(slot, codec.text, value["#text"])
            except Mismatch as error:
                raise error.at("#text") from None
            out.append(f">{element_text(text)}{slot.close}")
            done += 1
        elif codec.ordered:
            out.append(">")
            done += self._ordered(codec, value)
            out.append(slot.close)
        elif codec.type.array_of:
            done += self._array(codec, slot, value)
        else:
            out.append(">")
            done += self._plain(codec, value)
            out.append(slot.close)
        if done != len(value):
            self._complain(codec, value)

    def _plain(self, codec: ComplexCodec, value: dict[str, object]) -> int:  # noqa: C901 - the hot loop
        done = 0
        out, namespaces = self.out, self.namespaces
        order = codec.order
        if codec.model.all:
            order = self._members_order(codec, value)
        check_counts = codec.model.simple
        for slot in order:
            if slot is None:
                done += self._wild(codec, value)
                continue
            given = value.get(slot.key, _MISSING)
            if given is _MISSING:
                if check_counts and slot.min:
                    raise _required(slot.key)
                continue
            done += 1
            try:
                if slot.array:
                    self._many(slot, given, check_counts)
                elif slot.free and type(given) is str:
                    out.append(f"{slot.opening}{element_text(given)}{slot.close}")
                elif (
                    slot.encode is not None
                    and given is not None
                    and type(given) is not dict
                    and slot.element.fixed is None
                ):
                    text = slot.encode(given, namespaces)
                    out.append(f"{slot.opening}{element_text(text)}{slot.close}")
                else:
                    self.element(slot, given)
            except Mismatch as error:
                raise error.at(slot.key) from None
        if not check_counts:
            self._check_model(codec, value)
        return done

    def piece(self, slot: Slot, value: object) -> str:
        """What stands for one member, apart from the rest."""
        kept, self.out = self.out, []
        try:
            if slot.array:
                self._many(slot, value, check_counts=True)
            else:
                self.element(slot, value)
            return "".join(self.out)
        except Mismatch as error:
            raise error.at(slot.key) from None
        finally:
            self.out = kept

    def _many(self, slot: Slot, values: object, check_counts: bool) -> None:
        items = _counted(slot, values, check_counts)
        out, start, index = self.out, f"{slot.start}>", 0
        write = slot.codec.write if is_object(slot) else None  # type: ignore[union-attr]
        try:
            for index, each in enumerate(items):  # noqa: B007 - for the error
                if slot.free and type(each) is str:
                    out.append(f"{slot.opening}{element_text(each)}{slot.close}")
                    continue
                text = write(each, self) if write is not None and type(each) is dict else None
                if text is None:
                    self.element(slot, each)
                else:
                    out += (start, text, slot.close)
        except Mismatch as error:
            raise error.at(index) from None

    def _members_order(self, codec: ComplexCodec, value: dict[str, object]) -> list[Slot | None]:
        """xs:all: the order of the JSON members, then whatever is missing."""
        given = [codec.by_key[key] for key in value if key in codec.by_key]
        listed = {id(slot) for slot in given}
        return [*given, *(s for s in codec.order if s is None or id(s) not in listed)]

    def _array(self, codec: ComplexCodec, slot: Slot, value: dict[str, object]) -> int:
        inner = next(iter(codec.slots.values()))
        items = value.get(inner.key, [])
        size = str(len(items)) if isinstance(items, list) else "0"
        start = self.out.pop() if self.out[-1] == slot.start else slot.start
        self.out.append(f"{start.replace(SIZE, size)}>")
        try:
            self._many(inner, items, check_counts=True)
        except Mismatch as error:
            raise error.at(inner.key) from None
        self.out.append(slot.close)
        return 1 if inner.key in value else 0

    def _check_model(self, codec: ComplexCodec, value: dict[str, object]) -> None:
        names: list[str] = []
        for slot in codec.order:
            if slot is None:
                names += _any_names(value)
            elif slot.key in value:
                given = value[slot.key]
                names += [slot.element.name] * (
                    len(given) if isinstance(given, list) and slot.array else 1
                )
        if not codec.model.valid(names):
            raise _not_valid(codec)

    def _wild(self, codec: ComplexCodec, value: dict[str, object]) -> int:
        usage = codec.model.usages[WILD]
        if "#any" not in value:
            if usage.min and codec.model.simple:
                raise _required("#any")
            return 0
        items = value["#any"]
        if type(items) is not list:
            raise Mismatch("array", "an array is expected", "cần mảng JSON").at("#any")
        if len(items) < usage.min or 0 <= usage.max < len(items):
            raise Mismatch(
                "maxOccurs",
                f"{usage.min} to {usage.max} are expected",
                f"cần từ {usage.min} đến {usage.max} phần tử",
            ).at("#any")
        for index, item in enumerate(items):
            try:
                self._any(codec, item)
            except Mismatch as error:
                raise error.at(index).at("#any") from None
        return 1

    def _any(self, codec: ComplexCodec, item: object) -> None:
        value, name = self._one(item)
        wildcard = codec.model.wildcard_for(name)
        if wildcard is None:
            raise Mismatch(
                "any",
                "an element of this namespace is not allowed here",
                "không gian tên này không được phép ở đây",
            )
        slot = self.plan.top(name) if wildcard.process != "skip" else None
        if slot is None and wildcard.process == "strict":
            raise Mismatch(
                "any", "this element is not in the contract", "đặc tả không có phần tử này"
            ).at(name)
        try:
            if slot is not None:
                self.element(slot, value)
            else:
                generic.write(name, value, self.out, self.namespaces)
        except Mismatch as error:
            raise error.at(name) from None

    def _one(self, item: object) -> tuple[object, str]:
        """The only member of an item, its #lexical put back."""
        if type(item) is not dict or not item:
            raise Mismatch(
                "object", "an object with one member is expected", "cần đối tượng có một trường"
            )
        notes = item.get("#lexical")
        members = [(k, v) for k, v in item.items() if k != "#lexical"]
        if len(members) != 1:
            raise Mismatch(
                "object", "an object with one member is expected", "cần đối tượng có một trường"
            )
        name, value = members[0]
        if isinstance(notes, dict) and isinstance(notes.get(name), str):
            value = Raw(value, notes[name])
        return value, name

    def _ordered(self, codec: ComplexCodec, value: dict[str, object]) -> int:
        content = value.get("#content", _MISSING)
        items: object = [] if content is _MISSING else content
        if type(items) is not list:
            raise Mismatch("array", "an array is expected", "cần mảng JSON").at("#content")
        names: list[str] = []
        for index, item in enumerate(items):
            try:
                self._item(codec, item, names)
            except Mismatch as error:
                raise error.at(index).at("#content") from None
        if not codec.model.valid(names):
            raise _not_valid(codec).at("#content")
        return 0 if content is _MISSING else 1

    def _item(self, codec: ComplexCodec, item: object, names: list[str]) -> None:
        if type(item) is str:
            if not codec.type.mixed:
                raise Mismatch(
                    "mixed",
                    "text is not allowed between elements",
                    "không được có chữ giữa các phần tử",
                )
            self.out.append(element_text(item))
            return
        value, key = self._one(item)
        slot = codec.by_key.get(key)
        if slot is None:
            self._any(codec, item)
            names.append(key)
            return
        names.append(slot.element.name)
        try:
            self.element(slot, _judged(slot, value))
        except Mismatch as error:
            raise error.at(key) from None

    def _attributes(self, codec: ComplexCodec, value: dict[str, object]) -> int:
        out, done = self.out, 0
        for slot in codec.attributes.values():
            given = value.get(slot.key, _MISSING)
            if given is _MISSING:
                if slot.declared.required:
                    raise _required(slot.key)
                continue
            done += 1
            try:
                text = self._fixed(slot.codec, given, slot.declared.fixed)
                out.append(f' {slot.name}="{attribute_text(text)}"')
            except Mismatch as error:
                raise error.at(slot.key) from None
        if done < len(value):
            done += self._foreign_attributes(codec, value)
        return done

    def _foreign_attributes(self, codec: ComplexCodec, value: dict[str, object]) -> int:
        known = {slot.key for slot in codec.attributes.values()}
        done = 0
        for key, each in value.items():
            if not key.startswith("@") or key in known:
                continue
            name = key[1:].removeprefix("{}")
            namespace = split(name)[0]
            allowed = codec.any_attribute is not None and codec.any_attribute.allows(namespace)
            if not (allowed or namespace == XSI) or not isinstance(each, str):
                raise _unknown(key)
            self.out.append(f' {self._tag(name)}="{attribute_text(each)}"')
            done += 1
        return done

    def _complain(self, codec: ComplexCodec, value: dict[str, object]) -> None:
        known = set(codec.by_key) | {slot.key for slot in codec.attributes.values()}
        for key in value:
            if key not in known and not key.startswith("@"):
                usable = {
                    "#text": codec.text is not None,
                    "#content": codec.ordered,
                    "#any": not codec.ordered and None in codec.order,
                }
                if not usable.get(key, False):
                    raise _unknown(key)
            elif key in codec.by_key and codec.ordered:
                raise Mismatch(
                    "#content",
                    "elements of this type are listed in #content",
                    "phần tử của kiểu này liệt kê trong #content",
                ).at(key)

    def _restored(self, codec: Codec, value: dict[str, object]) -> dict[str, object]:
        """With the texts of #lexical put beside the values they stand for."""
        notes = value.pop("#lexical", None)
        if notes is None:
            return value
        if not isinstance(notes, dict):
            raise Mismatch("#lexical", "an object is expected", "cần đối tượng JSON").at("#lexical")
        for place, text in notes.items():
            key, _, index = place.partition("/")
            if key not in value or not isinstance(text, str):
                raise Mismatch("#lexical", "stands for nothing", "không ứng với giá trị nào").at(
                    "#lexical"
                )
            found = value[key]
            if index and isinstance(found, list) and index.isdigit() and int(index) < len(found):
                found = value[key] = list(found)
                found[int(index)] = _judge(codec, key, found[int(index)], text)
            else:
                value[key] = _judge(codec, key, found, text)
        return value


def _require_concrete(slot: Slot, codec: ComplexCodec) -> None:
    if codec.type.abstract or slot.element.abstract:
        raise Mismatch(
            "abstract",
            "an abstract type: #type must name a derived one",
            "kiểu trừu tượng: #type phải nêu kiểu dẫn xuất",
        )


def _counted(slot: Slot, values: object, check_counts: bool) -> list[object]:
    if type(values) is not list:
        raise Mismatch(
            "array",
            f"an array is expected, not {json_kind(values)}",
            f"cần mảng JSON, không phải {json_kind(values)}",
        )
    if check_counts and (len(values) < slot.min or (slot.max >= 0 and len(values) > slot.max)):
        rule = "minOccurs" if len(values) < slot.min else "maxOccurs"
        limit = slot.min if rule == "minOccurs" else slot.max
        raise Mismatch(
            rule,
            f"{rule} is {limit}, this has {len(values)}",
            f"{rule} là {limit}, ở đây có {len(values)}",
        )
    return values


def _judge(codec: Codec, key: str, value: object, text: str) -> object:
    """`Raw` when the text means the value; the value alone when somebody changed it."""
    if key == "#nil":
        return Raw(value, text) if (text.strip() in {"true", "1"}) == value else value
    if isinstance(codec, SimpleCodec):
        return _means(codec, value, text) if key == "#text" else value
    if key == "#text" and codec.text is not None:
        return _means(codec.text, value, text)
    if key.startswith("@"):
        for attribute in codec.attributes.values():
            if attribute.key == key:
                return _means(attribute.codec, value, text)
    slot = codec.by_key.get(key)
    return _judged(slot, Raw(value, text)) if slot is not None else value


def _judged(slot: Slot, value: object) -> object:
    if not isinstance(value, Raw):
        return value
    if value.value is None:
        return value if value.lexical.strip() in {"1", "true"} else None
    if not isinstance(slot.codec, SimpleCodec):
        return value.value
    usual = slot.element.default or slot.element.fixed
    if value.lexical == "" and usual is not None:
        return value
    return _means(slot.codec, value.value, value.lexical)


def _means(codec: SimpleCodec, value: object, text: str) -> object:
    element = etree.Element("v")
    try:
        decoded = codec.decode(text, element)
        shown = decoded.value if isinstance(decoded, Raw) else decoded
        codec.encode(shown, Namespaces())
    except Mismatch:
        return value
    return Raw(value, text) if shown == value and type(shown) is type(value) else value


def _equal(codec: SimpleCodec, text: str, fixed: str) -> bool:
    if text == fixed:
        return True
    element = etree.Element("v")
    one, other = codec.decode(text, element), codec.decode(fixed, element)
    return (one.value if isinstance(one, Raw) else one) == (
        other.value if isinstance(other, Raw) else other
    )


def _any_names(value: dict[str, object]) -> list[str]:
    items = value.get("#any", [])
    if not isinstance(items, list):
        return []
    return [
        next((k for k in item if k != "#lexical"), "") for item in items if isinstance(item, dict)
    ]


def _required(key: str) -> Mismatch:
    return Mismatch(
        "minOccurs" if not key.startswith("@") else "use",
        "a required value is missing",
        "thiếu giá trị bắt buộc",
    ).at(key)


def _unknown(key: str) -> Mismatch:
    return Mismatch(
        "additionalProperties", "the contract has no such member", "đặc tả không có trường này"
    ).at(key[:100])


def _not_valid(codec: ComplexCodec) -> Mismatch:
    expected = ", ".join(local(name) for name in list(codec.slots)[:12])
    return Mismatch(
        "content",
        f"not a valid combination or order of: {expected}",
        f"kết hợp hoặc thứ tự không hợp lệ của: {expected}",
    )
