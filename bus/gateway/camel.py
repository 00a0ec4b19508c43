"""The packet model (schemas.edxml, snake_case) as camelCase JSON, like the rest of the door."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel, to_snake

from bus.gateway import problems
from schemas.errors import InvalidRequest

MAX_DEPTH = 16  # the packet model needs 7

Model = TypeVar("Model", bound=BaseModel)


def read_json(model: type[Model], data: bytes | str) -> Model:
    """Raises InvalidRequest naming what is wrong."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            f"not JSON: line {error.lineno}, column {error.colno}",
            vi=f"Không phải JSON: dòng {error.lineno}, cột {error.colno}",
            line=error.lineno,
        ) from None
    try:
        return model.model_validate(snake_keys(value))
    except ValidationError as error:
        raise problems.from_validation(error.errors(include_input=False)) from None


def snake_keys(value: Any, depth: int = MAX_DEPTH) -> Any:
    if not depth:
        raise InvalidRequest("the JSON is nested too deeply", vi="JSON lồng quá nhiều cấp")
    if isinstance(value, dict):
        return {to_snake(key): snake_keys(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [snake_keys(item, depth - 1) for item in value]
    return value


def camel_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of what `read_json` reads, with its definitions under `$defs`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    camel: dict[str, Any] = _camel_properties(schema)
    return camel


def _camel_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(key): _camel_keys(item) for key, item in value.items()}
    return [_camel_keys(item) for item in value] if isinstance(value, list) else value


def _camel_properties(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_camel_properties(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {to_camel(name): _camel_properties(each) for name, each in value.items()}
        elif key == "required":
            out[key] = [to_camel(name) for name in value]
        elif key == "default":
            out[key] = _camel_keys(value)
        elif key != "element":  # the XML name: no business of the JSON door
            out[key] = _camel_properties(value)
    return out
