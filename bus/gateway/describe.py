"""What the OpenAPI document says of each operation: summaries, errors, examples.

Examples are executed by a test, in the order of the document, against the province they speak of.
"""

from __future__ import annotations

from typing import Any

from bus.gateway.camel import camel_schema
from bus.gateway.forms import DocumentPart
from bus.gateway.receive import FORM_TYPE, RAW_TYPES
from bus.ops.reports import MEDIA_TYPES
from schemas.edxml import StatusHeader
from schemas.errors import (
    Conflict,
    DuplicateMessage,
    Forbidden,
    InvalidRequest,
    LedgerUnavailable,
    LgspError,
    MalformedPacket,
    MalformedXml,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownReceiver,
)

SCHEMA = "#/components/schemas/"
ALWAYS: tuple[type[LgspError], ...] = (Unauthenticated, RateLimited, Unavailable)
_SENDING = (MalformedXml, MalformedPacket, Forbidden, UnknownReceiver, DuplicateMessage, TooLarge)

DOCUMENT = {
    "header": {
        "sender": {"organId": "H38.01", "organName": "Văn phòng UBND tỉnh"},
        "receivers": [{"organId": "H38.02", "organName": "Sở Xây dựng"}],
        "code": {"number": "125", "notation": "UBND-VX"},
        "promulgationInfo": {"place": "Lào Cai", "promulgationDate": "2026-11-02"},
        "documentType": {"type": 2, "typeName": "Công văn"},
        "subject": "V/v báo cáo kết quả chuyển đổi số quý III",
        "signerInfo": {"position": "Phó Chủ tịch", "fullName": "Nguyễn Văn Ví Dụ"},
        "otherInfo": {"priority": 0},
        "steeringType": 1,
        "documentId": "H38.01,2026/11/02,125/UBND-VX",
    },
    "trace": {
        "traceHeaders": [{"organId": "H38.01", "timestamp": "2026-11-02T08:30:00"}],
        "business": {"docType": 0},
    },
}

STATUS = {
    "sender": {"organId": "H38.02", "organName": "Sở Xây dựng"},
    "responseFor": {
        "organId": "H38.01",
        "code": "125/UBND-VX",
        "promulgationDate": "2026-11-02",
        "documentId": "H38.01,2026/11/02,125/UBND-VX",
    },
    "staffInfo": {"department": "Văn thư", "staff": "Trần Thị Ví Dụ"},
    "statusCode": "03",
    "description": "Tiếp nhận văn bản điện tử, vào sổ văn bản đến của đơn vị",
    "timestamp": "2026-11-02T09:05:00",
}

EDXML = """<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">\
<edXML:edXMLEnvelope xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016"><edXML:edXMLHeader>\
<edXML:MessageHeader>\
<edXML:From><edXML:OrganId>H38.01</edXML:OrganId></edXML:From>\
<edXML:To><edXML:OrganId>H38.02</edXML:OrganId></edXML:To>\
<edXML:DocumentId>H38.01,2026/11/02,126/UBND-VX</edXML:DocumentId>\
<edXML:Code><edXML:CodeNumber>126</edXML:CodeNumber>\
<edXML:CodeNotation>UBND-VX</edXML:CodeNotation></edXML:Code>\
<edXML:PromulgationInfo><edXML:PromulgationDate>2026/11/02</edXML:PromulgationDate>\
</edXML:PromulgationInfo>\
<edXML:DocumentType><edXML:TypeName>Công văn</edXML:TypeName></edXML:DocumentType>\
<edXML:Subject>V/v tổ chức hội nghị trực tuyến</edXML:Subject>\
<edXML:OtherInfo><edXML:Priority>1</edXML:Priority></edXML:OtherInfo>\
</edXML:MessageHeader>\
<edXML:TraceHeaderList><edXML:TraceHeader><edXML:OrganId>H38.01</edXML:OrganId>\
<edXML:Timestamp>2026/11/02 08:30:00</edXML:Timestamp></edXML:TraceHeader>\
<edXML:Bussiness><edXML:BussinessDocType>0</edXML:BussinessDocType></edXML:Bussiness>\
</edXML:TraceHeaderList></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>"""

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": (
        "Mã thông điệp của hệ thống gửi; gửi lại cùng mã và nội dung nhận lại biên nhận cũ. "
        "/ The sender's own message id; repeating it with the same content gives the same receipt. "
        "Without it the content is its own id."
    ),
}


def problems(*classes: type[LgspError]) -> dict[int | str, dict[str, Any]]:
    """Responses of these errors, those of one status together."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for each in classes:
        text = f"{each.code}: {each.title.vi} / {each.title.en}"
        known = by_status.get(each.http_status)
        content = {"application/problem+json": {"schema": {"$ref": f"{SCHEMA}Problem"}}}
        described = f"{known['description']}; {text}" if known else text
        by_status[each.http_status] = {"description": described, "content": content}
    return by_status


def operation(
    vi: str,
    en: str,
    *errors: type[LgspError],
    extra: dict[str, Any] | None = None,
    responses: dict[int | str, dict[str, Any]] | None = None,
    **given: Any,
) -> dict[str, Any]:
    """Keyword arguments of a route decorator."""
    return {
        "summary": f"{vi} / {en}",
        "responses": problems(*errors) | (responses or {}),
        "openapi_extra": extra or {},
        **given,
    }


def json_body(schema: dict[str, Any], example: object) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def example_body(example: object) -> dict[str, Any]:
    """For a body the framework describes by itself."""
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


def query(name: str, example: object) -> dict[str, Any]:
    """An example for a parameter the framework describes by itself."""
    return {"parameters": [{"name": name, "in": "query", "example": example}]}


def path(name: str, example: object, schema: dict[str, Any]) -> dict[str, Any]:
    given = {"name": name, "in": "path", "required": True, "schema": schema, "example": example}
    return {"parameters": [given]}


RECEIPT: dict[str, Any] = {
    "description": (
        "Biên nhận: đã ghi bền vững. Bản lặp mang thêm LGSP-Duplicate: true. "
        "/ Receipt: it is durable. A repeat also carries LGSP-Duplicate: true."
    ),
    "headers": {
        "Location": {"schema": {"type": "string"}},
        "LGSP-Duplicate": {"schema": {"type": "string", "enum": ["true"]}},
    },
    "content": {"application/json": {"schema": {"$ref": f"{SCHEMA}ReceiptAnswer"}}},
}

_STATUS_SCHEMA = camel_schema(StatusHeader)
_DOCUMENT_SCHEMA = camel_schema(DocumentPart)
STATUS_NAME, DOCUMENT_NAME = "StatusRequest", "DocumentRequest"


def schemas() -> dict[str, Any]:
    """Components of the packet model, under the names the operations refer to."""
    status, document = dict(_STATUS_SCHEMA), dict(_DOCUMENT_SCHEMA)
    parts = {**status.pop("$defs", {}), **document.pop("$defs", {})}
    return {**parts, STATUS_NAME: status, DOCUMENT_NAME: document}


_FORM = {
    "grant_type": "client_credentials",
    "client_id": "van-phong",
    "client_secret": "lgspk_…",
}
_FORM_SCHEMA = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string", "format": "password"},
    },
}

TOKEN = operation(
    "Lấy mã truy cập (OAuth 2.0 client credentials)",
    "Get an access token",
    RateLimited,
    Unavailable,
    extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {"schema": _FORM_SCHEMA, "example": _FORM}
            },
        },
        "security": [],
    },
    responses={
        200: {
            "description": "Mã truy cập / the token",
            "content": {"application/json": {"schema": {"$ref": f"{SCHEMA}TokenAnswer"}}},
        },
        400: {"description": "RFC 6749 §5.2: invalid_request, unsupported_grant_type"},
        401: {"description": "RFC 6749 §5.2: invalid_client"},
    },
)

SEND_DOCUMENT: dict[str, Any] = {
    "tags": ["documents"],
    "summary": "Gửi văn bản: gói edXML, hoặc JSON và tệp / Send a document",
    "operationId": "send_document",
    "parameters": [IDEMPOTENCY_KEY],
    "requestBody": {
        "required": True,
        "content": {
            **{
                name: {"schema": {"type": "string", "format": "binary"}, "example": EDXML}
                for name in RAW_TYPES
            },
            FORM_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["document"],
                    "properties": {
                        "document": {"$ref": f"{SCHEMA}{DOCUMENT_NAME}"},
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "tệp đính kèm, theo thứ tự / attachments, in order",
                        },
                    },
                },
                "encoding": {"document": {"contentType": "application/json"}},
                "example": {"document": DOCUMENT, "file": ["Nội dung công văn"]},
            },
        },
    },
    "responses": {
        "202": RECEIPT,
        **{str(status): each for status, each in problems(*_SENDING, *ALWAYS).items()},
    },
}

SEND_STATUS = operation(
    "Gửi trạng thái xử lý văn bản",
    "Send the business status of a document",
    InvalidRequest,
    *_SENDING,
    LedgerUnavailable,
    *ALWAYS,
    extra=json_body({"$ref": f"{SCHEMA}{STATUS_NAME}"}, STATUS) | {"parameters": [IDEMPOTENCY_KEY]},
    responses={202: RECEIPT},
    status_code=202,
)

LIST_MAILBOX = operation(
    "Văn bản đang chờ cơ quan lấy về",
    "What waits for my agency",
    InvalidRequest,
    Forbidden,
    *ALWAYS,
    extra=query("agency", "H38.02"),
)

FETCH = operation(
    "Lấy gói tin gốc; form=canonical: dạng JSON chuẩn của hồ sơ, bước, hồ sơ trực tuyến, hỏi đáp",
    "Fetch the original, byte for byte; form=canonical: canonical JSON of what is no document",
    NotFound,
    Conflict,
    *ALWAYS,
    extra=path("delivery_id", 1, {"type": "integer"}),
    responses={
        200: {
            "description": "Gói tin gốc / the original",
            "headers": {
                "ETag": {"schema": {"type": "string"}, "description": "SHA-256, hex"},
                "Repr-Digest": {"schema": {"type": "string"}, "description": "RFC 9530"},
            },
            "content": {
                "application/edxml+xml": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": {"type": "object"}},
            },
        }
    },
)

ACKNOWLEDGE = operation(
    "Báo đã nhận hoặc từ chối",
    "Acknowledge or refuse a delivery",
    NotFound,
    Conflict,
    *ALWAYS,
    extra=path("delivery_id", 1, {"type": "integer"})
    | example_body({"result": "delivered", "receipt": "VB-DEN-00125"}),
)

LIST_MESSAGES = operation(
    "Các thông điệp cơ quan mình đã gửi",
    "My messages, newest first",
    InvalidRequest,
    *ALWAYS,
    extra=query("documentId", "H38.01,2026/11/02,125/UBND-VX"),
)

SHOW_MESSAGE = operation(
    "Theo dõi một thông điệp: chuyển tới đâu, vì sao",
    "Follow one message: deliveries, states, reasons",
    NotFound,
    *ALWAYS,
    extra=path("message_id", "01938c5e-7a10-7c3e-9d2f-5a1b2c3d4e5f", {"type": "string"}),
)

LIST_EXCHANGES = operation(
    "Văn bản đã gửi, đã nhận và trạng thái xử lý tại từng nơi nhận",
    "Documents sent and received, and where each stands at its receivers",
    InvalidRequest,
    *ALWAYS,
    extra=query("documentId", "H38.01,2026/11/02,125/UBND-VX"),
)

SHOW_EXCHANGE = operation(
    "Một văn bản tại từng nơi nhận, và mọi điều đã được báo",
    "One document at each of its receivers, and all that was told of it",
    NotFound,
    *ALWAYS,
    extra=path("message_id", "01938c5e-7a10-7c3e-9d2f-5a1b2c3d4e5f", {"type": "string"}),
)

LIST_TASKS = operation(
    "Nhiệm vụ: văn bản có hạn xử lý hoặc văn bản chỉ đạo",
    "Tasks: documents with a day they are due, or that direct",
    Forbidden,
    InvalidRequest,
    *ALWAYS,
    extra=query("state", "overdue"),
)

REPORT = operation(
    "Số liệu văn bản và nhiệm vụ theo tháng, quý, năm (JSON, CSV, XLSX)",
    "Figures of documents and tasks by month, quarter or year (JSON, CSV, XLSX)",
    Forbidden,
    InvalidRequest,
    *ALWAYS,
    extra=query("period", "2026-Q4"),
    responses={
        200: {
            "description": "the figures; a file for csv and xlsx",
            "content": {
                "application/json": {"schema": {"$ref": f"{SCHEMA}ReportAnswer"}},
                "text/csv": {"schema": {"type": "string"}},
                MEDIA_TYPES["xlsx"]: {},
            },
        }
    },
)

CANCEL = operation(
    "Thu lại phần chưa chuyển đi",
    "Withdraw what has not left",
    NotFound,
    Forbidden,
    Conflict,
    *ALWAYS,
    extra=path("message_id", "01938c5e-7a10-7c3e-9d2f-5a1b2c3d4e5f", {"type": "string"})
    | example_body({"reason": "Gửi nhầm cơ quan nhận"}),
)

SEARCH_AGENCIES = operation(
    "Tìm cơ quan trong danh bạ",
    "Search the directory",
    InvalidRequest,
    *ALWAYS,
    extra=query("q", "so xay dung"),
)

SHOW_AGENCY = operation(
    "Tra một mã cơ quan",
    "Look up one agency code",
    NotFound,
    *ALWAYS,
    extra=path("code", "H38.02", {"type": "string"}),
)

HEALTH = operation("Tiến trình đang chạy", "The process is alive", extra={"security": []})

READY = operation(
    "Sẵn sàng tiếp nhận",
    "Ready to take work; RabbitMQ is reported but not required",
    extra={"security": []},
    responses={
        200: {
            "description": "Sẵn sàng / ready",
            "content": {"application/json": {"schema": {"$ref": f"{SCHEMA}ReadyAnswer"}}},
        },
        503: {
            "description": "Sổ cái không phản hồi, hoặc tiến trình sắp dừng / "
            "the ledger does not answer, or the process ends soon"
        },
    },
)

METRICS = operation(
    "Số liệu cho Prometheus",
    "Metrics for Prometheus: from the same machine, or with the metrics token",
    Unauthenticated,
    extra={"security": []},
    responses={200: {"description": "text/plain; version=0.0.4", "content": {"text/plain": {}}}},
)
