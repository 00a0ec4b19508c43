"""The line of a value in JSON text, for error messages."""

from __future__ import annotations

import json


def line_of(data: bytes, pointer: str) -> int:
    """Line (from 1) of the value at a JSON pointer; of its nearest parent if it is not there."""
    text = data.decode("utf-8", "replace")
    steps = [s.replace("~1", "/").replace("~0", "~") for s in pointer.split("/")[1:]]
    position = _skip(text, 0)
    try:
        for step in steps:
            position = _inside(text, position, step)
    except (KeyError, IndexError, ValueError):
        pass
    return text.count("\n", 0, position) + 1


def _inside(text: str, at: int, step: str) -> int:
    """Where the member or item `step` of the value at `at` begins. Raises KeyError."""
    is_object = text[at] == "{"
    if text[at] not in "{[":
        raise KeyError(step)
    position, index = _skip(text, at + 1), 0
    while text[position] not in "}]":
        if is_object:
            key, position = _DECODER.raw_decode(text, position)
            position = _skip(text, _skip(text, position) + 1)
        else:
            key = str(index)
        if key == step:
            return position
        _, position = _DECODER.raw_decode(text, position)
        position, index = _skip(text, position), index + 1
        if text[position] == ",":
            position = _skip(text, position + 1)
    raise KeyError(step)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


_DECODER = json.JSONDecoder()
