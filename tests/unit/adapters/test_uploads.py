"""Originals leave with their length, however large: some servers break on chunked bodies."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from adapters.http import open_session
from adapters.registry import create
from adapters.vxp.codec import reply
from schemas.adapter import Addressed, OutboundDelivery, Result
from tests.contract.adapter_conformance import large, small
from tests.unit.adapters.test_rest_push_upload import answering
from tests.unit.adapters.vxp.test_vxp_exchange import packet

CONFIGS: dict[str, dict[str, Any]] = {
    "vxp": {"systemid": "00.38.W00", "secret": "s"},
    "rest-push": {"secret": "s"},
}
CUT = packet("H99.01", "H99.02")
DELIVERIES = {
    "small": lambda: small(b"<edXML/>"),
    "streamed": lambda: large(1_000_000)[0],
    "cut": lambda: small(CUT, addressed=Addressed("H38.01", ("H99.01",), whole=False)),
}


class Recorder:
    """A partner that writes down the headers and the digest of what comes."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = await request.read()
        told = {"messageId": self.headers.get("lgsp-message-id", ""), "receipt": "1"}
        if "xroadvnpt-systemid" in self.headers:
            return web.Response(body=reply({"DocId": "1"}), content_type="application/json")
        return web.json_response(told)


@pytest.fixture
async def partner() -> AsyncIterator[tuple[Recorder, str]]:
    recorder = Recorder()
    async with answering(recorder) as port:
        yield recorder, f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("name", DELIVERIES)
async def test_content_length_and_never_chunks(
    partner: tuple[Recorder, str], kind: str, name: str
) -> None:
    recorder, url = partner
    delivery: OutboundDelivery = DELIVERIES[name]()
    async with open_session() as http:
        config = CONFIGS[kind] | {"url": url}
        adapter = create(kind, config, http=http, secrets=lambda _: b"secret of 16 bytes and more")
        outcome = await adapter.deliver(delivery)
    assert outcome.result is Result.DELIVERED, outcome
    assert recorder.headers["content-length"] == str(len(recorder.body))
    assert "transfer-encoding" not in recorder.headers
    if name != "cut":
        assert hashlib.sha256(recorder.body).hexdigest() == delivery.sha256
