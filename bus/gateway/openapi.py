"""The OpenAPI 3.1 document, and pages that show it without anything from elsewhere."""

from __future__ import annotations

import html
import inspect
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse

from bus.gateway import describe, describe_dossiers, describe_flows, dossier_models, models, soap
from bus.gateway.problems import InternalError
from bus.gateway.providing import models as providing_models
from bus.gateway.receive import PATH
from schemas import errors
from schemas.errors import InvalidRequest, LgspError, NotFound

router = APIRouter(include_in_schema=False)

VERSION = "1.0.0"
SECURITY = [{"oauth2": ["documents"]}, {"bearer": []}]
SCHEMES = {
    "oauth2": {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "/api/v1/token",
                "scopes": {"documents": "gửi, nhận văn bản / send and receive documents"},
            }
        },
    },
    "bearer": {"type": "http", "scheme": "bearer"},
}
_WRITTEN = (
    models.Problem,
    models.ReceiptAnswer,
    models.TokenAnswer,
    models.ReadyAnswer,
    models.ReportAnswer,
    dossier_models.BatchLine,
    dossier_models.DossierFiguresAnswer,
    dossier_models.DossierEventPage,
    dossier_models.DossierTotals,
    providing_models.JobAnswer,
    providing_models.JobPage,
)
"""Answers the routes write themselves."""

_METHODS = ("get", "post", "delete", "put")


def document(app: FastAPI) -> dict[str, Any]:
    """Made once from the routes, plus what is written by hand: the hot route and the problems."""
    if app.openapi_schema is None:
        made = get_openapi(
            title="LGSP – Trục tích hợp liên thông",
            version=VERSION,
            description="Cổng REST của trục. / The REST door of the bus.",
            routes=app.routes,
        )
        made["paths"] = {PATH: {"post": describe.SEND_DOCUMENT}} | made["paths"]
        _components(made)
        for operations in made["paths"].values():
            for operation in operations.values():
                _finish(operation)
        app.openapi_schema = made
    return app.openapi_schema


def _components(made: dict[str, Any]) -> None:
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # validation problems are Problems here
    schemas |= describe.schemas() | describe_dossiers.schemas() | describe_flows.schemas()
    for model in _WRITTEN:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    made["components"]["securitySchemes"] = SCHEMES


def _finish(operation: dict[str, Any]) -> None:
    """Security by default; no trace of the framework's own validation answer."""
    operation.setdefault("security", SECURITY)
    answer = operation["responses"].get("422", {})
    if "HTTPValidationError" in str(answer):
        del operation["responses"]["422"]
        for status, response in describe.problems(InvalidRequest).items():
            operation["responses"].setdefault(str(status), response)
    named: dict[tuple[str, str], dict[str, Any]] = {}
    for parameter in operation.get("parameters", ()):
        known = named.setdefault((parameter["in"], parameter["name"]), {})
        schema = {**known.get("schema", {}), **parameter.get("schema", {})}
        known |= parameter | ({"schema": schema} if schema else {})
    if named:
        operation["parameters"] = list(named.values())


def known_errors() -> dict[str, type[LgspError]]:
    """Every error a caller can meet, by code."""
    beside = (InternalError, soap.VersionMismatch, soap.MustUnderstand)
    known: dict[str, type[LgspError]] = {each.code: each for each in beside}
    for _, each in inspect.getmembers(errors, inspect.isclass):
        if issubclass(each, LgspError) and each is not LgspError and "code" in vars(each):
            known[each.code] = each
    return known


@router.get("/openapi.json")
async def openapi_json(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """A list of the operations: works without a network and without JavaScript."""
    made = request.app.openapi()
    rows = [
        f"<tr><td><code>{method.upper()}</code><td><code>{html.escape(path)}</code>"
        f"<td>{html.escape(operation['summary'])}<td>{_answers(operation)}"
        for path, operations in made["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    ]
    head = "<tr><th>Phương thức<th>Địa chỉ<th>Nội dung / Summary<th>Trả lời / Answers"
    body = (
        f"<p>Mô tả đầy đủ kèm ví dụ / the whole with examples: "
        f'<a href="openapi.json">openapi.json</a> (OpenAPI {made["openapi"]}); SOAP: '
        f'<a href="{soap.PATH}?wsdl">WSDL</a></p>'
        f"<table>{head}{''.join(rows)}</table><h2>Lỗi / Problems</h2><ul>{_problem_list()}</ul>"
    )
    return page(made["info"]["title"], body)


@router.get("/problems/{code}")
async def explain_problem(code: str) -> HTMLResponse:
    """Where the `type` of a problem leads."""
    error = known_errors().get(code)
    if error is None:
        raise NotFound("no such problem", vi="Không có mã lỗi này")
    body = "".join(
        f"<h2>{html.escape(title)}</h2><p>{html.escape(advice)}</p>"
        for title, advice in zip(error.title, error.advice, strict=True)
    )
    facts = f"HTTP {error.http_status} · <code>{error.code}</code> · {error.actor}"
    return page(error.code, f"<p>{facts}</p>{body}")


def _answers(operation: dict[str, Any]) -> str:
    return " ".join(html.escape(str(status)) for status in operation["responses"])


def _problem_list() -> str:
    return "".join(
        f'<li><a href="problems/{code}">{code}</a> ({error.http_status}): '
        f"{html.escape(error.title.vi)} / {html.escape(error.title.en)}"
        for code, error in known_errors().items()
    )


def page(title: str, body: str) -> HTMLResponse:
    """A page of ours: `body` is HTML, `title` is not."""
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.4rem .8rem;"
        "text-align:left;vertical-align:top}"
    )
    text = (
        f'<!doctype html><html lang="vi"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})
