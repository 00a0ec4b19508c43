"""Façades on the door port: signed systems, their own words for errors, their own traffic only."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus.gateway.limits import GatewayLimits
from bus.gateway.services import no_secrets
from schemas.errors import ConfigurationError
from schemas.province import Client
from tests.integration.facade_sample import SampleFacade, signature
from tests.integration.gateway_harness import BUILD, CLIENTS, OFFICE, Harness, opened, packet

SECRETS = {"vp-2026": b"present secret of 16+", "vp-2025": b"former secret of 16+"}
PLAIN = next(client for client in CLIENTS if client.id == "van-phong")
SIGNING = PLAIN.model_copy(update={"system_id": "SYS-VP", "secret": "vp-2026"})


def secret(name: str) -> bytes:
    return SECRETS.get(name) or no_secrets(name)


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(
        sqlite_url,
        tmp_path,
        limits=GatewayLimits(max_json=500, max_packet=20_000),
        facades={"/sample": SampleFacade()},
        secrets=secret,
    ) as harness:
        await harness.declare("client", PLAIN, SIGNING)
        yield harness


async def call(
    bus: Harness,
    path: str,
    *,
    key: bytes = SECRETS["vp-2026"],
    system: str = "SYS-VP",
    **given: Any,
) -> Any:
    headers = {"System-Id": system, "Signature": signature(key, system)}
    method = "POST" if "content" in given else "GET"
    answer = await bus.http.request(method, f"/sample{path}", headers=headers, **given)
    assert answer.status_code == 200, answer.text  # errors are answered in its own protocol
    return answer.json()


async def test_signed_system_sends_as_its_client(bus: Harness) -> None:
    content = packet(subject="x" * 600)  # above what other requests may hold
    first = await call(bus, "/send", content=content)
    again = await call(bus, "/send", content=content)
    assert again == first | {"again": True}
    message = await bus.ledger.queries.message(first["id"])
    assert message is not None
    assert (message.sender, message.client) == (OFFICE, "van-phong")
    assert len(message.trace) == 55


async def test_requests_are_counted_under_the_path_of_the_facade(bus: Harness) -> None:
    await call(bus, "/ping")
    await call(bus, "/nowhere")
    await bus.http.get("/healthz")
    counted = bus.app.state.services.deps.probed.metrics.render().decode()
    routes = set(re.findall(r'route="([^"]+)"', counted))
    assert routes == {"/sample/ping", "unmatched", "/healthz"}


@pytest.mark.parametrize(
    ("previous", "key", "enters"),
    [
        (None, SECRETS["vp-2026"], True),
        (None, SECRETS["vp-2025"], False),
        ("vp-2025", SECRETS["vp-2025"], True),
        ("vp-2025", SECRETS["vp-2026"], True),
        ("vp-2025", b"neither", False),
    ],
)
async def test_both_secrets_are_good_during_rotation(
    bus: Harness, previous: str | None, key: bytes, enters: bool
) -> None:
    rotating = SIGNING.model_copy(update={"previous_secret": previous, "title": "luân chuyển"})
    await bus.declare("client", SIGNING, rotating)
    answer = await call(bus, "/counts", key=key)
    assert answer.get("error") == (None if enters else "unauthenticated")


async def test_unknown_or_suspended_system_is_refused(bus: Harness) -> None:
    for system in ("", "van-phong", "SYS-X"):
        assert (await call(bus, "/counts", system=system))["error"] == "unauthenticated"
    await bus.declare("client", SIGNING, SIGNING.model_copy(update={"suspended": True}))
    assert (await call(bus, "/counts"))["error"] == "unauthenticated"


async def test_missing_secret_is_the_administrators_and_names_nothing(bus: Harness) -> None:
    lost = SIGNING.model_copy(update={"secret": "lost-name"})
    await bus.declare("client", SIGNING, lost)
    answer = await call(bus, "/counts")
    assert answer["error"] == ConfigurationError.code
    assert "lost-name" not in str(answer)


async def test_allowance_is_spent_only_by_who_proved_itself(bus: Harness) -> None:
    slow = SIGNING.model_copy(update={"rate": 0.001, "burst": 1})
    await bus.declare("client", SIGNING, slow)
    for _ in range(3):
        assert (await call(bus, "/counts", key=b"wrong"))["error"] == "unauthenticated"
    assert "error" not in await call(bus, "/counts")
    assert (await call(bus, "/counts"))["error"] == "rate-limited"


async def test_nobody_sends_as_another_by_a_facade(bus: Harness) -> None:
    answer = await call(bus, "/send", content=packet(sender=BUILD))
    assert answer["error"] == "forbidden"
    assert await bus.ledger.queries.messages(agencies=None) == []


async def test_own_deliveries_are_listed_and_nobody_elses(bus: Harness) -> None:
    for number in range(1, 4):
        await bus.send("van-phong", packet(number=number))
    await bus.send("so-xay-dung", packet(sender=BUILD, to=(OFFICE,), number=9))
    pages, after = [], 2**62
    while page := (
        await bus.call("van-phong", "GET", "/sample/sent", params={"after": after})
    ).json():
        pages += page
        after = page[-1][0]
    assert [(code, state) for _, code, state in pages] == [
        ("3/VP", "queued"),
        ("2/VP", "queued"),
        ("1/VP", "queued"),
    ]
    assert await call(bus, "/counts") == {"document": 1, "status": 0}
    operator = await bus.call("van-hanh", "GET", "/sample/sent")
    assert operator.json()["error"] == "forbidden"


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("GET", "/sample/nowhere", b"", "not-found"),
        ("POST", "/sample/ping", b"", "invalid-request"),
        ("POST", "/sample/send", b"x" * 20_001, "too-large"),
    ],
)
async def test_errors_of_the_gateway_are_told_in_the_facades_protocol(
    bus: Harness, method: str, path: str, body: bytes, error: str
) -> None:
    answer = await bus.http.request(method, path, content=body)
    assert (answer.status_code, answer.json()["error"]) == (200, error)
    assert answer.json()["trace"] == answer.headers["x-correlation-id"]


def test_system_id_and_secret_belong_together() -> None:
    for given in ({"system_id": "S"}, {"secret": "s"}, {"previous_secret": "s"}):
        with pytest.raises(ValueError, match="secret"):
            Client.model_validate({"id": "x"} | given)
