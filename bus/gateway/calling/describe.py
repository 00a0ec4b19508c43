"""A service described: an OpenAPI 3.1 document, and a page that needs nothing from elsewhere."""

from __future__ import annotations

import html
from typing import Any

import orjson
from starlette.responses import Response

from bus.gateway import openapi
from bus.gateway.calling.catalogue import Served
from bus.gateway.calling.describe_ways import AS_OF, ways
from bus.gateway.calling.partner import TIMEOUT_HEADER
from bus.gateway.calling.policy import AGENCY, OFFICER, PURPOSE, SECONDS, coming
from bus.gateway.translate import Message
from schemas.errors import ContractMismatch
from schemas.service import OperationSettings, Service

Json = dict[str, Any]

_WITHHELD = (
    'Trường không được phép xem trả về {"#withheld": true}. / '
    'A field that may not be seen comes back as {"#withheld": true}.'
)
_STATUSES = {
    "401": "Chưa xác thực / Not authenticated",
    "403": "Chưa được cấp quyền / No grant",
    "404": "Không có thao tác, hoặc không tìm thấy / No such operation, or nothing found",
    "422": "Nội dung sai đặc tả / Against the contract",
    "429": "Quá nhanh, xem Retry-After / Too fast, see Retry-After",
    "503": "Đối tác hoặc dịch vụ tạm ngừng, xem Retry-After / Away, see Retry-After",
    "504": "Đối tác không trả lời kịp / The partner did not answer in time",
}


def title_of(service: Service) -> str:
    return " / ".join(filter(None, (service.title_vi, service.title_en))) or service.id


class Descriptions:
    """Made once for each service as declared."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Served, Json]] = {}

    def openapi(self, served: Served, path: str) -> Json:
        """`path`: under which the service was asked for, by name or with its version."""
        known, document = self._made.get(path, (None, {}))
        if known is None or known != served:
            document = _describe(served, path)
            self._made[path] = (served, document)
        return document


def _describe(served: Served, path: str) -> Json:
    service = served.service
    made = served.compiled.contract.openapi(title=title_of(service), base_path=path)
    made["info"]["version"] = service.version
    made["components"]["securitySchemes"] = openapi.SCHEMES
    for methods in made["paths"].values():
        operation = methods["post"]
        settings = service.settings(operation["operationId"])
        request = served.operation(operation["operationId"]).request
        operation["requestBody"]["required"] = not _may_be_empty(request)
        operation["security"] = openapi.SECURITY
        operation["parameters"] = _parameters(settings)
        operation["description"] = f"{operation.get('description', '')}\n\n{_WITHHELD}".strip()
        problem = operation["responses"]["default"]["content"]
        for status, meaning in _STATUSES.items():
            operation["responses"][status] = {"description": meaning, "content": problem}
    for address, methods in list(made["paths"].items()):
        operation = methods["post"]
        made["paths"] |= ways(address, operation, service.settings(operation["operationId"]))
    return made


def _may_be_empty(request: Message) -> bool:
    """Whether {} is a message, which is what no body stands for."""
    try:
        request.to_xml(b"{}")
    except ContractMismatch:
        return False
    return True


def _parameters(settings: OperationSettings) -> list[Json]:
    personal = settings.personal is not None
    dated = [AS_OF] if settings.as_of else []
    return [
        _header(AGENCY, "Cơ quan mà hệ thống thay mặt / the agency it asks for", required=False),
        _header(OFFICER, "Mã cán bộ tra cứu / the officer who asks", required=personal),
        _header(PURPOSE, "Mục đích / purpose", required=settings.needs_purpose),
        _header(TIMEOUT_HEADER, "Số giây còn chờ / seconds still waited", required=False),
        *dated,
    ]


def _header(name: str, meaning: str, *, required: bool) -> Json:
    # what is not ASCII comes percent-encoded, or is put up with as UTF-8
    schema: Json = {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"}
    if name == TIMEOUT_HEADER:
        schema = {"type": "string", "pattern": SECONDS.pattern}
    elif required:
        schema["pattern"] = "^[ -~]*[!-~][ -~]*$"
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": meaning,
        "schema": schema,
    }


def page(served: Served, path: str, document: Json) -> Response:
    """What a person needs to call it: operations with examples, and where the contract is."""
    service = served.service
    links = (
        f'<p><a href="{html.escape(path)}/openapi.json">openapi.json</a> · '
        f'<a href="{html.escape(path)}?wsdl">WSDL</a> · '
        '<a href="/services">/services</a></p>'
    )
    away = "".join(
        f"<p><strong>Bảo trì / maintenance: {each.begins:%d/%m/%Y %H:%M} – "
        f"{each.ends:%d/%m/%Y %H:%M}</strong> {html.escape(each.reason)}</p>"
        for each in coming(service)
    )
    operations = "".join(
        _operation(address, methods["post"], service)
        for address, methods in document["paths"].items()
        if methods.get("post", {}).get("operationId") in served.operations
    )
    schemas = orjson.dumps(document["components"]["schemas"], option=orjson.OPT_INDENT_2).decode()
    details = f"<details><summary>JSON Schema</summary><pre>{html.escape(schemas)}</pre></details>"
    return openapi.page(f"{title_of(service)} ({service.id})", links + away + operations + details)


def _operation(address: str, operation: Json, service: Service) -> str:
    name = operation["operationId"]
    settings = service.settings(name)
    marks = [OFFICER, PURPOSE] if settings.personal else [PURPOSE] * settings.needs_purpose
    needs = f"<p>Cần / needs: {', '.join(marks)}</p>" if marks else ""
    request = operation["requestBody"]["content"]["application/json"].get("example")
    reply = operation["responses"]["200"].get("content", {})
    shown = reply.get("application/json", {}).get("example")
    return (
        f"<h2>{html.escape(name)}</h2><p>{html.escape(operation['summary'])}</p>"
        f"<p><code>POST {html.escape(address)}</code></p>{needs}"
        f"<p>Yêu cầu / request</p>{_json(request)}<p>Trả lời / reply</p>{_json(shown)}"
    )


def _json(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return f"<pre>{html.escape(text)}</pre>"
