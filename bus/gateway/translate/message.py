"""One direction of one operation: JSON to a SOAP envelope and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from lxml import etree

from bus.gateway.translate import encoded, generic, mime
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.faults import read_fault
from bus.gateway.translate.json_lines import line_of
from bus.gateway.translate.names import ENV11, ENV12, XSI, Tag, clark, local, split
from bus.gateway.translate.plan import Plan, Slot, attribute_names, reachable
from bus.gateway.translate.reading import Json, Reader
from bus.gateway.translate.simple import Namespaces, Raw
from bus.gateway.translate.validate import Validator
from bus.gateway.translate.writing import Writer
from schemas.errors import ContractMismatch, InvalidRequest, PartnerGarbage
from schemas.xml import DEFAULT_LIMITS, Limits, parse

MEDIA = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_ENVELOPES = {ENV11: "1.1", ENV12: "1.2"}
_ENV = {"1.1": ENV11, "1.2": ENV12}
_FAULTS = {clark(ENV11, "Fault"), clark(ENV12, "Fault")}
_SOAP_ATTRIBUTES = ("mustUnderstand", "actor", "role", "relay", "encodingStyle")


@dataclass(frozen=True, slots=True)
class Wire:
    """What goes into an HTTP body, and its headers."""

    body: bytes
    content_type: str
    soap_action: str | None  # the header's value, quotes included; None in SOAP 1.2

    @property
    def headers(self) -> dict[str, str]:
        found = {"Content-Type": self.content_type}
        if self.soap_action is not None:
            found["SOAPAction"] = self.soap_action
        return found


@dataclass(slots=True)
class Message:
    """`body`: the element in the body (document), or the parts in the rpc wrapper.

    `wrapper` is the rpc element.  A `reply` is read from the partner, whose fault a mismatch then
    is; written by us, it may withhold values.
    """

    plan: Plan
    version: str
    body: list[Slot]
    headers: dict[str, tuple[Slot, bool]]  # by key; whether it is required
    wrapper: Slot | None = None
    validator: Validator | None = None
    reply: bool = False
    action: str = ""
    attachments: bool = False
    mtom: bool = False
    unwrapped: bool = True  # JSON is the content of the only body element
    limits: Limits = DEFAULT_LIMITS
    _opening: str = field(default="", init=False)
    _known: Namespaces = field(default_factory=Namespaces, init=False)

    def __post_init__(self) -> None:
        slots = [*self.body, *(slot for slot, _ in self.headers.values())]
        if self.wrapper is not None:
            slots.append(self.wrapper)
        self._known = _namespaces(self.plan, slots)
        self._opening = self._open(self._known)

    @property
    def root(self) -> Slot | None:
        """The element in the body, if there is one."""
        return self.wrapper or (self.body[0] if self.body else None)

    # --- JSON to XML ---

    def to_xml(self, value: bytes | Mapping[str, object], *, mtom: bool | None = None) -> Wire:
        """Raises ContractMismatch with path, rule and line (of JSON given as bytes)."""
        data = _decoded(value) if isinstance(value, bytes) else value
        try:
            return self._write(data, self.mtom if mtom is None else mtom)
        except Mismatch as error:
            line = line_of(value, error.pointer) if isinstance(value, bytes) else 0
            raise error.error(line) from None
        except RecursionError:
            raise Mismatch("depth", "nested too deeply", "lồng quá sâu").error() from None

    def _write(self, data: object, mtom: bool) -> Wire:
        if not isinstance(data, dict):
            raise Mismatch("object", "an object is expected", "cần đối tượng JSON")
        namespaces = Namespaces(self._known)
        namespaces.reserve(self.plan.prefixes)
        namespaces.binaries = {} if mtom else None
        writer = Writer(self.plan, namespaces, withholds=self.reply)
        attached = data.get("#attachments")
        if "#headers" in data or self.headers:
            self._write_headers(writer, data.get("#headers", {}))
        writer.out.append("<soap:Body>")
        if "#headers" in data or attached is not None:
            data = {k: v for k, v in data.items() if k not in {"#headers", "#attachments"}}
        self._write_body(writer, data)
        writer.out.append("</soap:Body></soap:Envelope>")
        same = len(namespaces) == len(self._known)
        text = (self._opening if same else self._open(namespaces)) + "".join(writer.out)
        return self._wire(text, namespaces, attached)

    def _write_body(self, writer: Writer, data: Json) -> None:
        if self.wrapper is not None:
            writer.element(self.wrapper, data)
        elif self.unwrapped and self.body:
            self._write_content(writer, self.body[0], data)
        else:
            self._write_parts(writer, data)

    def _write_content(self, writer: Writer, slot: Slot, data: Json) -> None:
        writer.element(slot, data)

    def _write_parts(self, writer: Writer, data: Json) -> None:
        known = {slot.key for slot in self.body}
        for key in data:
            if key not in known:
                raise Mismatch(
                    "additionalProperties",
                    "the contract has no such member",
                    "đặc tả không có trường này",
                ).at(key[:100])
        for slot in self.body:
            if slot.key not in data:
                raise Mismatch(
                    "minOccurs", "a required value is missing", "thiếu giá trị bắt buộc"
                ).at(slot.key)
            try:
                writer.element(slot, data[slot.key])
            except Mismatch as error:
                raise error.at(slot.key) from None

    def _write_headers(self, writer: Writer, headers: object) -> None:
        if not isinstance(headers, dict):
            raise Mismatch("object", "an object is expected", "cần đối tượng JSON").at("#headers")
        for key, (_, required) in self.headers.items():
            if required and key not in headers:
                raise (
                    Mismatch("minOccurs", "a required header is missing", "thiếu phần đầu bắt buộc")
                    .at(key)
                    .at("#headers")
                )
        if not headers:
            return
        writer.out.append("<soap:Header>")
        for key, value in headers.items():
            try:
                self._write_header(writer, key, value)
            except Mismatch as error:
                raise error.at(key).at("#headers") from None
        writer.out.append("</soap:Header>")

    def _write_header(self, writer: Writer, key: str, value: object) -> None:
        if key in self.headers:
            writer.element(self.headers[key][0], value)
        elif key == "#any" and isinstance(value, list):
            for item in value:
                if not isinstance(item, dict) or len(item) != 1:
                    raise Mismatch(
                        "object",
                        "an object with one member is expected",
                        "cần đối tượng có một trường",
                    )
                generic.write(*next(iter(item.items())), writer.out, writer.namespaces)
        else:
            raise Mismatch(
                "additionalProperties",
                "the contract has no such header",
                "đặc tả không có phần đầu này",
            )

    def _open(self, namespaces: Namespaces) -> str:
        declared = "".join(
            f' xmlns:{prefix}="{namespace}"'
            for namespace, prefix in namespaces.items()
            if prefix != "xml" and namespace != _ENV[self.version]
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope '
            f'xmlns:soap="{_ENV[self.version]}"{declared}>'
        )

    def _wire(self, text: str, namespaces: Namespaces, attached: object) -> Wire:
        media = MEDIA[self.version]
        action = f'"{self.action}"' if self.version == "1.1" else None
        content_type = f"{media}; charset=utf-8"
        if self.version == "1.2" and self.action:
            content_type += f'; action="{self.action}"'
        parts = _given_attachments(attached)
        binaries = namespaces.binaries
        if binaries:
            for token, data in binaries.items():
                text = text.replace(
                    token, f'<xop:Include xmlns:xop="{_XOP}" href="cid:{token}@lgsp"/>'
                )
                parts.append(mime.Attachment(f"{token}@lgsp", "application/octet-stream", data))
        if not parts:
            return Wire(text.encode(), content_type, action)
        body, kind = mime.pack(
            text.encode(),
            media,
            parts,
            xop=bool(binaries),
            action=self.action if self.version == "1.2" else "",
        )
        return Wire(body, kind, action)

    # --- XML to JSON ---

    def to_json(
        self, body: bytes, content_type: str = "text/xml", *, validate: bool = True
    ) -> Json:
        """The JSON value of an envelope.

        Raises ServiceFault for a fault; PartnerGarbage (a partner's message) or ContractMismatch
        (a client's) with path, rule and line; MalformedXml, TooLarge.  `validate=False` lets a
        message pass that the schema refuses, if everything in it can be carried.
        """
        try:
            return self._read(body, content_type, validate=validate)
        except Mismatch as error:
            raise self._refused(error.error()) from None
        except (InvalidRequest, RecursionError) as error:
            if not self.reply:
                raise
            raise PartnerGarbage(f"the partner's answer cannot be read: {error}"[:300]) from None

    def _refused(self, error: ContractMismatch) -> Exception:
        if not self.reply:
            return error
        return PartnerGarbage(
            f"the partner's answer is against its contract: {error.detail.en}",
            vi=f"Trả lời của đối tác sai đặc tả: {error.detail.vi}",
            path=error.context.get("path", ""),
            rule=error.context.get("rule", ""),
            line=error.context.get("line", 0),
        )

    def _read(self, data: bytes, content_type: str, *, validate: bool) -> Json:
        data, attachments = mime.unpack(data, content_type)
        envelope = parse(data, self.limits)
        if attachments:
            attachments = mime.inline(envelope, attachments)
        header, body = _opened(envelope)
        reader = Reader(self.plan, careful=not validate or self.validator is None)
        self._fault(body, reader)
        out = self._read_body(body, reader, validate=validate)
        if header is not None and len(header):
            out["#headers"] = self._read_headers(header, reader)
        if attachments:
            out["#attachments"] = [_shown(each) for each in attachments]
        return out

    def _fault(self, body: etree._Element, reader: Reader) -> None:
        first = next(iter(body), None)
        if first is not None and first.tag in _FAULTS:
            raise read_fault(first, reader)

    def _read_body(self, body: etree._Element, reader: Reader, *, validate: bool) -> Json:
        if self.plan.encoded:
            return self._read_element(encoded.straighten(body), reader, validate=False)
        if self.wrapper is None and not (self.unwrapped and self.body):
            return self._read_parts(body, reader, validate=validate)
        if len(body) != 1:
            raise Mismatch(
                "body",
                f"one element is expected in the body, not {len(body)}",
                f"phần thân cần một phần tử, không phải {len(body)}",
            ).at("Body")
        return self._read_element(body[0], reader, validate=validate)

    def _read_element(self, element: etree._Element, reader: Reader, *, validate: bool) -> Json:
        slot = self.root
        assert slot is not None  # noqa: S101 - the caller looked
        same = element.tag == slot.element.name or (
            self.plan.encoded and local(element.tag) == local(slot.element.name)
        )
        if not same:
            raise _unexpected(element, slot.element.name)
        reader = self._judged(element, reader, validate=validate)
        try:
            value = reader.element(slot, element)
        except Mismatch as error:
            raise error.at(local(element.tag)).at("Body").at("Envelope") from None
        value = _as_object(value)
        if validate and self.validator is None and not self.plan.encoded:
            self._prove(slot, element, value)
        return value

    def _judged(self, element: etree._Element, reader: Reader, *, validate: bool) -> Reader:
        """The reader for what XSD finds valid; `reader` where it does not and need not."""
        if self.validator is None:
            return reader
        if validate:
            self.validator.check(element)
        elif not self.validator.accepts(element):
            return reader
        return Reader(self.plan, judged=True)

    def _prove(self, slot: Slot, element: etree._Element, value: Json) -> None:
        """Without libxml2's verdict: what was read must write the same element again."""
        writer = Writer(self.plan, Namespaces(self.plan.prefixes), withholds=True)
        writer.element(slot, value)
        text = "".join(writer.out)
        again = parse(f"<r{_declared(writer.namespaces)}>{text}</r>".encode(), self.limits)[0]
        if [e.tag for e in again.iter("*")] != [e.tag for e in element.iter("*")]:
            raise Mismatch(
                "content",
                "elements are in another order than the contract's",
                "thứ tự phần tử khác đặc tả",
            ).at(local(element.tag))

    def _read_parts(self, body: etree._Element, reader: Reader, *, validate: bool) -> Json:
        by_name: dict[Tag, Slot] = {slot.element.name: slot for slot in self.body}
        out: Json = {}
        for element in body:
            slot = by_name.get(element.tag)
            if slot is None:
                raise _unexpected(element, ", ".join(map(str, by_name)))
            value = self._judged(element, reader, validate=validate).element(slot, element)
            out[slot.key] = value.value if isinstance(value, Raw) else value
        return out

    def _read_headers(self, header: etree._Element, reader: Reader) -> Json:
        by_name: dict[Tag, Slot] = {slot.element.name: slot for slot, _ in self.headers.values()}
        out: Json = {}
        for block in header:
            for name in _SOAP_ATTRIBUTES:
                for namespace in (ENV11, ENV12):
                    block.attrib.pop(clark(namespace, name), None)
            slot = by_name.get(block.tag)
            if slot is None:
                out.setdefault("#any", []).append(generic.read_item(block))  # type: ignore[attr-defined]
                continue
            try:
                value = reader.element(slot, block)
            except Mismatch as error:
                raise error.at(slot.key).at("#headers") from None
            out[slot.key] = value.value if isinstance(value, Raw) else value
        return out


_XOP = "http://www.w3.org/2004/08/xop/include"


def _decoded(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ContractMismatch(
            f"not JSON: line {error.lineno}, column {error.colno}",
            vi=f"Không phải JSON: dòng {error.lineno}, cột {error.colno}",
            path="/",
            rule="json",
            line=error.lineno,
        ) from None


def _namespaces(plan: Plan, slots: list[Slot]) -> Namespaces:
    """What a message of these elements may name: declared once, at the root."""
    named = list(reachable(plan, slots))
    text = "".join(f"{slot.opening}{slot.start}" for slot in named)
    text += "".join(f" {name}" for name in attribute_names(plan, named))
    found = Namespaces({XSI: "xsi", "http://www.w3.org/XML/1998/namespace": "xml"})
    for namespace, prefix in plan.prefixes.items():
        if f"<{prefix}:" in text or f'"{prefix}:' in text or f" {prefix}:" in text:
            found[namespace] = prefix
    found.reserve(plan.prefixes)
    return found


def _declared(namespaces: Namespaces) -> str:
    return "".join(f' xmlns:{p}="{n}"' for n, p in namespaces.items() if p != "xml")


def _opened(envelope: etree._Element) -> tuple[etree._Element | None, etree._Element]:
    namespace = split(envelope.tag)[0]
    if namespace not in _ENVELOPES or local(envelope.tag) != "Envelope":
        raise Mismatch("Envelope", "not a SOAP envelope", "không phải phong bì SOAP").at(
            local(envelope.tag)
        )
    parts: dict[Tag, etree._Element] = {}
    for part in envelope:
        parts.setdefault(part.tag, part)
    body = parts.get(clark(namespace, "Body"))
    if body is None:
        raise Mismatch("Envelope", "no body", "không có phần thân").at("Envelope")
    return parts.get(clark(namespace, "Header")), body


def _unexpected(element: etree._Element, wanted: str) -> Mismatch:
    error = Mismatch(
        "body",
        f"{wanted} is expected, not {element.tag!s}",
        f"cần {wanted}, không phải {element.tag!s}",
    )
    error.line = element.sourceline or 0
    return error.at(local(element.tag)).at("Body").at("Envelope")


def _as_object(value: object) -> Json:
    """The body is always an object: a simple value stands in #text, no value in #nil."""
    if isinstance(value, Raw):
        if value.value is None:
            return {"#nil": True, "#lexical": {"#nil": value.lexical}}
        return {"#text": value.value, "#lexical": {"#text": value.lexical}}
    if value is None:
        return {"#nil": True}
    return value if isinstance(value, dict) else {"#text": value}


def _given_attachments(attached: object) -> list[mime.Attachment]:
    if attached is None:
        return []
    if not isinstance(attached, list):
        raise Mismatch("array", "an array is expected", "cần mảng JSON").at("#attachments")
    found = []
    for index, each in enumerate(attached):
        try:
            data = base64.b64decode(str(each["data"]), validate=True)
            kind, identity = (
                str(each.get("contentType", "application/octet-stream")),
                str(each.get("contentId", f"part{index}@lgsp")),
            )
        except (KeyError, TypeError, AttributeError, ValueError):
            raise (
                Mismatch(
                    "attachment",
                    "contentType, contentId and data (base64) are expected",
                    "cần contentType, contentId và data (base64)",
                )
                .at(index)
                .at("#attachments")
            ) from None
        if any(c in f"{kind}{identity}" for c in "\r\n<>"):
            raise (
                Mismatch("attachment", "not a header's value", "không dùng được trong tiêu đề")
                .at(index)
                .at("#attachments")
            )
        found.append(mime.Attachment(identity, kind, data))
    return found


def _shown(each: mime.Attachment) -> Json:
    return {
        "contentId": each.content_id,
        "contentType": each.content_type,
        "data": base64.b64encode(each.data).decode(),
    }
