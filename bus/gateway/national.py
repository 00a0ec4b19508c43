"""National services as services of the gateway.

Their contract is a file `NAME.national.yaml` that says which service it is, with its options; the
address and the sign-on are the declared service's, as for a WSDL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from adapters.national import NationalFace
from bus.gateway.rest_service import compile_rest, is_openapi
from bus.gateway.translate import Contract, Message, Operation, Wire, compile_wsdl
from bus.gateway.translate.build import Builder
from bus.gateway.translate.json_lines import line_of
from bus.gateway.translate.openapi import PROBLEMS, problem
from bus.gateway.translate.plan import Plan
from bus.gateway.translate.schema import Index
from schemas.errors import ConfigurationError, ContractMismatch, InvalidContract
from schemas.service import NO_NAMES, OperationSettings, Personal, Service, SoapNames
from schemas.xml import DEFAULT_LIMITS, Limits

SUFFIX = ".national.yaml"
_MEDIA = "application/json"

Json = dict[str, Any]


@dataclass(slots=True)
class _Question(Message):
    """Canonical JSON, checked; what goes on the wire is the adapter's."""

    operation: str = ""
    face: NationalFace | None = None

    def to_xml(self, value: bytes | Mapping[str, object], *, mtom: bool | None = None) -> Wire:  # noqa: ARG002
        """Raises ContractMismatch with path, rule and line (of JSON given as bytes)."""
        try:
            data = orjson.loads(value) if isinstance(value, bytes) else value
        except orjson.JSONDecodeError as error:
            raise ContractMismatch(
                f"not JSON: line {error.lineno}, column {error.colno}",
                vi=f"Không phải JSON: dòng {error.lineno}, cột {error.colno}",
                path="/",
                rule="json",
                line=error.lineno,
            ) from None
        assert self.face is not None  # noqa: S101 - given by whoever makes it
        try:
            self.face.check(self.operation, data)
        except ContractMismatch as error:
            if isinstance(value, bytes):
                error.context["line"] = line_of(value, str(error.context["path"]))
            raise
        return Wire(orjson.dumps(data), _MEDIA, None)


class _Answer(Message):
    def to_json(self, body: bytes, content_type: str = "", *, validate: bool = True) -> Json:  # noqa: ARG002
        found: Json = orjson.loads(body)
        return found


@dataclass(slots=True)
class NationalCall(Operation):
    """An operation that an adapter of `adapters.national` carries out."""

    options: Json = field(default_factory=dict)
    schemas: tuple[Json, Json] = ({}, {})  # JSON Schema of question and answer
    settings: OperationSettings = field(default_factory=OperationSettings)


class NationalContract(Contract):
    def openapi(self, *, title: str = "", base_path: str = "") -> Json:
        """One POST for each operation, below `base_path`."""
        schemas: Json = dict(PROBLEMS)
        paths = {
            f"{base_path}/{name}": {"post": _post(name, operation, schemas)}
            for name, operation in self.operations.items()
            if isinstance(operation, NationalCall)
        }
        return {
            "openapi": "3.1.0",
            "info": {"title": title or self.namespace, "version": "1", "description": ""},
            "paths": paths,
            "components": {"schemas": schemas},
        }

    def report(self) -> Json:
        """As of a WSDL: an adapter's operations are all supported, and nothing is lost."""
        rows = [
            {
                "service": self.namespace,
                "port": "",
                "operation": name,
                "soap": "",
                "style": operation.style,
                "one_way": False,
                "headers": [],
                "faults": [],
                "supported": True,
                "problems": [],
                "lost": [],
                "notes": [operation.documentation],
            }
            for name, operation in self.operations.items()
        ]
        return Contract.report(self) | {"operations": rows, "judged_by": "pydantic"}

    def settings(self, declared: Mapping[str, OperationSettings]) -> dict[str, OperationSettings]:
        """What is declared, over what the service itself says: personal stays personal."""
        found = dict(declared)
        for name, operation in self.operations.items():
            if isinstance(operation, NationalCall):
                own = operation.settings
                given = found.get(name, own)
                kept = {
                    "personal": given.personal or own.personal,
                    "changes": given.changes or own.changes,
                }
                found[name] = given.model_copy(update=kept)
        return found


def in_force(service: Service, contract: Contract) -> Service:
    """The service with the settings of operations that count."""
    if not isinstance(contract, NationalContract):
        return service
    return service.model_copy(update={"operations": contract.settings(service.operations)})


def compile_contract(
    documents: Mapping[str, bytes],
    main: str,
    *,
    names: SoapNames = NO_NAMES,
    limits: Limits = DEFAULT_LIMITS,
) -> Contract:
    """Of a WSDL, of an OpenAPI document, or of a national service by its options.

    `names` are for an OpenAPI document alone: others have theirs, or no WSDL.

    Raises InvalidContract, ConfigurationError (options).
    """
    described = is_openapi(main) and not main.endswith(SUFFIX)
    if names != NO_NAMES and not described:
        raise ConfigurationError(
            f"`soap` names the WSDL of a service described by OpenAPI, which {main} is not",
            vi=f"`soap` chỉ đặt tên cho WSDL của dịch vụ mô tả bằng OpenAPI; {main} không phải",
        )
    if not main.endswith(SUFFIX):
        if described and main in documents:
            return compile_rest(documents[main], main, names=names, limits=limits)
        return compile_wsdl(documents, main, limits=limits)
    try:
        options = yaml.safe_load(documents[main])
    except (yaml.YAMLError, KeyError, UnicodeDecodeError):
        options = None
    if not isinstance(options, dict) or {"url", "sign_on"} & options.keys():
        raise InvalidContract(
            f"{main} is not a national service with its options (address and sign-on stand in the "
            "declaration of the service)",
            vi=f"{main} không phải dịch vụ quốc gia với các tùy chọn (địa chỉ và cách xác thực "
            "nằm trong khai báo dịch vụ)",
            document=main,
        )
    return _compiled(options)


def operations_of(documents: Mapping[str, bytes], main: str) -> frozenset[str]:
    """Names of its operations. Raises InvalidContract, ConfigurationError."""
    return frozenset(compile_contract(documents, main).operations)


def _compiled(options: Json) -> NationalContract:
    face = NationalFace(options)
    plan = Plan(Builder(Index()))
    operations: dict[str, Operation] = {
        name: _operation(face, name, options, plan) for name in face.operations
    }
    return NationalContract(
        namespace=face.name,
        documentation="",
        services={},
        operations=operations,
        missing={},
        from_catalogue=[],
        skipped=[],
        clashes=[],
        unjudged="",
        plan=plan,
    )


def _operation(face: NationalFace, name: str, options: Json, plan: Plan) -> NationalCall:
    told = face.operations[name]
    return NationalCall(
        name=name,
        service=face.name,
        port="",
        address="",
        version="1.1",
        style="national",
        encoded=False,
        soap_action="",
        documentation=f"{told.title_vi} / {told.title_en}",
        request=_Question(plan, "1.1", [], {}, operation=name, face=face),
        reply=_Answer(plan, "1.1", [], {}, reply=True),
        one_way=False,
        options=options,
        schemas=(_with_officer(told.request) if told.personal else told.request, told.reply),
        settings=OperationSettings(
            idempotent=told.idempotent,
            personal=Personal(subjects=told.subjects) if told.personal else None,
            changes=told.changes,
        ),
    )


def _with_officer(question: Json) -> Json:
    """Who asks and why may be told in the question, in place of headers."""
    text = {"type": "string", "maxLength": 200}
    said = {
        "officer": text | {"description": "Lgsp-Officer: mã cán bộ tra cứu / the officer who asks"},
        "purpose": text | {"description": "Lgsp-Purpose: mục đích tra cứu / the purpose"},
    }
    return question | {"properties": question["properties"] | said}


def _post(name: str, operation: NationalCall, schemas: Json) -> Json:
    question, answer = operation.schemas
    return {
        "operationId": name,
        "summary": operation.documentation,
        "tags": [operation.service],
        "requestBody": {
            "required": True,
            "content": _content(f"{name}.request", question, schemas),
        },
        "responses": {
            "200": {"description": "Reply", "content": _content(f"{name}.reply", answer, schemas)},
            "502": {"description": "The service refused", "content": problem()},
            "default": {"description": "Problem (RFC 9457)", "content": problem()},
        },
    }


def _content(key: str, schema: Json, schemas: Json) -> Json:
    """Definitions inside a schema become components of their own."""
    text = orjson.dumps(schema).decode()
    text = text.replace('"#/$defs/', f'"#/components/schemas/{key}.')
    moved: Json = orjson.loads(text)
    inner = moved.pop("$defs", {})
    schemas |= {f"{key}.{name}": each for name, each in inner.items()} | {key: moved}
    return {_MEDIA: {"schema": {"$ref": f"#/components/schemas/{key}"}}}


def needs_address(contract: Contract) -> ConfigurationError:
    return ConfigurationError(
        f"national service {contract.namespace} needs an address",
        vi=f"Dịch vụ quốc gia {contract.namespace} cần địa chỉ (address)",
    )
