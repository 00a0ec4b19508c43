"""Bodies that are one JSON value or an array of them, each kept as it was written."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bus.gateway import problems
from schemas.errors import InvalidRequest, TooLarge

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], data: bytes, number: int | None = None) -> Model:
    """Raises InvalidRequest naming the field, and its place in an array."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        if number is not None:
            for fault in faults:
                fault["loc"] = (number, *fault["loc"])
        raise problems.from_validation(faults) from None


def read_values(model: type[Model], values: dict[str, str]) -> Model:
    """Of parameters. Raises InvalidRequest naming the field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise problems.from_validation(faults) from None


def elements(body: bytes, most: int) -> list[bytes]:
    """The elements of an array, each as it was written; anything else is one element.

    Raises InvalidRequest, TooLarge (more than `most`).
    """
    if not body.lstrip().startswith(b"["):
        return [body]
    try:
        text = body.decode().strip()
        found = list(_scan(text))
    except (ValueError, RecursionError):
        raise InvalidRequest("not JSON", vi="Không phải JSON") from None
    if not found:
        raise InvalidRequest("the array is empty", vi="Mảng không có phần tử nào")
    if len(found) > most:
        raise TooLarge(
            f"more than {most} elements in one request",
            vi=f"Quá {most} phần tử trong một yêu cầu",
            limit=most,
        )
    return found


_GAP = re.compile(r"[ \t\r\n]*")


def _scan(text: str) -> Any:
    """Raises ValueError when the text is no JSON array."""
    decoder = json.JSONDecoder()
    place = _gap(text, 1)
    while text[place : place + 1] != "]":
        _, end = decoder.raw_decode(text, place)
        yield text[place:end].encode()
        place = _gap(text, end)
        if text[place : place + 1] == ",":
            place = _gap(text, place + 1)
            if text[place : place + 1] == "]":
                msg = "a comma before the end"
                raise ValueError(msg)
        elif text[place : place + 1] != "]":
            msg = "neither comma nor end"
            raise ValueError(msg)
    if place + 1 != len(text):
        msg = "something behind the array"
        raise ValueError(msg)


def _gap(text: str, place: int) -> int:
    found = _GAP.match(text, place)
    return place if found is None else found.end()
