"""What the OpenAPI document of a service says of the ways beside one question and one answer."""

from __future__ import annotations

from typing import Any

from schemas.service import OperationSettings

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
_JOB = (
    "Đã ghi bền vững; theo dõi ở Location (/api/v1/service-jobs/…). / "
    "Durable; followed at Location."
)
_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Gửi lại cùng mã là lô đã gửi / sent again under it, it is the first job",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
}
_CHANGED = (
    "Không có mục nào: đã có đủ mọi thay đổi. / Nothing in it: there is nothing that was missed."
)
_CHANGES: Json = {
    "type": "object",
    "required": ["cursor", "changed", "removed"],
    "properties": {
        "cursor": {"type": "string", "description": "Cho lần hỏi sau / for the next question"},
        "changed": {"type": "array", "items": {}},
        "removed": {"type": "array", "items": {}},
    },
}
_SINCE_CURSOR = "Con trỏ của lần trước; trống: toàn bộ / of the last answer; empty: everything"
_CURSOR: Json = {
    "name": "cursor",
    "in": "query",
    "required": False,
    "description": _SINCE_CURSOR,
    "schema": {"type": "string"},
}
_SINCE: Json = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "cursor": {"type": "string", "description": _SINCE_CURSOR},
                    "request": {"type": "object"},
                },
            }
        }
    },
}


def ways(address: str, operation: Json, settings: OperationSettings) -> dict[str, Json]:
    """Paths by address; `operation` is the described single call at `address`."""
    found = {
        f"{address}/package": {
            "post": _like(
                operation,
                "package",
                "Hỏi cả gói, tối đa 100 câu / Ask up to 100 at once",
                body=_questions(operation),
                answer={"200": _answer(_ANSWERS, "application/x-ndjson", {"type": "string"})},
            )
        },
        f"{address}/jobs": {
            "post": _like(
                operation,
                "jobs",
                "Gửi một lô, tối đa 10.000 câu hỏi / Send a job of up to 10,000 questions",
                body=_questions(operation),
                answer={"202": _answer(_JOB, "application/json", {"type": "object"})},
                parameters=(_KEY,),
            )
        },
    }
    if settings.changes is not None:
        changes = {
            method: _like(
                operation,
                f"changes.{method}",
                "Phần thay đổi từ con trỏ / What changed since a cursor",
                body=_SINCE if method == "post" else None,
                answer={"200": _answer(_CHANGED, "application/json", _CHANGES)},
                parameters=(_CURSOR,) if method == "get" else (),
            )
            for method in ("get", "post")
        }
        found[f"{address}/changes"] = changes
    return found


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
