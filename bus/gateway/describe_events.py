"""What the OpenAPI document says of following dossiers; see `describe`."""

from __future__ import annotations

from typing import Any

from bus.gateway.describe import ALWAYS, SCHEMA, operation, query
from bus.ops.reports import MEDIA_TYPES
from schemas.errors import InvalidRequest, LedgerUnavailable


def _answer(vi_en: str, media_type: str, schema: dict[str, Any]) -> dict[int | str, Any]:
    return {200: {"description": vi_en, "content": {media_type: {"schema": schema}}}}


PULL = operation(
    "Tiến độ hồ sơ theo con trỏ: mọi sự kiện sau con trỏ, đúng thứ tự, không sót",
    "Progress of dossiers behind a cursor: every event, in order, without a gap",
    InvalidRequest,
    LedgerUnavailable,
    *ALWAYS,
    extra=query("after", "0"),
    responses=_answer(
        "Sự kiện và con trỏ kế tiếp / events, and the cursor to go on with",
        "application/json",
        {"$ref": f"{SCHEMA}DossierEventPage"},
    ),
)

STREAM = operation(
    "Luồng tiến độ hồ sơ (server-sent events); nối lại bằng Last-Event-ID",
    "Progress of dossiers as server-sent events; Last-Event-ID resumes",
    InvalidRequest,
    LedgerUnavailable,
    *ALWAYS,
    responses=_answer(
        "`id` là con trỏ, `event` là dossier hoặc step, `data` là một DossierEvent "
        "/ `id` is the cursor, `event` dossier or step, `data` one DossierEvent",
        "text/event-stream",
        {"type": "string"},
    ),
)

TOTALS = operation(
    "Số liệu tức thời theo cơ quan: trong ngày, tháng hoặc năm (JSON, CSV, XLSX)",
    "Live totals by agency: of this day, month or year (JSON, CSV, XLSX)",
    LedgerUnavailable,
    *ALWAYS,
    extra=query("span", "year"),
    responses={
        200: {
            "description": "Số liệu đến thời điểm đếm / figures up to the moment they were counted",
            "content": {
                "application/json": {"schema": {"$ref": f"{SCHEMA}DossierTotals"}},
                "text/csv": {"schema": {"type": "string"}},
                MEDIA_TYPES["xlsx"]: {},
            },
        }
    },
)
