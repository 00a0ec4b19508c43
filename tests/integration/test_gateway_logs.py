"""No secret and nothing of the packets in any log line, whatever happens to a request."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from bus.gateway.limits import GatewayLimits
from bus.ops import logging as bus_logging
from tests.integration.gateway_harness import BUILD, HEALTH, Harness, opened, packet, served
from tests.integration.soap_harness import envelope, post, security

PERSONAL = ("Phạm Thị Bí Mật", "0912 345 678", "Trích yếu kín")
REFERENCE = "ma-rieng-cua-ho-so-79"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, as a process of the bus logs it, at the finest level."""
    root, access = logging.getLogger(), bus_logging.access
    before = (root.handlers, root.level, access.handlers, access.propagate)
    stream = io.StringIO()
    bus_logging.configure(level="DEBUG", stream=stream)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the caller's log, not the bus's
    yield stream
    root.handlers, root.level, access.handlers, access.propagate = before
    structlog.reset_defaults()


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path, lines: io.StringIO) -> AsyncIterator[Harness]:
    del lines  # configured before anything runs
    limits = GatewayLimits(max_packet=50_000)
    async with opened(sqlite_url, tmp_path, limits=limits) as harness:
        yield harness


async def test_a_day_at_the_gateway_leaves_no_secret_in_the_log(
    bus: Harness, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(bus.app) as url:
        bus.http.base_url = url
        await _good_day(bus)
        await _bad_day(bus)

        async def fail(*_: object, **__: object) -> None:
            cause = ValueError(f"row ({PERSONAL[0]}, {PERSONAL[1]})")
            raise RuntimeError(f"cannot store {PERSONAL[2]} with {bus.tokens}") from cause

        monkeypatch.setattr(bus.ledger.queries, "messages", fail)
        assert (await bus.call("van-phong", "GET", "/api/v1/messages")).status_code == 500
    text = lines.getvalue()
    for word in (*PERSONAL, REFERENCE, *bus.keys.values(), *bus.tokens.values()):
        assert word not in text
    for key in bus.keys.values():
        assert key[10:30] not in text
    logged = [json.loads(line) for line in text.splitlines()]
    answered = {line["status"] for line in logged if line["event"] == "request"}
    assert {200, 202, 400, 401, 403, 404, 413, 500} <= answered, "the test no longer sees the log"
    (failed,) = [line for line in logged if line["event"] == "request failed"]
    assert failed["exception"][0]["type"] == "builtins.RuntimeError"
    assert failed["trace_id"]


async def _good_day(bus: Harness) -> None:
    sent = await bus.send("van-phong", packet(subject=PERSONAL[2]), REFERENCE)
    assert sent.status_code == 202
    for path in ("/api/v1/mailbox", "/api/v1/messages", f"/api/v1/agencies?q={REFERENCE}"):
        assert (await bus.call("so-xay-dung", "GET", path)).status_code == 200
    signed = security("van-phong", bus.keys["van-phong"])
    members = {"messageRef": REFERENCE, "packet": packet(subject=PERSONAL[2])}
    content = envelope("SendDocument", members, header=signed)
    assert (await post(bus, None, content)).status_code == 200
    (item,) = (await bus.call("so-xay-dung", "GET", "/api/v1/mailbox")).json()["items"]
    await bus.call("so-xay-dung", "GET", f"/api/v1/mailbox/{item['deliveryId']}/content")
    ack = {"result": "rejected", "reason": PERSONAL[0], "receipt": REFERENCE}
    await bus.call("so-xay-dung", "POST", f"/api/v1/mailbox/{item['deliveryId']}/ack", json=ack)


async def _bad_day(bus: Harness) -> None:
    token = await bus.token("van-phong")
    assert (await bus.http.get(f"/x?access_token={token}")).status_code == 404
    assert (await bus.http.get(f"/api/v1/messages/{REFERENCE}")).status_code == 401
    long = packet(subject=PERSONAL[2] * 5000)
    assert (await bus.send("van-phong", long)).status_code == 413
    assert (await bus.send("van-phong", packet(sender=HEALTH, to=(BUILD,)))).status_code == 403
    assert (await bus.send("van-phong", packet()[:-20])).status_code == 400
    wrong = {"result": PERSONAL[0]}
    answer = await bus.call("so-xay-dung", "POST", "/api/v1/mailbox/1/ack", json=wrong)
    assert answer.status_code == 400
    form = {"grant_type": "client_credentials", "client_id": "van-phong"}
    await bus.http.post("/api/v1/token", data=form | {"client_secret": "x" + bus.keys["van-phong"]})
    wrong_key = security("van-phong", "x" + bus.keys["van-phong"])
    assert (await post(bus, None, envelope("ListWaiting", header=wrong_key))).status_code == 500
    members = {"messageRef": REFERENCE, "subject": PERSONAL[2]}
    assert (await post(bus, None, envelope("X" + REFERENCE, members))).status_code == 500


async def test_lines_of_one_request_carry_its_correlation_id(
    bus: Harness, lines: io.StringIO
) -> None:
    answers = await asyncio.gather(
        *(bus.send("van-phong", packet(number=n), f"k{n}") for n in range(5))
    )
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    seen = [line["trace_id"] for line in logged if line.get("route") == "/api/v1/documents"]
    assert sorted(seen) == sorted(answer.headers["x-correlation-id"] for answer in answers)
    assert len(set(seen)) == 5
