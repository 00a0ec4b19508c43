"""What the OpenAPI document says of the flows beside dossiers; see `describe`."""

from __future__ import annotations

from typing import Any

from bus.gateway.describe import ALWAYS, SCHEMA, json_body, operation
from bus.gateway.describe_dossiers import RECEIPTS, SENDING
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
