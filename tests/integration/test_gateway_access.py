"""Nobody speaks for others or sees their traffic: every route is tried by the wrong caller."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from adapters import registry
from bus.gateway import gate as gate_module
from bus.gateway.app import PUBLIC
from bus.gateway.calling import doors as service_doors
from bus.gateway.soap.operations import OPERATIONS
from schemas import instant
from tests.integration import soap_harness
from tests.integration.facade_sample import SampleFacade
from tests.integration.gateway_harness import (
    BUILD,
    CLIENTS,
    COMMUNE,
    HEALTH,
    OFFICE,
    Harness,
    opened,
    packet,
)

STATUS = {
    "sender": {"organId": BUILD},
    "responseFor": {"organId": OFFICE, "code": "1/VP", "documentId": "1"},
    "statusCode": "03",
    "timestamp": "2026-11-02T09:05:00",
}
BY_ID = {client.id: client for client in CLIENTS}


@pytest.fixture
async def bus(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Harness]:
    async with opened(sqlite_url, tmp_path) as harness:
        yield harness


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every (method, path) that the application answers, however its routers are nested."""
    pending: list[Any] = list(app.routes)
    while pending:
        route = pending.pop()
        if hasattr(route, "effective_candidates"):
            pending += route.effective_candidates()
            continue
        if isinstance(route, Mount):
            pending += [_below(route.path, each) for each in route.routes]
            continue
        for method in route.methods:
            yield method, route.path


def _below(path: str, route: Any) -> Route:
    return Route(f"{path}{route.path}", route.endpoint, methods=list(route.methods))


async def test_every_route_of_a_facade_asks_who_is_calling(sqlite_url: str, tmp_path: Path) -> None:
    """Those of the registry, too: each must name what answers anybody."""
    facades = {f"/{name}": each for name, each in registry.facades().items()}
    facades["/sample"] = SampleFacade()
    async with opened(sqlite_url, tmp_path, facades=facades) as bus:
        for path, facade in facades.items():
            public = {f"{path}{each}" for each in facade.public}
            routes = [each for each in routes_of(bus.app) if each[1].startswith(f"{path}/")]
            assert {each for _, each in routes} > public
            for method, address in routes:
                before = _refusals(bus)
                await bus.http.request(method, address)
                told = _refusals(bus) - before
                assert told == (0 if address in public else 1), f"{method} {address}"


def _refusals(bus: Harness) -> float:
    """How often anybody was told to say who it is, in whatever protocol."""
    deps = bus.app.state.services.deps
    lines = deps.probed.metrics.render().decode().splitlines()
    counts = [line for line in lines if 'code="unauthenticated"' in line and "_total" in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


async def test_every_route_asks_who_is_calling(bus: Harness) -> None:
    seen = set()
    for method, path in routes_of(bus.app):
        seen |= {path, f"{method} {path}"}
        names = {"delivery_id": 1, "message_id": "x", "code": "x", "token": "x"}
        address = path.format(**names, service="x", operation="x")
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        answer = await bus.call(None, method, address, headers=forwarded)
        if PUBLIC & {path, f"{method} {path}"}:
            assert '"code":"unauthenticated"' not in answer.text, path
        elif path == soap_harness.PATH:  # who is calling may stand in the envelope
            for operation in OPERATIONS:
                answer = await soap_harness.call(bus, None, operation)
                assert soap_harness.fault(answer) == ("Client", "unauthenticated"), operation
        elif (method, path) == ("POST", service_doors.SERVICE):  # likewise: test_service_soap
            assert answer.status_code == 404
        else:
            assert answer.status_code == 401, f"{method} {path} answers anybody"
            assert answer.headers["www-authenticate"].startswith("Bearer")
    documented = bus.app.openapi()["paths"].keys()
    assert documented <= seen, "the test does not see all routes"
    assert len(seen) >= 16
    assert seen >= PUBLIC, "PUBLIC lists a route that is not there"


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "bearer\t1"])
async def test_no_token_no_entry(bus: Harness, token: str) -> None:
    answer = await bus.call(
        None, "GET", "/api/v1/messages", headers={"Authorization": token} if token else {}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("client", "sender"),
    [
        ("so-y-te", OFFICE),
        ("so-y-te", "000.00.01.H38"),  # an alias of another agency
        ("so-y-te", "H38"),  # its parent
        ("so-y-te", "H38.99"),  # nobody
        ("so-y-te", COMMUNE),
        ("van-phong", HEALTH),
        ("van-hanh", OFFICE),  # an operator looks, and sends for nobody
    ],
)
async def test_nobody_sends_as_another(bus: Harness, client: str, sender: str) -> None:
    raw = await bus.send(client, packet(sender=sender))
    status = STATUS | {"sender": {"organId": sender}}
    as_json = await bus.call(client, "POST", "/api/v1/documents/status", json=status)
    for answer in (raw, as_json):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await bus.ledger.queries.messages(agencies=None) == []


async def test_form_does_not_get_round_it(bus: Harness) -> None:
    document = {
        "header": {
            "sender": {"organId": OFFICE},
            "receivers": [{"organId": BUILD}],
            "documentId": "1",
            "subject": "x",
        }
    }
    answer = await bus.call(
        "so-y-te",
        "POST",
        "/api/v1/documents",
        data={"document": json.dumps(document)},
        files={"f": b"x"},
    )
    assert answer.status_code == 403


async def test_descendants_only_where_declared(bus: Harness) -> None:
    await bus.declare(
        "client", BY_ID["huyen"], BY_ID["huyen"].model_copy(update={"descendants": False})
    )
    answer = await bus.send("huyen", packet(sender=COMMUNE))
    assert answer.status_code == 403


async def test_other_senders_messages_are_not_there(bus: Harness) -> None:
    message_id = (await bus.send("van-phong", packet())).json()["messageId"]
    for other in ("so-xay-dung", "so-y-te", "huyen"):  # the receiver, too, follows only its own
        shown = await bus.call(other, "GET", f"/api/v1/messages/{message_id}")
        unknown = await bus.call(
            other, "GET", "/api/v1/messages/00000000-0000-7000-8000-000000000000"
        )
        cancelled = await bus.call(other, "POST", f"/api/v1/messages/{message_id}/cancel", json={})
        listed = await bus.call(other, "GET", "/api/v1/messages")
        assert shown.status_code == cancelled.status_code == 404
        assert _without_ids(shown.json()) == _without_ids(unknown.json())
        assert listed.json()["items"] == []
    (delivery,) = await bus.ledger.queries.deliveries_of(message_id)
    assert delivery.state == "queued"


def _without_ids(problem: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in problem.items() if k not in {"instance", "correlationId"}}


async def test_other_receivers_mail_is_not_there(bus: Harness) -> None:
    await bus.send("van-phong", packet(to=(BUILD,)))
    (delivery,) = await bus.ledger.queries.deliveries()
    for other in ("so-y-te", "huyen", "van-phong", "van-hanh"):
        content = await bus.call(other, "GET", f"/api/v1/mailbox/{delivery.id}/content")
        head = await bus.call(other, "HEAD", f"/api/v1/mailbox/{delivery.id}/content")
        ack = await bus.call(
            other, "POST", f"/api/v1/mailbox/{delivery.id}/ack", json={"result": "delivered"}
        )
        assert {content.status_code, head.status_code, ack.status_code} == {404}
    for other in ("so-y-te", "huyen", "van-phong"):
        assert (await bus.call(other, "GET", "/api/v1/mailbox")).json()["items"] == []
        asked = await bus.call(other, "GET", "/api/v1/mailbox", params={"agency": BUILD})
        assert asked.status_code == 403
    assert (await bus.call("van-hanh", "GET", "/api/v1/mailbox")).status_code == 403
    (after,) = await bus.ledger.queries.deliveries()
    assert after.state == "queued"


async def test_operator_sees_everything_and_changes_nothing(bus: Harness) -> None:
    message_id = (await bus.send("van-phong", packet())).json()["messageId"]
    listed = (await bus.call("van-hanh", "GET", "/api/v1/messages")).json()["items"]
    assert [each["messageId"] for each in listed] == [message_id]
    shown = await bus.call("van-hanh", "GET", f"/api/v1/messages/{message_id}")
    assert shown.status_code == 200
    cancelled = await bus.call("van-hanh", "POST", f"/api/v1/messages/{message_id}/cancel", json={})
    assert cancelled.status_code == 403


@pytest.mark.parametrize("change", ["suspended", "removed"])
async def test_suspended_or_removed_client_is_out_at_once(bus: Harness, change: str) -> None:
    assert (await bus.call("so-y-te", "GET", "/api/v1/messages")).status_code == 200
    client = BY_ID["so-y-te"]
    new = client.model_copy(update={"suspended": True}) if change == "suspended" else None
    await bus.declare("client", client, new)
    assert (await bus.call("so-y-te", "GET", "/api/v1/messages")).status_code == 401
    assert (await bus.send("so-y-te", packet(sender=HEALTH))).status_code == 401
    bus.tokens.clear()
    form = {
        "grant_type": "client_credentials",
        "client_id": "so-y-te",
        "client_secret": bus.keys["so-y-te"],
    }
    refused = await bus.http.post("/api/v1/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_agency_moved_to_another_client_is_followed(bus: Harness) -> None:
    assert (await bus.send("so-y-te", packet(sender=OFFICE))).status_code == 403
    wider = BY_ID["so-y-te"].model_copy(update={"agencies": (HEALTH, OFFICE)})
    await bus.declare("client", BY_ID["so-y-te"], wider)
    assert (await bus.send("so-y-te", packet(sender=OFFICE))).status_code == 202


async def test_retired_key_closes_its_tokens(bus: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus.app.state.services.gate, "_recheck", instant.SECOND // 20)
    assert (await bus.call("so-y-te", "GET", "/api/v1/messages")).status_code == 200
    (key,) = await bus.ledger.identities.keys("so-y-te")
    await bus.ledger.identities.retire_key("so-y-te", key.hint, at=instant.now())

    async with asyncio.timeout(10):
        while (await bus.call("so-y-te", "GET", "/api/v1/messages")).status_code != 401:
            await asyncio.sleep(0.02)


# --- /token ---------------------------------------------------------------------------------------


def basic(client: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{client}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


async def test_token_by_basic_header(bus: Harness) -> None:
    headers = basic("so-y-te", bus.keys["so-y-te"])
    answer = await bus.http.post(
        "/api/v1/token", headers=headers, data={"grant_type": "client_credentials"}
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    bus.tokens["so-y-te"] = body["access_token"]
    assert (await bus.call("so-y-te", "GET", "/api/v1/messages")).status_code == 200


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({}, {}, 401, "invalid_client"),
        ({"client_id": "so-y-te", "client_secret": "x"}, {}, 400, "unsupported_grant_type"),
        (
            {"grant_type": "password", "client_id": "so-y-te", "client_secret": "x"},
            {},
            400,
            "unsupported_grant_type",
        ),
        (
            {"grant_type": "client_credentials", "client_id": "so-y-te", "client_secret": "x"},
            {},
            401,
            "invalid_client",
        ),
        (
            {"grant_type": "client_credentials", "client_id": "ai-do", "client_secret": "x"},
            {},
            401,
            "invalid_client",
        ),
        (
            {"grant_type": "client_credentials", "client_secret": "x"},
            basic("so-y-te", "x"),
            400,
            "invalid_request",
        ),
        (
            {"grant_type": "client_credentials"},
            {"Authorization": "Basic !!!"},
            401,
            "invalid_client",
        ),
    ],
)
async def test_token_errors_are_those_of_rfc_6749(
    bus: Harness, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    answer = await bus.http.post(
        "/api/v1/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"} | headers,
        data=form,
    )
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_repeated_parameter_is_refused(bus: Harness) -> None:
    answer = await bus.http.post(
        "/api/v1/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        content="grant_type=client_credentials&client_id=a&client_id=b&client_secret=c",
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_wrong_keys_are_slowed_down_without_locking_others_out(bus: Harness) -> None:
    def form(client: str, secret: str) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
        }

    statuses = [
        (await bus.http.post("/api/v1/token", data=form("so-y-te", "x"))).status_code
        for _ in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    slowed = await bus.http.post("/api/v1/token", data=form("so-y-te", "x"))
    assert int(slowed.headers["retry-after"]) >= 1
    other = await bus.http.post("/api/v1/token", data=form("van-phong", bus.keys["van-phong"]))
    assert other.status_code == 200


async def test_right_keys_are_not_counted_as_guesses(bus: Harness) -> None:
    for _ in range(15):
        bus.tokens.clear()
        await bus.token("van-phong")


async def test_unknown_tokens_do_not_reach_the_database_for_ever(
    bus: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "LOOK_UPS_BURST", 5)
    monkeypatch.setattr(gate_module, "LOOK_UPS_RATE", 0.01)
    statuses = [
        (
            await bus.call(
                None, "GET", "/api/v1/messages", headers={"Authorization": f"Bearer {n}"}
            )
        ).status_code
        for n in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2
