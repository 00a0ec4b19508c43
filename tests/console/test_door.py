"""The door from outside: other sites, other sessions, no session."""

from __future__ import annotations

import re

import aiohttp
import pytest
from yarl import URL

from tests.console.harness import PASSWORD, Served

LOG_IN = {"name": "operator", "password": PASSWORD}


def browser(console: Served) -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
    return aiohttp.ClientSession(console.url, cookie_jar=jar)


async def logged_in(session: aiohttp.ClientSession, console: Served) -> None:
    async with session.post(
        "/login/enter", data=LOG_IN, headers={"Origin": console.url}, allow_redirects=False
    ) as answer:
        assert answer.status == 303, await answer.text()
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def page_client(session: aiohttp.ClientSession) -> str:
    """The id under which the live connection of a page is made."""
    async with session.get("/account") as answer:
        text = await answer.text()
    found = re.search(r"client_id\W+([0-9a-f-]{36})", text)
    assert found, text[-3000:]
    return found[1]


def socket(client_id: str) -> str:
    return f"/_nicegui_ws/socket.io/?EIO=4&transport=websocket&client_id={client_id}"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_other_sites_cannot_act(console: Served, origin: str) -> None:
    async with browser(console) as session:
        await logged_in(session, console)
        for path in ("/login/enter", "/login/out"):
            async with session.post(path, data=LOG_IN, headers={"Origin": origin}) as answer:
                assert answer.status == 403
        client_id = await page_client(session)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(socket(client_id), headers={"Origin": origin})
        polling = socket(client_id).replace("websocket", "polling")
        async with session.get(polling, headers={"Origin": origin}) as answer:
            assert answer.status == 403
        async with session.get("/account", allow_redirects=False) as answer:
            assert answer.status == 200, "the session is as it was"


async def test_a_request_that_says_nothing_of_its_origin_changes_nothing(console: Served) -> None:
    async with browser(console) as session, session.post("/login/enter", data=LOG_IN) as answer:
        assert answer.status == 403


async def test_a_live_connection_belongs_to_its_session(console: Served) -> None:
    here = {"Origin": console.url}
    async with browser(console) as first, browser(console) as second:
        await logged_in(first, console)
        await logged_in(second, console)
        client_id = await page_client(first)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await second.ws_connect(socket(client_id), headers=here)
        async with await first.ws_connect(socket(client_id), headers=here) as connected:
            assert (await connected.receive(timeout=60)).data.startswith("0{")
        async with browser(console) as nobody:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await nobody.ws_connect(socket(client_id), headers=here)


async def test_without_a_session_there_is_the_log_in_and_nothing_else(console: Served) -> None:
    async with browser(console) as session:
        for path, status in (
            ("/", 303),
            ("/account?x=1", 303),
            ("/_nicegui/auto/static/utils/events.js", 401),
            ("/openapi.json", 303),
            (URL("/static/%2e%2e/app.py", encoded=True), 404),
            ("/login", 200),
        ):
            async with session.get(path, allow_redirects=False) as answer:
                assert answer.status == status, path
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/login/out", "javascript:1"],
)
async def test_log_in_leads_to_pages_of_the_console_alone(console: Served, target: str) -> None:
    async with (
        browser(console) as session,
        session.post(
            "/login/enter",
            data={**LOG_IN, "next": target},
            headers={"Origin": console.url},
            allow_redirects=False,
        ) as answer,
    ):
        assert answer.headers["Location"] == "/"


async def test_large_and_endless_forms_are_refused(console: Served) -> None:
    async def endless() -> object:
        yield b"name=" + b"a" * 100

    here = {"Origin": console.url, "Content-Type": "application/x-www-form-urlencoded"}
    async with browser(console) as session:
        for body in (b"a" * 20_000, endless()):
            async with session.post("/login/enter", data=body, headers=here) as answer:
                assert answer.status == 413


async def test_a_prefix_from_outside_is_not_believed(console: Served) -> None:
    async with browser(console) as session:
        await logged_in(session, console)
        hostile = {"X-Forwarded-Prefix": "//evil.example"}
        async with session.get("/account", headers=hostile) as answer:
            assert "evil.example" not in await answer.text()
