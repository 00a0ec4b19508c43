"""What the OpenAPI document of a service says of the ways beside one question and one answer."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

AS_OF: Json = {
    "name": "asOf",
    "in": "query",
    "required": False,
    "description": "Dữ liệu tại ngày này; không có: hiện tại / as of this day; none: as it is now",
    "schema": {"type": "string", "format": "date"},
}
_LINES = (
    "Mỗi dòng một câu hỏi (NDJSON), hoặc một mảng JSON. / "
    "One question a line (NDJSON), or an array."
)
_ANSWERS = (
    'Mỗi dòng {"number", "status", "reply"} hoặc {"number", "status", "problem"}, đúng thứ tự. / '
    "A line for each question, in order."
)


def ways(address: str, operation: Json) -> dict[str, Json]:
    """Paths by address; `operation` is the described single call at `address`."""
    return {
        f"{address}/package": {
            "post": _like(
                operation,
                "package",
                "Hỏi cả gói, tối đa 100 câu / Ask up to 100 at once",
                body=_questions(operation),
                answer={"200": _answer(_ANSWERS, "application/x-ndjson", {"type": "string"})},
            )
        },
    }


def _like(
    operation: Json,
    way: str,
    summary: str,
    *,
    body: Json | None,
    answer: Json,
    parameters: tuple[Json, ...] = (),
) -> Json:
    problems = {key: each for key, each in operation["responses"].items() if key[0] != "2"}
    made = {
        "operationId": f"{operation['operationId']}.{way}",
        "summary": summary,
        "description": operation["description"],
        "tags": operation.get("tags", []),
        "security": operation["security"],
        "parameters": [*operation["parameters"], *parameters],
        "responses": answer | problems,
    }
    return made if body is None else made | {"requestBody": body}


def _questions(operation: Json) -> Json:
    asked = operation["requestBody"]["content"]["application/json"]["schema"]
    array = {"schema": {"type": "array", "items": asked}}
    return {
        "required": True,
        "description": _LINES,
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/json": array,
        },
    }


def _answer(meaning: str, media: str, schema: Json) -> Json:
    return {"description": meaning, "content": {media: {"schema": schema}}}
