"""A JSON service compiled from its OpenAPI document: served as SOAP 1.1 and 1.2."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from bus.gateway.translate.contract import Contract, compile_wsdl
from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.names import XSD, clark
from bus.gateway.translate.rest.document import Described, Document, Parameter, Reply, is_json
from bus.gateway.translate.rest.names import Names, xml_name
from bus.gateway.translate.rest.operation import (
    FORM,
    HTTP_FAULT,
    Answer,
    Argument,
    DescribedFault,
    RestOperation,
    SentBody,
)
from bus.gateway.translate.rest.schemas import Rules, Schemas
from bus.gateway.translate.rest.shapes import (
    Anything,
    Array,
    Choice,
    Object,
    Shape,
    Simple,
    Text,
    Use,
)
from bus.gateway.translate.rest.wsdl_writer import Exposed, Place, Wrapper, Writer
from bus.gateway.translate.simple import SimpleCodec
from schemas.errors import InvalidContract
from schemas.service import NO_NAMES, SoapNames
from schemas.xml import DEFAULT_LIMITS, Limits

Json = dict[str, Any]

_FILE = "service.wsdl"
_ADDRESS = "urn:lgsp:address"
_STATUS = Use(Simple("int"))
_STRING, _BASE64 = Use(Text("string")), Use(Text("base64Binary"))


@dataclass(slots=True)
class RestContract:
    """`operations`: all of the document; those with `problems` are not in the WSDL.

    `contract`: the WSDL as the plans have it; None where no operation can be served.
    """

    title: str
    namespace: str
    servers: list[str]
    operations: dict[str, RestOperation]
    contract: Contract | None
    notes: list[str]
    _wsdl: bytes = field(repr=False)

    def wsdl(self, address: str) -> bytes:
        """The WSDL with `address` as the URL of both ports.  Raises InvalidContract."""
        if self.contract is None:
            raise bad_contract("no operation can be served", vi="Không thao tác nào phục vụ được")
        safe = address.replace("&", "&amp;").replace('"', "%22").replace("<", "%3C")
        place = f'location="{_ADDRESS}"'
        return self._wsdl.replace(place.encode(), f'location="{safe}"'.encode())

    def report(self) -> Json:
        """Like the report of a WSDL: per operation what is served, and what would be lost."""
        rows = [_row(self.title, operation) for operation in self.operations.values()]
        return {
            "ok": bool(rows) and all(row["supported"] and not row["lost"] for row in rows),
            "operations": rows,
            "notes": self.notes,
            "missing": {},
            "defined_twice": [],
            "unjudged_because": self.contract.unjudged if self.contract else "",
        }


def compile_openapi(
    document: bytes, *, names: SoapNames = NO_NAMES, limits: Limits = DEFAULT_LIMITS
) -> RestContract:
    """Compile an OpenAPI 3.0 or 3.1 document, JSON or YAML; nothing is fetched.

    `names` are the WSDL's, made of the title unless given: a title that changes is a new namespace
    for every client.  `limits` hold for messages.  Raises InvalidContract.
    """
    try:
        found = _Compiler(document, names, limits).contract()
        for rules in ("no patterns", "none"):  # a facet that is none in XSD: the rest is served
            if found.contract is not None and found.contract.unjudged:
                found = _Compiler(document, names, limits, rules=rules).contract()
    except RecursionError:
        raise bad_contract(
            "schemas contain each other without end", vi="Lược đồ lồng nhau vô tận"
        ) from None
    return found


class _Compiler:
    def __init__(
        self, data: bytes, names: SoapNames, limits: Limits, *, rules: Rules = "all"
    ) -> None:
        self._document = Document(data)
        self._limits = limits
        self._words = re.findall(r"[A-Za-z0-9]+", _ascii(self._document.title)) or ["Service"]
        self._names = names
        self._namespace = names.namespace or f"urn:lgsp:openapi:{'-'.join(self._words).lower()}"
        self._schemas = Schemas(self._document, rules=rules)
        self._elements = Names(HTTP_FAULT)
        self._exposed: list[Exposed] = []
        self._faults: dict[int, Wrapper] = {}  # by shape

    def contract(self) -> RestContract:
        operations: dict[str, RestOperation] = {}
        for described, item, data in self._document.operations():
            operations[described.name] = self._operation(described, item, data)
        wsdl, compiled = b"", None
        if self._exposed:
            wsdl = self._written()
            compiled = compile_wsdl({_FILE: wsdl}, _FILE, limits=self._limits)
            self._join(operations, compiled)
        servers = self._document.root.get("servers")
        listed = servers if isinstance(servers, list) else []
        urls = [str(each.get("url", "")) for each in listed if isinstance(each, dict)]
        return RestContract(
            self._document.title,
            self._namespace,
            urls,
            operations,
            compiled,
            list(self._schemas.notes),
            wsdl,
        )

    def _written(self) -> bytes:
        titled = "".join(word[:1].upper() + word[1:] for word in self._words)
        name = self._names.service or xml_name(titled)
        documentation = str(self._document.info.get("description") or self._document.title)
        writer = Writer(
            self._namespace,
            name,
            documentation,
            {"Soap11": self._names.port, "Soap12": self._names.port_12},
        )
        faults = [_http_fault(Use(self._schemas.anything, nullable=True)), *self._faults.values()]
        return writer.wsdl(self._exposed, faults, self._schemas.types, _ADDRESS)

    def _join(self, operations: dict[str, RestOperation], compiled: Contract) -> None:
        for service in compiled.services.values():
            for port in service.ports.values():
                for name, operation in port.operations.items():
                    operations[name].soap[port.version] = operation
                    operations[name].problems += operation.problems
        for shape in self._schemas.simples:
            plain = shape.type_name.removeprefix("xs:")
            space = XSD if plain != shape.type_name else self._namespace
            codec = compiled.plan.codec(compiled.plan.builder.type(clark(space, plain)))
            assert isinstance(codec, SimpleCodec)  # noqa: S101 - the type is simple
            shape.codec = codec

    # --- one operation ---

    def _operation(self, described: Described, item: Json, data: Json) -> RestOperation:
        found = RestOperation(
            described.name, described.method, described.path, described.documentation
        )
        try:
            with self._schemas.whole_or_nothing():
                self._document.read(described, item, data)
                if not described.problems:
                    self._expose(found, described)
        except InvalidContract as error:
            described.problems.append(error.detail.en)
        found.problems, found.notes = described.problems, described.notes
        return found

    def _expose(self, found: RestOperation, described: Described) -> None:
        request = self._request(found, described)
        found.answers, success = self._answers(described)
        errors = [(r, u) for r in described.replies if (u := self._error(r, success, found.name))]
        # from here on nothing fails: names are given out
        request.element = self._elements.unique(found.name)
        reply = self._reply(found)
        found.faults = [
            DescribedFault(each.status, self._fault_element(use), use) for each, use in errors
        ]
        named = list(dict.fromkeys([*(each.element for each in found.faults), HTTP_FAULT]))
        self._exposed.append(Exposed(found.name, described.documentation, request, reply, named))

    def _request(self, found: RestOperation, described: Described) -> Wrapper:
        names, wrapper = Names(), Wrapper(found.name)
        for each in described.parameters:
            element = names.unique(xml_name(each.name))
            use = self._schemas.use(each.schema, f"{found.name}_{element}")
            use = Use(use.shape)  # a URL has no null
            found.arguments.append(Argument(each, element, use))
            if not each.media and _nests(use.shape):
                found.lost.append(f"parameter {each.name}: nested values have no form in a URL")
            wrapper.places.append(Place(element, use, each.required, _where(each)))
        if described.body is not None:
            element = names.unique("body")
            media = described.body.media
            use = _BASE64
            if is_json(media) or media == FORM:
                use = self._schemas.use(described.body.schema, f"{found.name}_body")
            if media == FORM and _nests(use.shape, 2):
                found.lost.append("body: nested values have no form in a form")
            found.body = SentBody(element, use, media)
            wrapper.places.append(Place(element, use, described.body.required))
        return wrapper

    def _answers(self, described: Described) -> tuple[list[Answer], set[str]]:
        """The successes: of 2xx, or the default where there is none."""
        taken = [each for each in described.replies if each.status.startswith("2")]
        taken = taken or [each for each in described.replies if each.status == "default"]
        found = []
        for each in taken:
            element = f"status{each.status}" if len(taken) > 1 else ""
            hint = f"{described.name}_{element or 'result'}"
            result = self._schemas.use(each.schema, hint) if each.schema is not None else None
            answer = Answer(each.status, element, result, bool(each.other_media))
            names = Names("result", "content", "contentType")
            for name, schema in each.headers.items():
                use = Use(self._schemas.use(schema, f"{hint}_{xml_name(name)}").shape)
                simple = use if isinstance(use.shape, Simple) else _STRING
                answer.headers.append((name, names.unique(xml_name(name)), simple))
            found.append(answer)
        return found or [Answer("200", "", None, content=True)], {each.status for each in taken}

    def _error(self, reply: Reply, success: set[str], name: str) -> Use | None:
        if reply.schema is None or (reply.status in success and reply.status != "default"):
            return None
        return self._schemas.use(reply.schema, f"{name}_{reply.status}")

    def _reply(self, found: RestOperation) -> Wrapper:
        """Where several successes are described, `status` says which, and its element follows."""
        wrapper = Wrapper(self._elements.unique(f"{found.name}Response"))
        if len(found.answers) > 1:
            wrapper.places.append(Place("status", _STATUS, required=True))
        for answer in found.answers:
            places = [Place(element, use) for _, element, use in answer.headers]
            if answer.result is not None:
                places.append(Place("result", answer.result))
            if answer.content:
                places += [Place("contentType", _STRING), Place("content", _BASE64)]
            if answer.element and answer.holds:
                wrapper.alternatives[answer.element] = places
            else:
                wrapper.places += places
        return wrapper

    def _fault_element(self, use: Use) -> str:
        wrapper = self._faults.get(id(use.shape))
        if wrapper is None:
            label = use.shape.type_name.removeprefix("xs:")
            element = self._elements.unique(f"{label[:1].upper()}{label[1:]}Fault")
            places = [Place("status", _STATUS, required=True), Place("result", use)]
            wrapper = self._faults[id(use.shape)] = Wrapper(element, places)
        return wrapper.element


def _ascii(text: str) -> str:
    """Vietnamese without its marks: names of services and namespaces meet the oldest tools."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    return "".join(c for c in plain if not unicodedata.combining(c))


def _http_fault(anything: Use) -> Wrapper:
    return Wrapper(
        HTTP_FAULT,
        [
            Place("status", _STATUS, required=True),
            Place("contentType", _STRING),
            Place("json", anything),
            Place("text", _STRING),
            Place("content", _BASE64),
        ],
    )


def _nests(shape: Shape, depth: int = 1) -> bool:
    """Whether its values may be deeper than a URL can say: a list or an object of simple ones."""
    if isinstance(shape, Choice):
        return any(_nests(each.use.shape, depth) for each in shape.alternatives)
    if isinstance(shape, Array):
        return not depth or _nests(shape.item.shape, depth - 1)
    if isinstance(shape, Object):
        inner = [member.use.shape for member in shape.members]
        if shape.others is not None and not isinstance(shape.others.shape, Anything):
            inner.append(shape.others.shape)
        return not depth or any(_nests(each, depth - 1) for each in inner)
    return not isinstance(shape, Simple)


def _where(parameter: Parameter) -> str:
    return f"HTTP {parameter.place} parameter {parameter.name}"


def _row(title: str, operation: RestOperation) -> Json:
    return {
        "service": title,
        "port": f"{operation.method} {operation.path}",
        "operation": operation.name,
        "soap": "1.1, 1.2",
        "style": "document/literal",
        "one_way": False,
        "headers": [],
        "faults": list(dict.fromkeys(each.element for each in operation.faults)),
        "supported": not operation.problems,
        "problems": operation.problems,
        "lost": operation.lost,
        "notes": operation.notes,
    }
