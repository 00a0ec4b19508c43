"""Values into the parts of an HTTP request, by the styles of OpenAPI (3.1, section 4.8.12.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

from bus.gateway.translate.failure import Mismatch
from bus.gateway.translate.rest import json_text
from bus.gateway.translate.rest.document import Parameter

_DELIMITERS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}
_RESERVED = ":/?@!$'()*,;"  # of RFC 3986, those that do not end a value in a query


def in_path(parameter: Parameter, value: Any) -> str:
    """What stands for `{name}`.  Raises Mismatch for a value that would lead to another path."""
    name = quote(parameter.name, safe="")
    if parameter.media:
        return _escaped(_json(value))
    pairs = value.items() if isinstance(value, dict) else ()
    if parameter.style == "matrix":
        return _matrix(name, value, explode=parameter.explode)
    dot = parameter.style == "label"
    between = "." if dot and parameter.explode else ","
    if isinstance(value, dict):
        glue = "=" if parameter.explode else ","
        found = between.join(f"{_escaped(k)}{glue}{_escaped(_text(v))}" for k, v in pairs)
    elif isinstance(value, list):
        found = between.join(_escaped(_text(each)) for each in value)
    else:
        found = _escaped(_text(value))
    if found in {"", ".", ".."}:
        raise Mismatch("path", "cannot be part of a path", "không dùng được trong đường dẫn")
    return f".{found}" if dot else found


def _matrix(name: str, value: Any, *, explode: bool) -> str:
    if isinstance(value, dict) and explode:
        return "".join(f";{_escaped(k)}={_escaped(_text(v))}" for k, v in value.items())
    if isinstance(value, list) and explode:
        return "".join(f";{name}={_escaped(_text(each))}" for each in value)
    return f";{name}={_joined(value, ',')}"


def in_query(parameter: Parameter, value: Any) -> list[str]:
    """The `name=value` pairs, percent-encoded."""
    safe = _RESERVED if parameter.reserved else ""
    name = quote(parameter.name, safe="")
    if parameter.media:
        return [f"{name}={_escaped(_json(value))}"]
    if isinstance(value, dict):
        if parameter.style == "deepObject":
            return [f"{name}%5B{_escaped(k)}%5D={_escaped(_text(v), safe)}"
                    for k, v in value.items()]  # fmt: skip
        if parameter.explode:
            return [f"{_escaped(k)}={_escaped(_text(v), safe)}" for k, v in value.items()]
    if isinstance(value, list) and parameter.explode:
        return [f"{name}={_escaped(_text(each), safe)}" for each in value]
    return [f"{name}={_joined(value, _DELIMITERS.get(parameter.style, ','), safe)}"]


def in_header(parameter: Parameter, value: Any) -> str:
    """Raises Mismatch for what a header cannot hold (RFC 9110 section 5.5)."""
    if parameter.media:
        text = _json(value)
    elif isinstance(value, dict):
        glue = "=" if parameter.explode else ","
        text = ",".join(f"{k}{glue}{_text(v)}" for k, v in value.items())
    elif isinstance(value, list):
        text = ",".join(_text(each) for each in value)
    else:
        text = _text(value)
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise Mismatch("header", "cannot stand in a header", "không dùng được trong tiêu đề HTTP")
    return text


def in_cookie(parameter: Parameter, value: Any) -> str:
    return "; ".join(in_query(parameter, value))


def form(value: Any) -> bytes:
    """application/x-www-form-urlencoded.  Raises Mismatch for what is no object."""
    if not isinstance(value, dict):
        raise Mismatch("form", "an object is expected", "cần đối tượng JSON")
    pairs: list[str] = []
    for name, each in value.items():
        pairs += in_query(Parameter(name, "query", True, False, "form", True), each)
    return "&".join(pairs).encode()


def _joined(value: Any, between: str, safe: str = "") -> str:
    if isinstance(value, dict):
        return between.join(f"{_escaped(k)}{between}{_escaped(_text(v), safe)}"
                            for k, v in value.items())  # fmt: skip
    if isinstance(value, list):
        return between.join(_escaped(_text(each), safe) for each in value)
    return _escaped(_text(value), safe)


def _escaped(text: str, safe: str = "") -> str:
    return quote(text, safe=safe)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json_text.write(value).decode()
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None:
        return ""
    raise Mismatch(
        "style", "nested values have no form in a URL", "giá trị lồng nhau không ghi được vào URL"
    )


def _json(value: Any) -> str:
    return json_text.write(value).decode()
