"""The WSDL of a JSON service: document/literal wrapped, SOAP 1.1 and 1.2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bus.gateway.translate.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD
from bus.gateway.translate.rest.shapes import Array, Choice, Object, Shape, Simple, Use
from bus.gateway.translate.text import attribute_text, element_text

_HTTP = "http://schemas.xmlsoap.org/soap/http"
_BINDINGS = (("Soap11", "soap"), ("Soap12", "soap12"))


@dataclass(slots=True)
class Place:
    """One element in a wrapper."""

    element: str
    use: Use
    required: bool = False
    doc: str = ""


@dataclass(slots=True)
class Wrapper:
    """A global element.  `alternatives`: after the places, one of these or none."""

    element: str
    places: list[Place] = field(default_factory=list)
    alternatives: dict[str, list[Place]] = field(default_factory=dict)


@dataclass(slots=True)
class Exposed:
    """An operation as the WSDL has it. `faults`: names of global elements."""

    name: str
    documentation: str
    request: Wrapper
    reply: Wrapper
    faults: list[str]


@dataclass(slots=True)
class Writer:
    namespace: str
    service: str
    documentation: str
    ports: Mapping[str, str]
    """Names by binding; those of `_BINDINGS` that are not there are the service's own."""

    def wsdl(
        self,
        operations: list[Exposed],
        faults: list[Wrapper],
        types: dict[str, Shape],
        address: str,
    ) -> bytes:
        """The whole document; `address` is the URL of both ports."""
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            self._opening(),
            _documented(self.documentation),
            *self._schema(operations, faults, types),
            *(_message(wrapper.element) for wrapper in _wrappers(operations, faults)),
            *self._port_type(operations),
            *(self._binding(operations, suffix, soap) for suffix, soap in _BINDINGS),
            *self._service(address),
            "</wsdl:definitions>\n",
        ]
        return "".join(parts).encode()

    def _opening(self) -> str:
        space = attribute_text(self.namespace)
        return (
            f'<wsdl:definitions xmlns:wsdl="{WSDL}" xmlns:soap="{WSDL_SOAP11}" '
            f'xmlns:soap12="{WSDL_SOAP12}" xmlns:xs="{XSD}" xmlns:t="{space}" '
            f'name="{self.service}" targetNamespace="{space}">\n'
        )

    def action(self, name: str) -> str:
        return f"{self.namespace}/{name}"

    def _schema(
        self, operations: list[Exposed], faults: list[Wrapper], types: dict[str, Shape]
    ) -> Iterable[str]:
        yield (
            '<wsdl:types><xs:schema elementFormDefault="qualified" '
            f'targetNamespace="{attribute_text(self.namespace)}">\n'
        )
        for name, shape in types.items():
            yield _type(name, shape)
        yield _JSON
        for wrapper in _wrappers(operations, faults):
            yield _wrapper(wrapper)
        yield "</xs:schema></wsdl:types>\n"

    def _port_type(self, operations: list[Exposed]) -> Iterable[str]:
        yield f'<wsdl:portType name="{self.service}">\n'
        for each in operations:
            yield f'<wsdl:operation name="{each.name}">{_documented(each.documentation)}'
            yield f'<wsdl:input message="t:{each.request.element}"/>'
            yield f'<wsdl:output message="t:{each.reply.element}"/>'
            for fault in each.faults:
                yield f'<wsdl:fault name="{fault}" message="t:{fault}"/>'
            yield "</wsdl:operation>\n"
        yield "</wsdl:portType>\n"

    def _binding(self, operations: list[Exposed], suffix: str, soap: str) -> str:
        inner = "".join(self._bound(each, soap) for each in operations)
        return (
            f'<wsdl:binding name="{self.service}{suffix}" type="t:{self.service}">'
            f'<{soap}:binding style="document" transport="{_HTTP}"/>\n{inner}</wsdl:binding>\n'
        )

    def _bound(self, operation: Exposed, soap: str) -> str:
        literal = f'<{soap}:body use="literal"/>'
        action = attribute_text(self.action(operation.name))
        faults = "".join(
            f'<wsdl:fault name="{each}"><{soap}:fault name="{each}" use="literal"/></wsdl:fault>'
            for each in operation.faults
        )
        return (
            f'<wsdl:operation name="{operation.name}">'
            f'<{soap}:operation soapAction="{action}" style="document"/>'
            f"<wsdl:input>{literal}</wsdl:input><wsdl:output>{literal}</wsdl:output>"
            f"{faults}</wsdl:operation>\n"
        )

    def _service(self, address: str) -> Iterable[str]:
        yield f'<wsdl:service name="{self.service}">'
        for suffix, soap in _BINDINGS:
            port = self.ports.get(suffix) or f"{self.service}{suffix}"
            yield (
                f'<wsdl:port name="{port}" binding="t:{self.service}{suffix}">'
                f'<{soap}:address location="{attribute_text(address)}"/></wsdl:port>'
            )
        yield "</wsdl:service>\n"


def _wrappers(operations: list[Exposed], faults: list[Wrapper]) -> Iterable[Wrapper]:
    for each in operations:
        yield each.request
        yield each.reply
    yield from faults


def _message(element: str) -> str:
    part = f'<wsdl:part name="parameters" element="t:{element}"/>'
    return f'<wsdl:message name="{element}">{part}</wsdl:message>\n'


def _wrapper(wrapper: Wrapper) -> str:
    content = "".join(map(_place, wrapper.places))
    if wrapper.alternatives:
        options = "".join(
            f'<xs:element name="{name}">{_complex("".join(map(_place, places)))}</xs:element>'
            for name, places in wrapper.alternatives.items()
        )
        content += f'<xs:choice minOccurs="0">{options}</xs:choice>'
    return f'<xs:element name="{wrapper.element}">{_complex(content)}</xs:element>\n'


def _place(place: Place) -> str:
    return _element(place.element, place.use, low=1 if place.required else 0, doc=place.doc)


def _type(name: str, shape: Shape) -> str:
    if isinstance(shape, Simple):
        facets = "".join(
            f'<xs:{facet} value="{attribute_text(value)}"/>' for facet, value in shape.facets.found
        )
        inner = f'<xs:restriction base="xs:{shape.base}">{facets}</xs:restriction>'
        return f'<xs:simpleType name="{name}">{inner}</xs:simpleType>\n'
    if isinstance(shape, Array):
        high = "unbounded" if shape.high is None else str(shape.high)
        content = _element("item", shape.item, low=shape.low, high=high)
    elif isinstance(shape, Choice):
        content = "".join(
            _element(each.element, Use(each.use.shape)) for each in shape.alternatives
        )
        return f'<xs:complexType name="{name}"><xs:choice>{content}</xs:choice></xs:complexType>\n'
    else:
        assert isinstance(shape, Object)  # noqa: S101 - there are no others
        content = _object(shape)
    return _complex(content, name) + "\n"


def _object(shape: Object) -> str:
    content = "".join(
        _element(member.element, member.use, low=1 if member.required else 0)
        for member in shape.members
    )
    if shape.others is None:
        return content
    inner = '<xs:element name="key" type="xs:string"/>' + _element("value", shape.others)
    entry = f'<xs:element name="{shape.entry}" minOccurs="0" maxOccurs="unbounded">'
    return f"{content}{entry}{_complex(inner)}</xs:element>"


def _complex(content: str, name: str = "") -> str:
    named = f' name="{name}"' if name else ""
    return f"<xs:complexType{named}><xs:sequence>{content}</xs:sequence></xs:complexType>"


def _element(name: str, use: Use, *, low: int = 1, high: str = "", doc: str = "") -> str:
    kind = use.shape.type_name
    kind = kind if kind.startswith("xs:") else f"t:{kind}"
    rest = f' minOccurs="{low}"' if low != 1 else ""
    rest += f' maxOccurs="{high}"' if high else ""
    rest += ' nillable="true"' if use.nullable else ""
    start = f'<xs:element name="{name}" type="{kind}"{rest}'
    if not doc:
        return f"{start}/>"
    note = f"<xs:documentation>{_plain(doc)}</xs:documentation>"
    return f"{start}><xs:annotation>{note}</xs:annotation></xs:element>"


def _documented(text: str) -> str:
    plain = _plain(text)
    return f"<wsdl:documentation>{plain}</wsdl:documentation>" if plain else ""


def _plain(text: str) -> str:
    return element_text("".join(filter(str.isprintable, " ".join(text.split()))))


_JSON = """\
<xs:complexType name="Json"><xs:choice>
<xs:element name="string" type="xs:string"/><xs:element name="number" type="t:JsonNumber"/>
<xs:element name="boolean" type="xs:boolean"/><xs:element name="array" type="t:JsonArray"/>
<xs:element name="object" type="t:JsonObject"/></xs:choice></xs:complexType>
<xs:complexType name="JsonArray"><xs:sequence>
<xs:element name="item" type="t:Json" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
</xs:sequence></xs:complexType>
<xs:complexType name="JsonObject"><xs:sequence>
<xs:element name="entry" type="t:JsonEntry" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType>
<xs:complexType name="JsonEntry"><xs:sequence><xs:element name="key" type="xs:string"/>
<xs:element name="value" type="t:Json" nillable="true"/></xs:sequence></xs:complexType>
<xs:simpleType name="JsonNumber"><xs:restriction base="xs:string">
<xs:pattern value="-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+\\-]?[0-9]+)?"/>
</xs:restriction></xs:simpleType>
"""
