"""An OpenAPI 3.1 document for a contract: one POST per operation, JSON Schema per type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bus.gateway.translate.examples import example
from bus.gateway.translate.json_schema import Schemas

if TYPE_CHECKING:
    from bus.gateway.translate.contract import Contract, Operation
    from bus.gateway.translate.message import Message

Json = dict[str, Any]


def describe(contract: Contract, *, title: str, base_path: str) -> Json:
    schemas = Schemas(contract.plan)
    paths: Json = {}
    for key, operation in contract.operations.items():
        if not operation.problems:
            paths[f"{base_path}/{key}"] = {"post": _post(key, operation, schemas)}
    name = title or next(iter(contract.services), "") or contract.namespace
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1", "description": contract.documentation},
        "paths": paths,
        "components": {"schemas": {**PROBLEMS, **schemas.components()}},
    }


def _post(key: str, operation: Operation, schemas: Schemas) -> Json:
    found: Json = {
        "operationId": key,
        "summary": operation.documentation[:200] or key,
        "tags": [operation.service],
        "requestBody": {"required": True, "content": _content(operation.request, schemas)},
        "responses": {
            "200": {"description": "Reply", "content": _content(operation.reply, schemas)},
            "502": {"description": _faults(operation), "content": problem()},
            "default": {"description": "Problem (RFC 9457)", "content": problem()},
        },
    }
    if operation.documentation:
        found["description"] = operation.documentation
    if operation.one_way:
        found["responses"]["200"] = {"description": "Taken; the service answers nothing"}
    return found


def _faults(operation: Operation) -> str:
    named = ", ".join(f"{name} ({slot.element.name})" for name, slot in operation.faults.items())
    return f"The service answered with a fault{': ' + named if named else ''}"


def _content(message: Message, schemas: Schemas) -> Json:
    return {"application/json": {"schema": schemas.message(message), "example": example(message)}}


def problem() -> Json:
    """The content of an answer that is a problem."""
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


_FAULT: Json = {
    "type": "object",
    "description": "A SOAP fault in the service's own words",
    "required": ["code", "reason"],
    "properties": {
        "code": {"type": "string"},
        "reason": {"type": "string"},
        "actor": {"type": "string"},
        "subcodes": {"type": "array", "items": {"type": "string"}},
        "detail": {"type": "array", "items": {}},
    },
}
_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "fault": {"$ref": "#/components/schemas/Fault"},
    },
}
PROBLEMS: Json = {"Fault": _FAULT, "Problem": _PROBLEM}
