"""What the gateway refuses, and how it says so, also over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from bus.gateway import edge
from bus.gateway.limits import GatewayLimits
from bus.gateway.probes import Probed
from bus.ops.health import Examiner
from bus.ops.metrics import Metrics
from deploy.services import PostgreSQL
from schemas.errors import BrokerUnavailable
from tests.integration.gateway_harness import (
    BUILD,
    CLIENTS,
    HEALTH,
    OFFICE,
    Harness,
    opened,
    packet,
    served,
)
from tests.waiting import wait_until

LIMITS = GatewayLimits(
    max_packet=200_000, max_json=5_000, max_files=3, max_in_flight=3, body_idle=0.3
)
BY_ID = {client.id: client for client in CLIENTS}


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(sqlite_url, tmp_path, limits=LIMITS) as harness:
        yield harness


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{code}"
    assert problem["correlationId"] == answer.headers["x-correlation-id"]
    return problem


# --- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_packet_over_the_limit(bus: Harness, declared: bool) -> None:
    large = packet(subject="x" * 250_000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    answer = await bus.send("van-phong", large if declared else pieces())  # type: ignore[arg-type]
    problem = assert_problem(answer, 413, "too-large")
    assert problem["context"] == {"limit": 200_000}
    assert list(bus.ledger.blobs.incoming.iterdir()) == []


async def test_other_bodies_have_a_limit_of_their_own(bus: Harness) -> None:
    long = {"result": "delivered", "reason": "x" * 6_000}
    answer = await bus.call("so-xay-dung", "POST", "/api/v1/mailbox/1/ack", json=long)
    assert_problem(answer, 413, "too-large")
    form = await bus.http.post("/api/v1/token", data={"grant_type": "x" * 6_000})
    assert_problem(form, 413, "too-large")


async def test_too_many_files(bus: Harness) -> None:
    files = [("f", (f"{n}.pdf", b"x")) for n in range(4)]
    answer = await bus.call(
        "van-phong", "POST", "/api/v1/documents", data={"document": "{}"}, files=files
    )
    assert_problem(answer, 413, "too-large")


FIELD = b'--b\r\nContent-Disposition: form-data; name="document"\r\n\r\n'
FILE = b'\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a.pdf"\r\n'


@pytest.mark.parametrize(
    ("body", "boundary", "why"),
    [
        (b"--b\r\nnonsense\r\n", "; boundary=b", "sai cấu trúc"),
        (FIELD + b"{}" + FILE + b"\r\n%PDF-1.7 half of", "; boundary=b", "cắt ngắn"),
        (FIELD + b"{}" + FILE, "; boundary=b", "cắt ngắn"),
        (FIELD + b"{}\r\n", "; boundary=b", "cắt ngắn"),
        (b"", "; boundary=b", "cắt ngắn"),
        (FIELD + b"{}\r\n--b--", "", "thiếu boundary"),
        (FIELD + b"{}" + FILE + b"A: b\r\n" * 9, "; boundary=b", "sai cấu trúc"),
        (FIELD + b"{}" + FILE + b"A: " + b"b" * 5_000, "; boundary=b", "sai cấu trúc"),
        (
            FIELD + b"{}" + FILE + b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--",
            "; boundary=b",
            "hãy gửi dạng binary",
        ),
        (FILE[2:] + b"\r\nx\r\n--b--", "; boundary=b", "thiếu phần document"),
    ],
)
async def test_broken_form(bus: Harness, body: bytes, boundary: str, why: str) -> None:
    """A form whose last file is cut short is never taken for one without that file."""
    answer = await bus.call(
        "van-phong",
        "POST",
        "/api/v1/documents",
        headers={"Content-Type": f"multipart/form-data{boundary}"},
        content=body,
    )
    assert why in assert_problem(answer, 400, "invalid-request")["detailVi"]


@pytest.mark.parametrize(
    "part",
    [
        b'--b\r\nContent-Disposition: form-data; name="document"\r\n\r\n{}\r\n',
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nvalue\r\n',
    ],
)
async def test_a_form_holds_one_document_and_files(bus: Harness, part: bytes) -> None:
    answer = await bus.call(
        "van-phong",
        "POST",
        "/api/v1/documents",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
        content=FIELD + b"{}\r\n" + part + b"--b--",
    )
    assert "one part document" in assert_problem(answer, 413, "too-large")["detailEn"]


async def test_document_part_has_a_limit(bus: Harness) -> None:
    answer = await bus.call(
        "van-phong",
        "POST",
        "/api/v1/documents",
        headers={"Content-Type": "multipart/form-data; boundary=b"},
        content=FIELD + b" " * 6_000 + b"{}\r\n--b--",
    )
    assert assert_problem(answer, 413, "too-large")["context"] == {"limit": 5_000}


# --- rate and load --------------------------------------------------------------------------------


async def test_client_over_its_allowance_waits_and_others_do_not(bus: Harness) -> None:
    slow = BY_ID["so-y-te"].model_copy(update={"rate": 0.5, "burst": 3})
    await bus.declare("client", BY_ID["so-y-te"], slow)
    answers = [await bus.call("so-y-te", "GET", "/api/v1/messages") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 429, 429]  # the token was one
    assert_problem(answers[-1], 429, "rate-limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
    assert (await bus.call("van-phong", "GET", "/api/v1/messages")).status_code == 200


async def test_beyond_the_requests_in_flight_the_door_says_when_to_come_back(bus: Harness) -> None:
    await bus.token("van-phong")
    release = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield packet()[:50]
        await release.wait()
        yield packet()[50:]

    async with served(bus.app) as url, httpx2.AsyncClient(base_url=url, timeout=20) as http:
        bus.http = http
        pending = [
            asyncio.create_task(bus.send("van-phong", slow(), f"k{n}"))  # type: ignore[arg-type]
            for n in range(3)
        ]
        in_flight = bus.app.state.services.deps.probed.metrics.registry.get_sample_value
        await wait_until(lambda: in_flight("lgsp_http_in_flight") == 3, what="three in flight")
        refused = await bus.send("van-phong", packet())
        alive = await http.get("/healthz")
        release.set()
        assert [(await each).status_code for each in pending] == [202] * 3
        assert_problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1"
        assert alive.status_code == 200
        assert (await bus.send("van-phong", packet(number=2))).status_code == 202


async def test_who_does_not_wait_as_told_waits_at_the_door_and_takes_nobodys_place(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "REFUSALS_BURST", 1)
    monkeypatch.setattr(edge, "REFUSALS_RATE", 0.001)
    monkeypatch.setattr(edge, "PAUSE", 3600)
    await bus.token("van-phong")
    slow = BY_ID["so-y-te"].model_copy(update={"rate": 0.001, "burst": 1})
    await bus.declare("client", BY_ID["so-y-te"], slow)
    await bus.token("so-y-te")
    first = await bus.call("so-y-te", "GET", "/api/v1/messages")
    assert_problem(first, 429, "rate-limited")
    held = [
        asyncio.create_task(bus.call("so-y-te", "GET", "/api/v1/messages"))
        for _ in range(LIMITS.max_in_flight)
    ]
    door: Any = vars(bus.app)["_edge"]
    await wait_until(lambda: door._paced == len(held), what="all to be held back")
    assert (await bus.call("van-phong", "GET", "/api/v1/messages")).status_code == 200
    assert not any(each.done() for each in held)
    for each in held:
        each.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert (door._paced, door._in_flight) == (0, 0)


async def test_body_that_stops_arriving_is_given_up(bus: Harness) -> None:
    token = await bus.token("van-phong")
    head = (
        f"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/xml\r\nContent-Length: 5000\r\n\r\n<edXML"
    )
    async with served(bus.app) as url:
        answer = await _raw(url, head.encode())
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert await bus.ledger.queries.messages(agencies=None) == []


async def test_caller_who_hangs_up_leaves_nothing(bus: Harness) -> None:
    token = await bus.token("van-phong")
    head = (
        f"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/xml\r\nContent-Length: 150000\r\n\r\n"
    )
    samples = bus.app.state.services.deps.probed.metrics.registry.get_sample_value
    labels = {"method": "POST", "route": "/api/v1/documents", "status": "499"}
    async with served(bus.app) as url:
        _, writer = await _connect(url)
        writer.write(head.encode() + packet(subject="x" * 100_000)[:90_000])
        await writer.drain()
        await wait_until(lambda: list(bus.ledger.blobs.incoming.iterdir()), what="a blob begun")
        writer.close()
        await writer.wait_closed()
        await wait_until(
            lambda: samples("lgsp_http_requests_total", labels) == 1, what="the end of the request"
        )
    assert list(bus.ledger.blobs.incoming.iterdir()) == []
    assert await bus.ledger.queries.messages(agencies=None) == []


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(url)
    return await asyncio.open_connection(address.hostname, address.port)


async def _raw(url: str, request: bytes) -> bytes:
    """Everything the server says until it closes the connection."""
    reader, writer = await _connect(url)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


# --- problems -------------------------------------------------------------------------------------


async def test_unknown_address_and_method(bus: Harness) -> None:
    assert_problem(await bus.http.get("/api/v1/nowhere"), 404, "not-found")
    wrong = await bus.http.put("/api/v1/messages")
    assert_problem(wrong, 405, "invalid-request")
    assert "GET" in wrong.headers["allow"]
    assert_problem(await bus.http.get("/api/v1/documents"), 405, "invalid-request")


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("", "vi", "Chưa xác thực"),
        ("en", "en", "Not authenticated"),
        ("fr", "vi", "Chưa xác thực"),
        ("en;q=0.5, vi", "vi", "Chưa xác thực"),
    ],
)
async def test_language_of_a_problem(
    bus: Harness, accepted: str, language: str, title: str
) -> None:
    answer = await bus.http.get("/api/v1/messages", headers={"Accept-Language": accepted})
    problem = assert_problem(answer, 401, "unauthenticated")
    assert (answer.headers["content-language"], problem["title"]) == (language, title)
    assert (problem["titleVi"], problem["titleEn"]) == ("Chưa xác thực", "Not authenticated")
    assert problem["whoMustAct"] == "sender"


async def test_wrong_parameters_are_named_in_the_callers_spelling(bus: Harness) -> None:
    query = {"limit": "0", "since": "hôm qua"}
    answer = await bus.call("van-phong", "GET", "/api/v1/messages", params=query)
    problem = assert_problem(answer, 400, "invalid-request")
    assert "limit" in problem["detailVi"]
    assert "since" in problem["detailVi"]
    assert "hôm qua" not in answer.text


async def test_what_nobody_foresaw_tells_nothing_of_the_inside(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mật khẩu là 123")

    monkeypatch.setattr(bus.ledger.queries, "messages", fail)
    answer = await bus.call("van-phong", "GET", "/api/v1/messages")
    assert_problem(answer, 500, "internal-error")
    assert "123" not in answer.text
    assert "RuntimeError" not in answer.text


async def test_trace_of_the_caller_is_followed_into_the_ledger(bus: Harness) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = await bus.send("van-phong", packet(), traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert answer.headers["x-correlation-id"] == trace
    own = answer.headers["traceparent"]
    assert own.startswith(f"00-{trace}-")
    assert "b7ad6b7169203331" not in own
    message = await bus.ledger.queries.message(answer.json()["messageId"])
    assert message is not None
    assert message.trace == own


# --- probes ---------------------------------------------------------------------------------------


async def test_metrics_are_for_this_machine_or_the_token(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url, tmp_path, metrics_token="do-luong") as bus:
        await bus.send("van-phong", packet())
        local = await bus.http.get("/metrics")
        assert local.status_code == 200
        line = 'lgsp_http_requests_total{method="POST",route="/api/v1/documents",status="202"} 1.0'
        assert line in local.text
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        assert_problem(await bus.http.get("/metrics", headers=forwarded), 401, "unauthenticated")
        transport = httpx2.ASGITransport(bus.app, client=("203.0.113.7", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://bus") as outside:
            assert_problem(await outside.get("/metrics"), 401, "unauthenticated")
            wrong = {"Authorization": "Bearer x"}
            assert (await outside.get("/metrics", headers=wrong)).status_code == 401
            right = {"Authorization": "Bearer do-luong"}
            assert (await outside.get("/metrics", headers=right)).status_code == 200


async def test_metrics_name_routes_and_never_what_a_caller_made_up(bus: Harness) -> None:
    await bus.http.get("/nha/rieng/cua/toi")
    await bus.http.request("PHA", "/api/v1/messages")
    await bus.call("van-phong", "GET", "/api/v1/messages/chua-co")
    text = (await bus.http.get("/metrics")).text
    assert "cua" not in text
    assert "PHA" not in text
    assert "chua-co" not in text
    assert 'route="/api/v1/messages/{message_id}",status="404"' in text
    assert 'lgsp_http_refused_total{code="not-found"} 2.0' in text


async def test_broker_down_is_degraded_but_ready(sqlite_url: str, tmp_path: Path) -> None:
    async def down() -> None:
        raise BrokerUnavailable

    async def up() -> None: ...

    health = Examiner({"ledger": up}, {"broker": down})
    async with opened(sqlite_url, tmp_path, probed=Probed(Metrics(), health)) as bus:
        answer = await bus.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["parts"][1] == {
        "name": "broker",
        "up": False,
        "required": False,
        "reason": "broker-unavailable",
    }


@pytest.mark.postgres
async def test_ledger_down_refuses_at_once_and_comes_back(
    postgres_url: str, postgres: PostgreSQL, tmp_path: Path
) -> None:
    async with opened(postgres_url, tmp_path) as bus:
        assert (await bus.send("van-phong", packet(number=1), "1")).status_code == 202
        await asyncio.to_thread(postgres.stop)
        try:
            refused = await bus.send("van-phong", packet(number=2), "2")
            problem = assert_problem(refused, 503, "ledger-unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            assert problem["retryable"] is True
            ready = await bus.http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "unready")
            assert (await bus.http.get("/healthz")).status_code == 200
        finally:
            await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(20):
            while (await bus.send("van-phong", packet(number=2), "2")).status_code != 202:
                await asyncio.sleep(0.1)
        sent = (await bus.call("van-phong", "GET", "/api/v1/messages")).json()["items"]
        assert [each["messageRef"] for each in sent] == ["2", "1"]


async def test_documents_part_of_a_form_may_be_a_file(bus: Harness) -> None:
    """Some clients send every part with a content type as a file."""
    document = {
        "header": {
            "sender": {"organId": OFFICE},
            "receivers": [{"organId": BUILD}, {"organId": HEALTH}],
            "documentId": "1",
            "code": {"number": "1", "notation": "VP"},
            "subject": "x",
        }
    }
    files = {"document": ("document.json", json.dumps(document), "application/json")}
    answer = await bus.call("van-phong", "POST", "/api/v1/documents", files=files)
    assert answer.status_code == 202, answer.text
    message = await bus.ledger.queries.message(answer.json()["messageId"])
    assert message is not None
    canonical = json.loads(await bus.ledger.queries.canonical(message.id) or "")
    assert canonical["body"]["attachments"] == []


async def test_paths_that_are_no_paths_are_answered(bus: Harness) -> None:
    for path in ("*", "//", "/soap", ""):
        scope: dict[str, Any] = {"type": "http", "method": "OPTIONS", "path": path, "headers": []}
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any, told: list[Any] = told) -> None:
            told.append(message)

        await bus.app(scope | {"query_string": b"", "root_path": ""}, receive, send)
        assert 400 <= told[0]["status"] < 500, path
