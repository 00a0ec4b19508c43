"""Tokens against a token address that counts and checks what it is asked."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.signon import SignOn, create_sign_on
from schemas.errors import ConfigurationError, LgspError, PartnerGarbage, PartnerUnavailable
from tests.unit.adapters.signon.calls import rest_call, secrets
from tests.waiting import wait_until


class Gateway:
    """The token address of an LGSP."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], dict[str, str]]] = []  # headers, form
        self.status = 200
        self.expires_in: object = 3600
        self.body: str | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def token(self, request: web.Request) -> web.Response:
        sent: Any = await (
            request.json() if request.content_type.endswith("json") else request.post()
        )
        form = {name: str(value) for name, value in sent.items()}
        self.asked.append((dict(request.headers), form))
        number = len(self.asked)
        await self.open.wait()
        if self.status != 200:
            headers = {"Retry-After": "7"}
            return web.json_response(
                {"error": "invalid_client"}, status=self.status, headers=headers
            )
        if self.body is not None:
            return web.Response(text=self.body)
        return web.json_response(
            {
                "access_token": f"token-{number}",
                "scope": "am_application_scope default",
                "token_type": "Bearer",
                "expires_in": self.expires_in,
            }
        )


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    app = web.Application()
    app.router.add_post("/token", gateway.token)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.url = f"http://127.0.0.1:{site.port}/token"
    yield gateway
    gateway.open.set()
    await runner.cleanup()


def ngsp(gateway: Gateway, http: aiohttp.ClientSession, **config: Any) -> SignOn:
    declared = {
        "kind": "token",
        "token_url": gateway.url,
        "client_id": "key",
        "client_secret": "ngsp",
        **config,
    }
    return create_sign_on(declared, secrets(ngsp="s3cret"), http)


async def shown(sign_on: SignOn) -> str:
    call = rest_call()
    await sign_on.sign(call)
    return call.headers["Authorization"]


async def test_client_credentials_as_ngsp_asks_them(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    assert await shown(ngsp(gateway, http, scope="default")) == "Bearer token-1"
    headers, form = gateway.asked[0]
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"key:s3cret").decode()
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form == {"grant_type": "client_credentials", "scope": "default"}


async def test_a_thousand_calls_at_once_ask_for_one_token(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    sign_on = ngsp(gateway, http)
    found = await asyncio.gather(*(shown(sign_on) for _ in range(1000)))
    assert set(found) == {"Bearer token-1"}
    assert len(gateway.asked) == 1


async def test_a_token_is_renewed_before_it_ends(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    gateway.expires_in = 0.05  # less than the margin: good for half of it
    sign_on = ngsp(gateway, http)
    await shown(sign_on)

    def renewed() -> bool | Awaitable[bool]:
        return differs()

    async def differs() -> bool:
        return await shown(sign_on) != "Bearer token-1"

    await wait_until(renewed, what="another token")


@pytest.mark.parametrize("written", ["3600", None])
async def test_expires_in_may_be_text_or_missing(
    gateway: Gateway, http: aiohttp.ClientSession, written: object
) -> None:
    gateway.body = json.dumps({"access_token": "t"} | ({"expires_in": written} if written else {}))
    sign_on = ngsp(gateway, http)
    assert await shown(sign_on) == await shown(sign_on) == "Bearer t"
    assert len(gateway.asked) == 1


async def test_pitfall_5_a_refused_token_is_renewed_once_for_all_calls(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    sign_on = ngsp(gateway, http)
    calls = [rest_call() for _ in range(50)]
    for call in calls:
        await sign_on.sign(call)

    async def again(number: int) -> str:
        assert await sign_on.refused(calls[number])
        return await shown(sign_on)

    assert {await again(number) for number in range(50)} == {"Bearer token-2"}
    assert len(gateway.asked) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ConfigurationError),
        (400, ConfigurationError),
        (302, ConfigurationError),
        (503, PartnerUnavailable),
        (429, PartnerUnavailable),
        (500, PartnerGarbage),
    ],
)
async def test_what_a_refusal_means(
    gateway: Gateway, http: aiohttp.ClientSession, status: int, error: type[LgspError]
) -> None:
    gateway.status = status
    with pytest.raises(error) as caught:
        await shown(ngsp(gateway, http))
    assert caught.value.retry_after == (7 if error is PartnerUnavailable else None)


async def test_all_waiting_calls_share_one_failure(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    gateway.status = 503
    gateway.open.clear()
    sign_on = ngsp(gateway, http)
    waiting = [asyncio.create_task(shown(sign_on)) for _ in range(20)]
    await wait_until(lambda: len(gateway.asked) == 1, what="the request for a token")
    gateway.open.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in found} == {PartnerUnavailable}
    assert len(gateway.asked) == 1
    gateway.status = 200
    assert await shown(sign_on) == "Bearer token-2"


async def test_an_address_without_a_listener_is_unavailable(http: aiohttp.ClientSession) -> None:
    gateway = Gateway()
    gateway.url = "http://127.0.0.1:9/token"
    with pytest.raises(PartnerUnavailable):
        await shown(ngsp(gateway, http))


@pytest.mark.parametrize("body", ["<html>", "[]", '{"access_token": "a\\nb"}', "{}"])
async def test_garbage_is_no_token_and_not_repeated_in_the_error(
    gateway: Gateway, http: aiohttp.ClientSession, body: str
) -> None:
    gateway.body = body
    with pytest.raises(PartnerGarbage) as caught:
        await shown(ngsp(gateway, http))
    assert "a\nb" not in str(caught.value)
    assert caught.value.__cause__ is None


LGSP = {
    "kind": "lgsp-access-token",
    "access_key": "ak",
    "secret_key": "sk",
    "app_name": "motcua",
    "partner_code": "000.00.00.H99",
    "partner_code_cus": "000.00.19.H99",
}
KEYS = (
    "eyJBY2Nlc3NLZXkiOiJBSyIsIlNlY3JldEtleSI6IlNLIiwiQXBwTmFtZSI6Im1vdGN1YSIsIlBhcnRuZXJDb2RlIj"
    "oiMDAwLjAwLjAwLkg5OSIsIlBhcnRuZXJDb2RlQ3VzIjoiMDAwLjAwLjE5Lkg5OSJ9"
)
"""As a public client of Hậu Giang's gateway writes these keys."""


async def test_lgspaccesstoken_goes_with_the_token_and_with_every_call(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    declared = LGSP | {"token_url": gateway.url, "auth_hash": "officer"}
    values = secrets(ak="AK", sk="SK", officer="name:pass")
    sign_on = create_sign_on(declared, values, http)
    call = rest_call()
    await sign_on.sign(call)
    headers, form = gateway.asked[0]
    assert headers["lgspaccesstoken"] == KEYS
    assert "Authorization" not in headers
    assert form == {"grant_type": "client_credentials"}
    assert call.headers == {
        "lgspaccesstoken": KEYS,
        "Authorization": "Bearer token-1",
        "AuthHash": base64.b64encode(b"name:pass").decode(),
    }


async def test_the_documents_api_takes_the_token_in_a_header_of_its_own(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    declared = LGSP | {"token_url": gateway.url, "token_header": "X-Authentication-Token"}
    sign_on = create_sign_on(declared, secrets(ak="AK", sk="SK"), http)
    call = rest_call()
    await sign_on.sign(call)
    assert call.headers == {"lgspaccesstoken": KEYS, "X-Authentication-Token": "token-1"}
    assert await sign_on.refused(call)
    await sign_on.sign(call)
    assert call.headers["X-Authentication-Token"] == "token-2"


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ("userName", {"userName": "tinh", "password": "mật khẩu"}),
        ("SecretId", {"SecretId": "tinh", "SecretPass": "mật khẩu"}),
    ],
)
async def test_an_account_asked_in_json_gets_a_token(
    gateway: Gateway, http: aiohttp.ClientSession, names: str, asked: dict[str, str]
) -> None:
    gateway.body = json.dumps({"token": "jwt", "refreshToken": "r", "expiration": "soon"})
    config = {
        "kind": "json-token",
        "token_url": gateway.url,
        "user": "tinh",
        "password": "dvclt",
        "names": names,
    }
    sign_on = create_sign_on(config, secrets(dvclt="mật khẩu"), http)
    assert await shown(sign_on) == await shown(sign_on) == "Bearer jwt"
    assert [form for _, form in gateway.asked] == [asked]
