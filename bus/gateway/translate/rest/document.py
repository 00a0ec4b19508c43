"""An OpenAPI document (3.0 and 3.1, JSON or YAML) as plain data; references stay inside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import yaml

from bus.gateway.translate.failure import bad_contract
from bus.gateway.translate.rest.names import Names, xml_name
from schemas.errors import InvalidContract

Json = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PLACES = ("path", "query", "header", "cookie")
MAX_BYTES = 16_000_000
_IGNORED_HEADERS = {"accept", "content-type", "authorization"}  # OpenAPI: described elsewhere


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as OpenAPI asks for it: no dates, and `no` is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith((":timestamp", ":bool"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


@dataclass(slots=True)
class Parameter:
    """`place`: path, query, header or cookie. `media`: the value travels as a JSON text."""

    name: str
    place: str
    schema: Any
    required: bool
    style: str
    explode: bool
    reserved: bool = False
    media: bool = False


@dataclass(slots=True)
class Reply:
    """`status`: "200", "2XX" or "default". `schema`: None where no JSON is described."""

    status: str
    schema: Any = None
    headers: dict[str, Any] = field(default_factory=dict)
    other_media: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Body:
    schema: Any
    required: bool
    media: str


@dataclass(slots=True)
class Described:
    """One operation as the document has it. `problems`: why it cannot be served."""

    name: str
    method: str
    path: str
    documentation: str
    parameters: list[Parameter] = field(default_factory=list)
    body: Body | None = None
    replies: list[Reply] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Document:
    """Raises InvalidContract for what is no OpenAPI 3.0 or 3.1 document."""

    def __init__(self, data: bytes) -> None:
        self.root = _loaded(data)
        self.version = str(self.root.get("openapi", ""))
        if not re.fullmatch(r"3\.[01]\.\d+.*", self.version):
            raise bad_contract(
                "not an OpenAPI 3.0 or 3.1 document",
                vi="Không phải tài liệu OpenAPI 3.0 hoặc 3.1",
            )
        info = self.root.get("info")
        self.info: Json = info if isinstance(info, dict) else {}

    @property
    def title(self) -> str:
        return str(self.info.get("title") or "Service")

    @property
    def schemas(self) -> dict[str, Any]:
        return _dict(_dict(self.root.get("components")).get("schemas"))

    def resolve(self, node: Any) -> Json:
        """What `$ref` stands for, with the members beside it on top; `node` itself without one."""
        seen: set[str] = set()
        beside: Json = {}
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            beside = {k: v for k, v in node.items() if k != "$ref"} | beside
            if reference in seen:
                raise _bad_reference(reference, "refers to itself", "tự tham chiếu")
            seen.add(reference)
            node = self.at(reference)
        return {**_dict(node), **beside}

    def at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise _bad_reference(
                reference,
                "is outside the document, and nothing is fetched: put it in (bundle the document)",
                "ở ngoài tài liệu, trục không tự tải: gộp vào một tệp",
            )
        node: Any = self.root
        for step in reference[2:].split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise _bad_reference(reference, "is not in the document", "không có trong tài liệu")
        return node

    def operations(self) -> Iterator[tuple[Described, Json, Json]]:
        """Each with the path item and the operation object it is to be read from."""
        names = Names()
        for path, item in _dict(self.root.get("paths")).items():
            if not path.startswith("/"):  # `x-…`
                continue
            try:
                shared = self.resolve(item)
            except InvalidContract as error:
                name = names.unique(xml_name(_named("any", path)))
                yield Described(name, "*", path, "", problems=[error.detail.en]), {}, {}
                continue
            for method in METHODS:
                data = shared.get(method)
                if isinstance(data, dict):
                    wanted = str(data.get("operationId") or _named(method, path))
                    text = str(data.get("description") or data.get("summary") or "")
                    name = names.unique(xml_name(wanted))
                    yield Described(name, method.upper(), path, text), shared, data

    def read(self, found: Described, item: Json, data: Json) -> None:
        """Parameters, body and replies into `found`.  Raises InvalidContract."""
        given: dict[tuple[str, str], Parameter] = {}
        for each in [*_list(item.get("parameters")), *_list(data.get("parameters"))]:
            parameter = self._parameter(self.resolve(each))
            given[parameter.name, parameter.place] = parameter
        found.parameters = [
            each
            for each in given.values()
            if not (each.place == "header" and each.name.lower() in _IGNORED_HEADERS)
        ]
        self._check_parameters(found)
        if data.get("requestBody") is not None:
            found.body = self._body(self.resolve(data["requestBody"]), found)
        for status, reply in _dict(data.get("responses")).items():
            if re.fullmatch(r"[1-5](?:\d\d|XX)|DEFAULT", status.upper()):
                found.replies.append(self._reply(status, self.resolve(reply)))
        if data.get("callbacks"):
            found.notes.append("callbacks are not part of the SOAP service")

    def _parameter(self, data: Json) -> Parameter:
        place = str(data.get("in"))
        style = str(data.get("style") or ("form" if place in {"query", "cookie"} else "simple"))
        media, schema = False, data.get("schema", {})
        for kind, content in _dict(data.get("content")).items():
            media, schema = is_json(kind), _dict(content).get("schema", {})
        return Parameter(
            str(data.get("name")),
            place,
            schema,
            bool(data.get("required")) or place == "path",
            style,
            bool(data.get("explode", style == "form")),
            bool(data.get("allowReserved")),
            media,
        )

    def _check_parameters(self, found: Described) -> None:
        for each in found.parameters:
            if each.place not in _PLACES:
                found.problems.append(f"parameter {each.name} is in {each.place}: there is no such")
            if each.place == "path" and f"{{{each.name}}}" not in found.path:
                found.problems.append(f"parameter {each.name} is not in the path")
        known = {each.name for each in found.parameters if each.place == "path"}
        for name in re.findall(r"\{([^{}]*)\}", found.path):
            if name not in known:
                found.problems.append(f"the path names {{{name}}}, which is not described")

    def _body(self, data: Json, found: Described) -> Body | None:
        content = _dict(data.get("content"))
        for kind, media in content.items():
            if is_json(kind):
                fitting = kind if "*" not in kind else "application/json"
                schema = _dict(media).get("schema", True)
                return Body(schema, bool(data.get("required")), fitting)
        for kind, media in content.items():
            if not kind.startswith("multipart/"):
                schema = _dict(media).get("schema", True)
                return Body(schema, bool(data.get("required")), kind)
        if content:
            listed = ", ".join(content)
            found.problems.append(f"the request body is {listed}, which SOAP cannot carry yet")
        return None

    def _reply(self, status: str, data: Json) -> Reply:
        content = _dict(data.get("content"))
        headers = {
            name: self.resolve(each).get("schema", {})
            for name, each in _dict(data.get("headers")).items()
            if name.lower() != "content-type"
        }
        reply = Reply(status if status == "default" else status.upper(), headers=headers)
        for kind, media in content.items():
            if is_json(kind) and reply.schema is None:
                reply.schema = _dict(media).get("schema", True)
            elif not is_json(kind):
                reply.other_media.append(kind)
        return reply


def is_json(kind: str) -> bool:
    """Whether a media type carries JSON (RFC 6839 section 3.1 for `+json`)."""
    plain = kind.partition(";")[0].strip().lower()
    return plain in {"application/json", "text/json", "*/*", "application/*"} or plain.endswith(
        "+json"
    )


def _loaded(data: bytes) -> Json:
    if len(data) > MAX_BYTES:
        raise bad_contract("the document is too large", vi="Tài liệu quá lớn", limit=MAX_BYTES)
    try:
        if data.lstrip()[:1] == b"{":
            return _dict(json.loads(data))
    except (ValueError, RecursionError):
        pass  # a flow mapping of YAML, perhaps
    try:
        found = yaml.load(data, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        raise bad_contract(
            f"neither JSON nor YAML: line {line}", vi=f"Không phải JSON hay YAML: dòng {line}",
            line=line,
        ) from None  # fmt: skip
    if not isinstance(found, dict):
        raise bad_contract("not an OpenAPI document", vi="Không phải tài liệu OpenAPI")
    return _dict(found)


def _named(method: str, path: str) -> str:
    """A name for an operation without operationId: `GET /a/{id}` → getABy_id → `getAById`."""
    found = method
    for step in re.split(r"[/.:_-]+", path):
        plain = step.strip("{}")
        if plain:
            found += ("By" if "{" in step else "") + plain[:1].upper() + plain[1:]
    return found


def _dict(node: Any) -> dict[str, Any]:
    return {str(k): v for k, v in node.items()} if isinstance(node, Mapping) else {}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _bad_reference(reference: str, en: str, vi: str) -> Exception:
    return bad_contract(f"$ref {reference} {en}", vi=f"$ref {reference} {vi}", missing=reference)
