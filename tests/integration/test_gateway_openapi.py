"""The OpenAPI document tells the truth: every example in it is executed and must be answered."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus.gateway.limits import GatewayLimits
from bus.gateway.openapi import known_errors
from schemas.errors import LgspError, LocalError, PartnerError
from schemas.province import Endpoint
from tests.integration.gateway_harness import Harness, opened

ORDER = (
    ("post", "/api/v1/token"),
    ("post", "/api/v1/documents"),
    ("post", "/api/v1/documents/status"),
    ("put", "/api/v1/dossiers/{code}"),
    ("post", "/api/v1/dossiers/{code}/steps"),
    ("post", "/api/v1/dossiers/batch"),
    ("post", "/api/v1/dossiers/{code}/files"),
    ("post", "/api/v1/flows/{kind}"),
    ("get", "/api/v1/inquiries/payment/{code}"),
    ("get", "/api/v1/inquiries/tracking/{code}"),
    ("get", "/api/v1/dossiers"),
    ("get", "/api/v1/dossiers/figures"),
    ("get", "/api/v1/service-jobs"),
    ("get", "/api/v1/dossiers/totals"),
    ("get", "/api/v1/dossiers/events"),
    ("get", "/api/v1/dossiers/{code}"),
    ("get", "/api/v1/mailbox"),
    ("get", "/api/v1/mailbox/{delivery_id}/content"),
    ("post", "/api/v1/mailbox/{delivery_id}/ack"),
    ("get", "/api/v1/messages"),
    ("get", "/api/v1/messages/{message_id}"),
    ("get", "/api/v1/exchanges"),
    ("get", "/api/v1/exchanges/{message_id}"),
    ("get", "/api/v1/tasks"),
    ("get", "/api/v1/reports/documents"),
    ("post", "/api/v1/messages/{message_id}/cancel"),
    ("get", "/api/v1/agencies"),
    ("get", "/api/v1/agencies/{code}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
)
LASTING = {("get", "/api/v1/dossiers/events/stream")}
"""Answers without an end, tried in test_gateway_events."""
JOBS = {
    ("get", "/api/v1/service-jobs/{job_id}"),
    ("get", "/api/v1/service-jobs/{job_id}/results"),
    ("post", "/api/v1/service-jobs/{job_id}/cancel"),
}
"""Of a job that must be sent before, tried in test_service_jobs."""
RECEIVER_ROUTES = (
    "/api/v1/mailbox",
    "/api/v1/documents/status",
    "/api/v1/dossiers",
    "/api/v1/flows",
    "/api/v1/inquiries",
)
"""Of the building department, which also handles the dossier of the examples."""
SUCCESS = re.compile("2..")


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    limits = GatewayLimits(public_url="https://lgsp.example")
    async with opened(sqlite_url, tmp_path, limits=limits, secrets=lambda _: b"k") as harness:
        for kind in ("dvcqg", "vnpost"):
            await harness.declare("endpoint", None, Endpoint(name=kind, kind=kind))
        yield harness


class Caller:
    """Makes the request that an operation's examples describe."""

    def __init__(self, bus: Harness) -> None:
        self.bus = bus
        self.message_id = ""

    async def execute(self, method: str, path: str, operation: dict[str, Any]) -> list[Any]:
        contents = operation.get("requestBody", {}).get("content", {"": {}})
        assert all("example" in each for name, each in contents.items() if name), path
        return [
            await self._one(method, path, operation, media, described.get("example"))
            for media, described in contents.items()
        ]

    async def _one(
        self, method: str, path: str, operation: dict[str, Any], media: str, example: Any
    ) -> Any:
        query, address = {}, path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                value = self.message_id if parameter["name"] == "message_id" else None
                value = value or str(parameter["example"])
                address = address.replace(f"{{{parameter['name']}}}", value)
            elif parameter["in"] == "query" and "example" in parameter:
                query[parameter["name"]] = parameter["example"]
        given: dict[str, Any] = {"params": query} | self._body(media, example)
        client: str | None = "so-xay-dung" if path.startswith(RECEIVER_ROUTES) else "van-phong"
        if operation["security"] == []:
            client = None
        return await self.bus.call(client, method.upper(), address, **given)

    def _body(self, media: str, example: Any) -> dict[str, Any]:
        match media:
            case "":
                return {}
            case "application/json":
                return {"json": example}
            case "multipart/form-data":
                files = [("file", (f"{n}.txt", text)) for n, text in enumerate(example["file"])]
                return {"data": {"document": json.dumps(example["document"])}, "files": files}
            case "application/x-www-form-urlencoded":
                return {"data": example | {"client_secret": self.bus.keys[example["client_id"]]}}
            case _:
                return {"content": example.encode(), "headers": {"Content-Type": media}}


async def test_every_example_works(bus: Harness) -> None:
    paths = (await bus.http.get("/openapi.json")).json()["paths"]
    assert {(m, p) for p, methods in paths.items() for m in methods} == set(ORDER) | LASTING | JOBS
    caller = Caller(bus)
    for method, path in ORDER:
        for answer in await caller.execute(method, path, paths[path][method]):
            assert SUCCESS.fullmatch(str(answer.status_code)), f"{method} {path}: {answer.text}"
            documented = paths[path][method]["responses"]
            assert str(answer.status_code) in documented, f"{method} {path}"
        if path == "/api/v1/messages":
            assert answer.json()["items"], "the example's document is among the messages"
        if path == "/api/v1/documents":
            caller.message_id = answer.json()["messageId"]
    # Cancelled although the first delivery was acknowledged: the form's message is the second.


async def test_document_is_openapi_3_1_with_vietnamese_and_english(bus: Harness) -> None:
    document = (await bus.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            vi, _, en = operation["summary"].partition(" / ")
            assert vi, path
            assert en, path
            problems = [c for c in operation["responses"] if c not in {"200", "201", "202"}]
            assert operation["security"] == [] or {"401", "429", "503"} <= set(problems), path


async def test_every_reference_resolves(bus: Harness) -> None:
    text = (await bus.http.get("/openapi.json")).text
    schemas = json.loads(text)["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert references <= schemas.keys()
    assert "HTTPValidationError" not in text
    assert "operationId" in text


async def test_packet_model_is_described_as_it_is_read(bus: Harness) -> None:
    schemas = (await bus.http.get("/openapi.json")).json()["components"]["schemas"]
    header = schemas["MessageHeader"]["properties"]
    assert {"documentId", "promulgationInfo", "otherInfo"} <= header.keys()
    assert "document_id" not in json.dumps(schemas["DocumentRequest"])


async def test_pages_need_nothing_from_elsewhere(bus: Harness) -> None:
    for path in ("/docs", "/problems/too-large"):
        page = await bus.http.get(path)
        assert page.status_code == 200
        assert not re.search(r"(?:src|href)=.?(?:https?:)?//|<script|@import|url\(", page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/api/v1/documents" in (await bus.http.get("/docs")).text
    assert (await bus.http.get("/problems/unknown")).status_code == 404


async def test_every_error_has_a_page(bus: Harness) -> None:
    codes = set(known_errors())
    assert {"soap-version", "soap-header"} <= codes
    pending: list[type[LgspError]] = [LocalError, PartnerError]
    while pending:
        below = [e for e in pending.pop().__subclasses__() if e.__module__ == "schemas.errors"]
        assert {each.code for each in below} <= codes
        pending += below
    for code, error in known_errors().items():
        page = (await bus.http.get(f"/problems/{code}")).text
        assert error.advice.vi.split(";")[0] in page, code
