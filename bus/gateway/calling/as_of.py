"""Data as of a day (giá trị tại một thời điểm), where an operation was declared to provide it."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
from starlette.datastructures import QueryParams

from schemas.errors import InvalidRequest, ModeNotOffered
from schemas.service import Service

PARAMETER = "asOf"
"""Of the address: a day as YYYY-MM-DD. Without it, data is as it is now."""


def asked(query: QueryParams) -> date | None:
    """Raises InvalidRequest."""
    text = query.get(PARAMETER)
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-31"):  # Python would take more of ISO 8601
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidRequest(
        f"{PARAMETER} must be a day, as 2026-01-31",
        vi=f"{PARAMETER} phải là một ngày, ví dụ 2026-01-31",
        field=PARAMETER,
    )


def placed(
    service: Service, operation: str, question: bytes | dict[str, Any], day: date
) -> bytes | dict[str, Any]:
    """The question with the day where the operation takes it. Raises ModeNotOffered."""
    path = service.settings(operation).as_of
    if path is None:
        raise ModeNotOffered(
            f"{service.name}/{operation} tells how things are now, not how they were on a day",
            vi=f"{service.name}/{operation} chỉ cung cấp dữ liệu hiện tại, "
            "không cung cấp theo thời điểm",
        )
    return put(question, path, day.isoformat())


def put(question: bytes | dict[str, Any], path: str, value: str | int) -> bytes | dict[str, Any]:
    """A copy with `value` at `path`; what is no JSON object stays, to be refused as such."""
    if isinstance(question, bytes):
        try:
            found = orjson.loads(question)
        except orjson.JSONDecodeError:
            return question
        if not isinstance(found, dict):
            return question
        question = found
    step, _, rest = path.partition("/")
    if not rest:
        return question | {step: value}
    inner = question.get(step)
    return question | {step: put(inner if isinstance(inner, dict) else {}, rest, value)}
