"""What the OpenAPI document says of the operations on dossiers; see `describe`."""

from __future__ import annotations

from typing import Any

from bus.gateway.describe import (
    ALWAYS,
    IDEMPOTENCY_KEY,
    RECEIPT,
    SCHEMA,
    json_body,
    operation,
    path,
    query,
)
from bus.ops.reports import MEDIA_TYPES
from schemas.dossier import DossierRecord, Step
from schemas.errors import (
    ConfigurationError,
    DuplicateMessage,
    Forbidden,
    InvalidRequest,
    LedgerUnavailable,
    NotFound,
    TooLarge,
    UnknownReceiver,
)

CODE = "H38.02-261102-0001"
RECORD = {
    "code": CODE,
    "procedure": "1.000656",
    "procedureName": "Cấp giấy phép xây dựng nhà ở riêng lẻ",
    "agency": "H38.02",
    "agencyName": "Sở Xây dựng",
    "channel": 2,
    "applicant": {"kind": 1, "name": "Nguyễn Văn Ví Dụ"},
    "summary": "Đề nghị cấp giấy phép xây dựng nhà ở riêng lẻ",
    "status": 2,
    "received": "2026-11-02T08:15:00+07:00",
    "due": "2026-11-23T17:00:00+07:00",
}
STEP = {
    "code": CODE,
    "id": "B1",
    "at": "2026-11-02T09:00:00+07:00",
    "by": "Trần Thị Ví Dụ",
    "department": "Bộ phận một cửa",
    "content": "Tiếp nhận hồ sơ, chuyển phòng chuyên môn",
    "status": 4,
}
SENDING = (
    InvalidRequest,
    Forbidden,
    UnknownReceiver,
    DuplicateMessage,
    TooLarge,
    LedgerUnavailable,
)
_CODE = path("code", CODE, {"type": "string"})


def schemas() -> dict[str, Any]:
    """Components of the canonical dossier."""
    found: dict[str, Any] = {}
    for name, model in (("DossierRecord", DossierRecord), ("DossierStep", Step)):
        schema = model.model_json_schema(ref_template=f"{SCHEMA}{{model}}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found


PUT_DOSSIER = operation(
    "Gửi hồ sơ: toàn bộ thông tin hiện tại",
    "Send a dossier: its whole current record",
    *SENDING,
    *ALWAYS,
    extra=json_body({"$ref": f"{SCHEMA}DossierRecord"}, RECORD)
    | {"parameters": [*_CODE["parameters"], IDEMPOTENCY_KEY]},
    responses={202: RECEIPT},
    status_code=202,
)

RECEIPTS: dict[str, Any] = {
    **RECEIPT,
    "description": "Biên nhận, hoặc biên nhận của từng phần tử theo thứ tự "
    "/ the receipt, or one for each step of an array in its order",
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {"$ref": f"{SCHEMA}ReceiptAnswer"},
                    {"type": "array", "items": {"$ref": f"{SCHEMA}ReceiptAnswer"}},
                ]
            }
        }
    },
}
_STEP = {"$ref": f"{SCHEMA}DossierStep"}
POST_STEPS = operation(
    "Gửi bước xử lý: một bước, hoặc mảng tối đa 100 bước theo thứ tự",
    "Send steps of the timeline: one, or an array of up to 100 in their order",
    *SENDING,
    *ALWAYS,
    extra=json_body({"oneOf": [_STEP, {"type": "array", "items": _STEP, "maxItems": 100}]}, STEP)
    | {"parameters": _CODE["parameters"]},
    responses={202: RECEIPTS},
    status_code=202,
)

BATCH = operation(
    "Gửi hàng loạt: mỗi dòng một hồ sơ hoặc một bước (NDJSON); trả lời từng dòng",
    "Send many: one record or step a line (NDJSON); every line is answered",
    InvalidRequest,
    TooLarge,
    *ALWAYS,
    extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-ndjson": {
                    "schema": {"type": "string"},
                    "example": '{"code":"H38.02-261102-0001","id":"B2","at":'
                    '"2026-11-03T09:00:00+07:00","by":"Trần Thị Ví Dụ","content":"Thẩm định hồ sơ",'
                    '"status":4}\n',
                }
            },
        }
    },
    responses={
        200: {
            "description": "Mỗi dòng một kết quả / one BatchLine for each line, in their order",
            "content": {
                "application/x-ndjson": {"schema": {"$ref": f"{SCHEMA}BatchLine"}},
            },
        }
    },
)

POST_FILE = operation(
    "Gửi tệp của hồ sơ, nhận địa chỉ để cổng tải về",
    "Keep a paper of a dossier, and get the URL from which portals fetch it",
    Forbidden,
    InvalidRequest,
    TooLarge,
    ConfigurationError,
    LedgerUnavailable,
    *ALWAYS,
    extra={
        "parameters": [
            *_CODE["parameters"],
            {"name": "name", "in": "query", "example": "don-de-nghi.txt"},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "Đơn đề nghị",
                }
            },
        },
    },
    status_code=201,
)

LIST_DOSSIERS = operation(
    "Hồ sơ của cơ quan mình, mới nhất trước",
    "My agencies' dossiers, newest first",
    Forbidden,
    InvalidRequest,
    *ALWAYS,
    extra=query("agency", "H38.02"),
)

SHOW_DOSSIER = operation(
    "Một hồ sơ: thông tin, quá trình xử lý, đã tới từng cổng chưa",
    "One dossier: facts, timeline, and how far it has come to each portal",
    NotFound,
    *ALWAYS,
    extra=_CODE,
)

DOSSIER_FIGURES = operation(
    "Số liệu giải quyết hồ sơ theo cơ quan (JSON, CSV, XLSX)",
    "Figures of dossiers by agency (JSON, CSV, XLSX)",
    Forbidden,
    InvalidRequest,
    *ALWAYS,
    extra={
        "parameters": [
            {"name": "from", "in": "query", "example": "2026-11-01"},
            {"name": "to", "in": "query", "example": "2026-11-30"},
        ]
    },
    responses={
        200: {
            "description": "Số liệu / the figures; a file for csv and xlsx",
            "content": {
                "application/json": {"schema": {"$ref": f"{SCHEMA}DossierFiguresAnswer"}},
                "text/csv": {"schema": {"type": "string"}},
                MEDIA_TYPES["xlsx"]: {},
            },
        }
    },
)
