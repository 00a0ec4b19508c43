"""One trace from the sender's request through dispatcher, broker and worker to the partner's call,
as a collector gets it over OTLP.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bus.app import running
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from bus.settings import Settings
from schemas.province import Agency, Client, Endpoint
from tests.integration.gateway_harness import packet
from tests.ledgers import prepare
from tests.serving import serving
from tests.waiting import wait_until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECONDS = 60


@dataclass
class Outside:
    """The collector and the partner's system."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    traceparents: list[str] = field(default_factory=list)

    async def collect(self, request: web.Request) -> web.Response:
        told = ExportTraceServiceRequest.FromString(await request.read())
        assert request.content_type == "application/x-protobuf"
        for group in told.resource_spans:
            names = {each.key: each.value.string_value for each in group.resource.attributes}
            assert names["service.name"] == "lgsp"
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.traceparents.append(request.headers["traceparent"])
        told = {"messageId": request.headers["LGSP-Message-Id"], "receipt": "1"}
        return web.json_response(told | {"sha256": hashlib.sha256(body).hexdigest()})

    def named(self, beginning: str) -> Span:
        """The one span of the sender's trace with such a name."""
        (found,) = (
            span
            for span in self.spans
            if span.name.startswith(beginning) and span.trace_id.hex() == TRACE
        )
        return found


@asynccontextmanager
async def _outside() -> AsyncIterator[Outside]:
    one = Outside()
    app = web.Application()
    app.router.add_post("/v1/traces", one.collect)
    app.router.add_post("/documents", one.receive)
    async with serving(app) as url:
        one.url = url
        yield one


async def _declare(ledger: Ledger, url: str) -> str:
    """Returns the key of the sender."""
    partner = Endpoint(name="so-y-te", kind="rest-push", config={"url": url, "secret": "yte"})
    changes = [
        Change("endpoint", "so-y-te", None, partner),
        Change("agency", "H38", None, Agency(code="H38", name="Tỉnh")),
        Change("agency", "H38.01", None, Agency(code="H38.01", name="Văn phòng", parent="H38")),
        Change(
            "agency",
            "H38.02",
            None,
            Agency(code="H38.02", name="Sở", parent="H38", endpoint="so-y-te"),
        ),
        Change("client", "van-phong", None, Client(id="van-phong", agencies=("H38.01",))),
    ]
    await ledger.config.apply(changes, expected=0, actor="test", reason="")
    return await ledger.identities.add_key("van-phong")


async def _send(address: str, key: str) -> None:
    async with httpx2.AsyncClient(base_url=address, timeout=SECONDS) as http:
        form = {
            "grant_type": "client_credentials",
            "client_id": "van-phong",
            "client_secret": key,
        }
        token = (await http.post("/api/v1/token", data=form)).json()["access_token"]
        answer = await http.post(
            "/api/v1/documents",
            content=packet("H38.01", ("H38.02",)),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/xml",
                "traceparent": f"00-{TRACE}-{CALLER}-01",
            },
        )
        assert answer.status_code < 300, answer.text


async def test_one_trace_leads_from_the_sender_to_the_partner(
    tmp_path: Path, broker_url: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "yte").write_bytes(b"khoa-cua-so-y-te-2026")
    async with _outside() as outside:
        settings = Settings.load(
            None,
            data_dir=tmp_path,
            http_port=0,
            broker_url=broker_url,
            broker_prefix="traces",
            secrets_dir=tmp_path / "secrets",
            otlp_endpoint=f"{outside.url}/v1/traces",
        )
        await prepare(settings.database_url)
        ledger = await Ledger.open(settings.database_url, settings.blob_dir)
        key = await _declare(ledger, f"{outside.url}/documents")
        await ledger.close()
        async with (
            running(settings, frozenset({"dispatcher", "worker"})),
            running(settings, frozenset({"gateway"})) as address,
        ):
            assert address is not None
            await _send(address, key)
            await wait_until(lambda: outside.traceparents, SECONDS, "the partner was called")
            await wait_until(
                lambda: any(span.name.startswith("deliver") for span in outside.spans),
                SECONDS,
                "the collector was told",
            )
    server, accept = outside.named("POST /api/v1/documents"), outside.named("accept")
    dispatch, deliver = outside.named("dispatch"), outside.named("deliver so-y-te")
    assert server.parent_span_id.hex() == CALLER
    assert server.kind == Span.SpanKind.SPAN_KIND_SERVER
    assert accept.parent_span_id == dispatch.parent_span_id == server.span_id
    assert deliver.parent_span_id == dispatch.span_id, "through the broker"
    assert outside.traceparents == [f"00-{TRACE}-{deliver.span_id.hex()}-01"]
    facts = {each.key: each.value for each in deliver.attributes}
    assert facts["lgsp.result"].string_value == "delivered"
    assert server.start_time_unix_nano <= accept.start_time_unix_nano
    assert accept.start_time_unix_nano <= deliver.end_time_unix_nano


def test_without_an_exporter_opentelemetry_is_not_even_loaded() -> None:
    script = (
        "import sys, bus.app, bus.ops.metrics\n"
        "assert bus.ops.metrics.Metrics().spans is None\n"
        "assert 'opentelemetry.sdk' not in sys.modules\n"
        "assert 'opentelemetry.exporter' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
