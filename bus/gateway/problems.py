"""Errors as `application/problem+json` (RFC 9457), in Vietnamese and English.

`title`, `detail` and `advice` are in the language the caller asked for (Vietnamese unless English
comes first in Accept-Language); the same with `Vi` and `En` behind the name are always there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.types import Send

from bus.gateway.translate.faults import ServiceFault
from schemas.errors import InvalidRequest, LgspError, NotFound

MEDIA_TYPE = b"application/problem+json"
Language = Literal["vi", "en"]
Headers = list[tuple[bytes, bytes]]


class InternalError(LgspError):
    """Anything nobody foresaw: the caller learns the correlation id and nothing else."""

    code = "internal-error"


def language(accept: str) -> Language:
    """Vietnamese, unless English is accepted with a higher weight (RFC 9110 §12.5.4)."""
    weights = {"vi": -1.0, "en": -1.0}
    for position, part in enumerate(accept.split(",")[:20]):
        tag, _, parameters = part.strip().partition(";")
        name = tag.strip().lower().split("-")[0]
        if name in weights:
            weights[name] = max(weights[name], _weight(parameters) - position / 1000)
    return "en" if weights["en"] > max(weights["vi"], 0.0) else "vi"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def body(
    error: LgspError,
    *,
    status: int,
    path: str,
    correlation_id: str,
    lang: Language,
) -> dict[str, Any]:
    """The members of the problem, the standard's own first."""
    texts = {"title": error.title, "detail": error.detail, "advice": error.advice}
    members: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": getattr(error.title, lang),
        "status": status,
        "detail": getattr(error.detail, lang),
        "instance": path,
        "code": error.code,
        "whoMustAct": error.actor,
        "retryable": error.retryable,
        "advice": getattr(error.advice, lang),
        "correlationId": correlation_id,
    }
    for name, text in texts.items():
        members[f"{name}Vi"], members[f"{name}En"] = text
    if error.context:
        members["context"] = error.context
    if isinstance(error, ServiceFault):
        members["fault"] = error.json()
    return members


def headers(error: LgspError, lang: Language) -> Headers:
    """What goes with a problem: type, language, when to come back."""
    out: Headers = [
        (b"content-type", MEDIA_TYPE),
        (b"content-language", lang.encode()),
        (b"cache-control", b"no-store"),
    ]
    pause = retry_after(error)
    if pause is not None:
        out.append((b"retry-after", str(pause).encode()))
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        out.append((b"www-authenticate", b'Bearer realm="lgsp"'))
    return out


def retry_after(error: LgspError) -> int | None:
    """Whole seconds, at least one (RFC 9110 §10.2.3); None when coming back will not help."""
    if error.retry_after is None:
        return 5 if error.retryable else None
    return max(1, math.ceil(error.retry_after))


async def respond(
    send: Send,
    error: LgspError,
    *,
    status: int,
    extra: Headers,
    path: str,
    correlation_id: str,
    lang: Language,
) -> None:
    """Sends the whole answer."""
    content = orjson.dumps(
        body(error, status=status, path=path, correlation_id=correlation_id, lang=lang)
    )
    length = [(b"content-length", str(len(content)).encode())]
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": headers(error, lang) + length + extra})
    await send({"type": "http.response.body", "body": content})


class StatusError(HTTPException):
    """An error of ours under a status that HTTP itself prescribes (404, 405, 408, 415 …).

    A subclass of the framework's own, which it lets pass where it would hide any other.
    """

    def __init__(self, error: LgspError, status: int, extra: Headers | None = None) -> None:
        super().__init__(status, error.code)
        self.error = error
        self.extra = extra or []


def from_http_exception(error: HTTPException) -> StatusError:
    """Of the framework: no such path, wrong method, unreadable form."""
    extra = [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()]
    return StatusError(_meaning(error), error.status_code, extra)


def _meaning(error: HTTPException) -> LgspError:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("no such address", vi="Không có địa chỉ này")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            text = "this method is not served here"
            return InvalidRequest(text, vi="Phương thức không được hỗ trợ")
        case _:
            text = f"the request cannot be read: {error.detail}"
            return InvalidRequest(text, vi="Không đọc được yêu cầu")


def from_validation(errors: Sequence[Any]) -> InvalidRequest:
    """Names the fields and what is wrong with them; never repeats what the caller sent."""
    told = [f"{_field(e['loc'])}: {e['msg']}" for e in errors[:10]]
    named = ", ".join(dict.fromkeys(_field(e["loc"]) for e in errors[:10]))
    return InvalidRequest(
        "; ".join(told) or "the request cannot be read",
        vi=f"Trường không hợp lệ: {named}",
        field=_field(errors[0]["loc"]) if errors else "",
    )


def _field(location: Sequence[str | int]) -> str:
    """As the caller wrote it: `header.receivers.0.organId`."""
    parts = [to_camel(str(p)) for p in location if p not in {"body", "query", "path"}]
    return ".".join(parts) or "body"


def understand(error: Exception) -> StatusError | None:
    """The answer to an exception; None for one nobody foresaw."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, LgspError):
        return StatusError(error, error.http_status)
    if isinstance(error, RequestValidationError):
        invalid = from_validation(error.errors())
        return StatusError(invalid, invalid.http_status)
    if isinstance(error, HTTPException):
        return from_http_exception(error)
    return None
