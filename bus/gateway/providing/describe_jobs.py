"""What the OpenAPI document says of jobs; see `bus.gateway.describe`."""

from __future__ import annotations

from typing import Any

from bus.gateway.describe import ALWAYS, SCHEMA, operation, path, query
from schemas.errors import InvalidRequest, LedgerUnavailable, NotFound

_ID = path("job_id", "01935c1e-8f00-7000-8000-000000000000", {"type": "string"})


def _answer(meaning: str, name: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": {"$ref": f"{SCHEMA}{name}"}}}
    return {200: {"description": meaning, "content": content}}


LIST = operation(
    "Các lô tra cứu của hệ thống, mới nhất trước",
    "My jobs of questions to services, newest first",
    LedgerUnavailable,
    *ALWAYS,
    responses=_answer("Các lô / jobs", "JobPage"),
)

READ = operation(
    "Tiến độ của một lô",
    "How far a job has come",
    NotFound,
    LedgerUnavailable,
    *ALWAYS,
    extra=_ID,
    responses=_answer("Tiến độ / progress", "JobAnswer"),
)

RESULTS = operation(
    "Kết quả của lô: mỗi dòng một câu trả lời hoặc lỗi, đúng thứ tự, tới dòng chưa có",
    "A job's results: a line for each question, in order, up to the first still to come",
    InvalidRequest,
    NotFound,
    LedgerUnavailable,
    *ALWAYS,
    extra={"parameters": [*_ID["parameters"], *query("after", 0)["parameters"]]},
    responses={
        200: {
            "description": '{"number", "status", "reply" | "problem"}',
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)

CANCEL = operation(
    "Hủy lô: không hỏi tiếp; kết quả đã có vẫn đọc được đến khi hết hạn",
    "Cancel a job: no more is asked; what is answered can be read until it expires",
    NotFound,
    LedgerUnavailable,
    *ALWAYS,
    extra=_ID,
    responses=_answer("Lô sau khi hủy / the job", "JobAnswer"),
)
