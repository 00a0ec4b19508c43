"""What the OpenAPI document says of the flows beside dossiers; see `describe`."""

from __future__ import annotations

from typing import Any

from bus.gateway.describe import ALWAYS, SCHEMA, json_body, operation, path
from bus.gateway.describe_dossiers import CODE, RECEIPTS, SENDING
from schemas.errors import (
    ConfigurationError,
    Forbidden,
    InvalidRequest,
    LedgerUnavailable,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
)
from schemas.flows import ITEMS

RATING = {
    "id": "DG-1",
    "code": "H38.02-261102-0001",
    "agency": "H38.02",
    "score": 1,
    "service": 2,
    "at": "2026-11-20T10:00:00+07:00",
    "comment": "Nhanh, rõ ràng",
}


def schemas() -> dict[str, Any]:
    """Components of the items."""
    found: dict[str, Any] = {}
    for model in ITEMS.values():
        schema = model.model_json_schema(ref_template=f"{SCHEMA}{{model}}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found


_ITEM = {"oneOf": [{"$ref": f"{SCHEMA}{model.__name__}"} for model in ITEMS.values()]}

_INQUIRY = (
    InvalidRequest,
    Forbidden,
    ConfigurationError,
    PartnerUnavailable,
    PartnerTimeout,
    PartnerGarbage,
    LedgerUnavailable,
)

PAYMENT = operation(
    "Tra cứu thanh toán của hồ sơ, hỏi ngay nền tảng thanh toán",
    "Whether a dossier's fee was paid: the payment platform is asked at once",
    *_INQUIRY,
    *ALWAYS,
    extra={
        "parameters": [
            *path("code", CODE, {"type": "string"})["parameters"],
            {"name": "reference", "in": "query", "example": f"{CODE}20261103101500"},
        ]
    },
)

TRACKING = operation(
    "Tra cứu đơn bưu chính của hồ sơ, hỏi ngay bưu chính",
    "Where a dossier's letter is: the post is asked at once",
    *_INQUIRY,
    *ALWAYS,
    extra=path("code", CODE, {"type": "string"}),
)

POST_ITEMS = operation(
    "Gửi hồ sơ trực tuyến, đánh giá, hỏi đáp, đơn bưu chính: một, hoặc mảng tối đa 100",
    "Send submissions, ratings, questions, answers, postal orders: one, or an array of up to 100",
    *SENDING,
    *ALWAYS,
    extra=json_body({"oneOf": [_ITEM, {"type": "array", "items": _ITEM, "maxItems": 100}]}, RATING)
    | {
        "parameters": [
            {
                "name": "kind",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": list(ITEMS)},
                "example": "rating",
            }
        ]
    },
    responses={202: RECEIPTS},
    status_code=202,
)
