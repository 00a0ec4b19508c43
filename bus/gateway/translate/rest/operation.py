"""One operation of a JSON service, served as SOAP: request to HTTP call, HTTP answer to reply."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from bus.gateway.translate.contract import Operation
from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.faults import ServiceFault
from bus.gateway.translate.message import Wire
from bus.gateway.translate.rest import json_text, parameters
from bus.gateway.translate.rest.document import Parameter, is_json
from bus.gateway.translate.rest.shapes import Anything, Simple, Use, start_counting
from schemas.errors import ContractMismatch, PartnerGarbage

Json = dict[str, Any]

HTTP_FAULT = "HttpFault"  # of answers that the document does not describe
FORM = "application/x-www-form-urlencoded"
_ANY = Use(Anything(), nullable=True)
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class HttpCall:
    """`target`: path and query below the service's address, percent-encoded: not to be again."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(slots=True)
class Argument:
    """A parameter, and the element of the request that carries it."""

    parameter: Parameter
    element: str
    use: Use


@dataclass(slots=True)
class SentBody:
    """`media` says what it becomes: JSON, a form, or (base64 in XML) the bytes as they are."""

    element: str
    use: Use
    media: str


@dataclass(slots=True)
class Answer:
    """What one status brings. `element`: of its own, "" where only one status is described.

    `result`: of the JSON; `content`: whether other media come as base64 with their type.
    """

    status: str
    element: str
    result: Use | None
    content: bool
    headers: list[tuple[str, str, Use]] = field(default_factory=list)  # name, element, use

    @property
    def holds(self) -> bool:
        """Whether it brings anything but its status."""
        return self.result is not None or self.content or bool(self.headers)


@dataclass(slots=True)
class DescribedFault:
    status: str
    element: str
    use: Use


@dataclass(slots=True)
class RestOperation:
    """`problems`: why it cannot be served; `lost`: what a message may hold and SOAP would not."""

    name: str
    method: str
    path: str
    documentation: str
    arguments: list[Argument] = field(default_factory=list)
    body: SentBody | None = None
    answers: list[Answer] = field(default_factory=list)
    faults: list[DescribedFault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    soap: dict[str, Operation] = field(default_factory=dict)  # by SOAP version

    # --- SOAP to HTTP ---

    def call_from_soap(self, body: bytes, content_type: str = "text/xml") -> HttpCall:
        """Raises ContractMismatch with path, rule and line; MalformedXml, TooLarge."""
        return self.call(self.soap["1.1"].request.to_json(body, content_type))

    def call_from_json(self, value: bytes | Mapping[str, object]) -> HttpCall:
        """The same by the JSON of the request message, judged like an envelope."""
        wire = self.soap["1.1"].request.to_xml(value)
        return self.call_from_soap(wire.body, wire.content_type)

    def call(self, data: Json) -> HttpCall:
        """`data`: the JSON of a request message that has been judged.  Raises ContractMismatch."""
        try:
            return self._call(data)
        except Mismatch as error:
            raise error.error() from None
        except RecursionError:
            raise Mismatch("depth", "nested too deeply", "lồng quá sâu").error() from None

    def _call(self, data: Json) -> HttpCall:
        path, query, cookies = self.path, list[str](), list[str]()
        headers = {"Accept": self._accepted()}
        for each in self.arguments:
            if each.element not in data:
                continue
            try:
                value = each.use.from_plan(data[each.element])
                name, place = each.parameter.name, each.parameter.place
                if place == "path":
                    path = path.replace(f"{{{name}}}", parameters.in_path(each.parameter, value))
                elif place == "query":
                    query += parameters.in_query(each.parameter, value)
                elif place == "header":
                    headers[name] = parameters.in_header(each.parameter, value)
                else:
                    cookies.append(parameters.in_cookie(each.parameter, value))
            except Mismatch as error:
                raise error.at(each.element) from None
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        body = self._sent(data, headers)
        target = quote(path, safe="/%:@!$&'()*+,;=~") + (f"?{'&'.join(query)}" if query else "")
        return HttpCall(self.method, target, headers, body)

    def _sent(self, data: Json, headers: dict[str, str]) -> bytes | None:
        if self.body is None or self.body.element not in data:
            return None
        headers["Content-Type"] = self.body.media
        try:
            value = self.body.use.from_plan(data[self.body.element])
            if is_json(self.body.media):
                return json_text.write(value)
            if self.body.media == FORM:
                return parameters.form(value)
            return base64.b64decode(value)
        except Mismatch as error:
            raise error.at(self.body.element) from None

    def _accepted(self) -> str:
        others = any(each.content for each in self.answers)
        return "application/json, application/problem+json" + (", */*" if others else "")

    # --- HTTP to SOAP ---

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Json:
        """The JSON of the reply message.

        Raises ServiceFault for an answer that is an error; PartnerGarbage, with path and rule, for
        one that the document does not allow.
        """
        start_counting()
        media = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        answer = self._answer(status)
        if answer is None:
            raise self._fault(status, media, body)
        try:
            found = self._answered(answer, headers, media, body)
        except Mismatch as error:
            raise _garbage(error.error()) from None
        except RecursionError:
            raise PartnerGarbage("the partner's answer is nested too deeply") from None
        if not answer.element:
            return found
        return {"status": status} | ({answer.element: found} if answer.holds else {})

    def reply_to_soap(
        self, status: int, headers: Mapping[str, str], body: bytes, version: str = "1.1"
    ) -> Wire:
        """A reply or fault in an envelope of `version`.  Raises PartnerGarbage."""
        try:
            found = self.reply(status, headers, body)
            return self.soap[version].reply.to_xml(found)
        except ServiceFault as fault:
            return self.soap[version].fault_to_xml(fault)
        except ContractMismatch as error:
            raise _garbage(error) from None

    def _answer(self, status: int) -> Answer | None:
        """A success that is not described is read as the only one that is."""
        if not 200 <= status < 300:
            return None
        found = _fitting(self.answers, status)
        return found or (self.answers[0] if len(self.answers) == 1 else None)

    def _answered(
        self, answer: Answer, headers: Mapping[str, str], media: str, body: bytes
    ) -> Json:
        given = {name.lower(): value for name, value in headers.items()}
        found: Json = {}
        for name, element, use in answer.headers:
            if name.lower() in given:
                found[element] = use.to_plan(_typed(use, given[name.lower()]))
        if not body:
            return found
        if answer.result is not None and (is_json(media) or not answer.content):
            found["result"] = answer.result.to_plan(json_text.read(body))
        elif answer.content:
            found["contentType"] = media
            found["content"] = base64.b64encode(body).decode()
        elif body.strip():
            raise Mismatch("body", "no body is described", "đặc tả không có nội dung")
        return found

    def _fault(self, status: int, media: str, body: bytes) -> ServiceFault:
        """The first form of it that XML can carry: as described, any JSON, text, bytes."""
        code = "Client" if 400 <= status < 500 else "Server"
        reason = _reason(status, body)
        for entry in self._entries(status, media, body):
            fault = ServiceFault(code, reason, entries=[entry])
            try:
                self.soap["1.1"].fault_to_xml(fault)
            except (Mismatch, RecursionError):
                continue
            return fault
        return ServiceFault(code, reason)

    def _entries(self, status: int, media: str, body: bytes) -> Iterator[Json]:
        try:
            value, parsed = (json_text.read(body), True) if body else (None, False)
        except Mismatch:
            value, parsed = None, False
        described = _fitting(self.faults, status)
        if described is not None and parsed:
            result = _carried(described.use, value)
            if result is not _NOTHING:  # else it is not as described
                yield {described.element: {"status": status, "result": result}}
        told: Json = {"status": status} | ({"contentType": media} if media else {})
        anything = _carried(_ANY, value) if parsed else _NOTHING
        if anything is not _NOTHING:
            yield {HTTP_FAULT: {**told, "json": anything}}
        if body:
            yield {HTTP_FAULT: {**told, "text": body.decode("utf-8", "surrogateescape")}}
            yield {HTTP_FAULT: {**told, "content": base64.b64encode(body).decode()}}
        yield {HTTP_FAULT: {"status": status}}


_Described = TypeVar("_Described", Answer, DescribedFault)


def _fitting(among: list[_Described], status: int) -> _Described | None:
    """The most exact description: of the status, of its hundred, the default."""
    for wanted in (str(status), f"{status // 100}XX", "default"):
        for each in among:
            if each.status == wanted:
                return each
    return None


def _carried(use: Use, value: Any) -> Any:
    """`value` for the plan, or `_NOTHING` where that shape cannot carry it."""
    try:
        return use.to_plan(value)
    except (Mismatch, RecursionError):
        return _NOTHING


def _typed(use: Use, text: str) -> Any:
    """A header's text as the JSON value that its schema wants."""
    if isinstance(use.shape, Simple) and use.shape.kind != "string":
        return json_text.read(text.encode())
    return text


def _reason(status: int, body: bytes) -> str:
    """The service's own words, where they are in a usual place (RFC 9457 first)."""
    try:
        value = json_text.read(body)
    except Mismatch:
        value = None
    words = []
    if isinstance(value, dict):
        for key in ("title", "detail", "message", "error", "error_description"):
            found = value.get(key)
            if isinstance(found, str) and found.isprintable() and found:
                words.append(found)
    return ": ".join(words[:2])[:1000] or f"HTTP {status}"


def _garbage(error: ContractMismatch) -> PartnerGarbage:
    return PartnerGarbage(
        f"the partner's answer is against its description: {error.detail.en}",
        vi=f"Trả lời của đối tác sai đặc tả: {error.detail.vi}",
        path=error.context.get("path", ""),
        rule=error.context.get("rule", ""),
    )
