"""Coming in: passwords, the first one, the second factor, the identity provider."""

from __future__ import annotations

import base64
import time
from urllib.parse import urlsplit

import pytest

from bus.console import totp
from tests.console.harness import PASSWORD, Served, Walk
from tests.console.provider import Provider, Wrong

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_way_in_and_out(walk: Walk) -> None:
    await walk.page.goto("/account")
    assert "/login" in walk.page.url
    await walk.picture("login")
    await walk.log_in("operator", path="/account")
    await walk.page.wait_for_selector("main#main h1")
    assert walk.page.url.endswith("/account")
    await walk.page.click(".who button")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.page.goto("/account")
    assert "/login" in walk.page.url


async def test_language_theme_keyboard_and_the_pages_a_role_sees(walk: Walk) -> None:
    await walk.log_in("auditor")
    await walk.page.wait_for_selector("main#main h1")
    assert await walk.page.get_attribute("html", "lang") == "vi"
    await walk.page.click("text=English")
    await walk.page.wait_for_selector("text=Log out")
    assert await walk.page.get_attribute("html", "lang") == "en-US"
    await walk.page.click(".who >> text=Dark")
    await walk.page.wait_for_selector("body.body--dark")
    await walk.page.keyboard.press("Tab")
    focused = await walk.page.evaluate("document.activeElement.className")
    assert focused == "skip"
    await walk.page.keyboard.press("Enter")
    assert await walk.page.evaluate("document.activeElement.id") == "main"


async def test_the_first_password_is_for_one_log_in(walk: Walk) -> None:
    added = walk.console.cli.json("account", "add", "moi", "--title", "Người mới", "--role=auditor")
    await walk.log_in("moi", added["password"])
    await walk.page.wait_for_selector("input[name=again]")
    await walk.page.goto("/account")
    assert "/login" in walk.page.url, "nothing is seen before the password is changed"
    for new, said in (("day-la-ten-moi-cua-toi", "tên tài khoản"), ("con ngựa pin ghim đúng", "")):
        await walk.page.fill("input[name=old]", added["password"])
        await walk.page.fill("input[name=new]", new)
        await walk.page.fill("input[name=again]", new)
        await walk.page.click("main form:first-of-type button")
        if said:
            await walk.page.wait_for_selector(f".error-card:has-text('{said}')")
            walk.expect("status of 400")
    await walk.page.wait_for_selector(".who >> text=Người mới")


async def test_second_factor(walk: Walk) -> None:
    walk.console.cli("account", "reset", "administrator")  # removes what an earlier run has set
    await _own_password(walk, "administrator")
    await walk.page.goto("/account")
    text = await walk.page.inner_text("code")
    secret, step = base64.b32decode(text), int(time.time()) // totp.PERIOD
    await walk.page.fill("main input", totp.code_at(secret, step))
    await walk.page.click("text=Bật xác thực hai lớp")
    await walk.page.wait_for_selector("text=Đã bật.")
    await walk.page.click(".who button")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.log_in("administrator", PASSWORD)
    await walk.page.fill("input[name=code]", totp.code_at(secret, step))
    await walk.page.click("main form:first-of-type button")
    await walk.page.wait_for_selector(".error-card")  # that code was used
    walk.expect("status of 401")
    unused = max(step + 1, int(time.time()) // totp.PERIOD)  # of this half minute, or of the next
    await walk.page.fill("input[name=code]", totp.code_at(secret, unused))
    await walk.page.click("main form:first-of-type button")
    await walk.page.wait_for_selector(".who")


async def _own_password(walk: Walk, name: str) -> None:
    first = walk.console.cli.json("account", "reset", name)["password"]
    await walk.log_in(name, first)
    await walk.page.fill("input[name=old]", first)
    await walk.page.fill("input[name=new]", PASSWORD)
    await walk.page.fill("input[name=again]", PASSWORD)
    await walk.page.click("main form:first-of-type button")
    await walk.page.wait_for_selector(".who")


async def test_identity_provider(walk: Walk, provider: Provider) -> None:
    walk.hosts.add(urlsplit(provider.url).netloc)
    provider.wrong = ""
    await walk.page.goto("/login?next=/account")
    await walk.page.click("text=tài khoản định danh")
    await walk.page.wait_for_selector(".error-card:has-text('chưa có tài khoản')")
    walk.expect("status of 403")
    walk.console.cli(
        *("account", "add", "sso", "--title", "Chị Sáu", "--role", "operator"),
        *("--subject", provider.subject),
    )
    await walk.page.goto("/login")
    await walk.page.click("text=tài khoản định danh")
    await walk.page.wait_for_selector(".who >> text=Chị Sáu")


@pytest.mark.parametrize(
    "wrong", ["key", "audience", "nonce", "issuer", "expired", "state", "none"]
)
async def test_what_a_provider_does_not_prove_is_refused(
    walk: Walk, provider: Provider, wrong: Wrong
) -> None:
    walk.hosts.add(urlsplit(provider.url).netloc)
    provider.wrong = wrong
    try:
        await walk.page.goto("/login/provider")
        await walk.page.wait_for_selector(".error-card:has-text('chưa xác thực được')")
    finally:
        provider.wrong = ""
    walk.expect("status of 401")
    assert "/login/callback" in walk.page.url


async def test_nothing_personal_is_logged(console: Served) -> None:
    assert PASSWORD not in console.log.read_text()


async def test_who_is_disabled_is_out_at_once(walk: Walk) -> None:
    cli = walk.console.cli
    first = cli.json("account", "add", "roi-di", "--title", "Người rời đi", "--role=auditor")
    await walk.log_in("roi-di", first["password"])
    await walk.page.fill("input[name=old]", first["password"])
    await walk.page.fill("input[name=new]", PASSWORD)
    await walk.page.fill("input[name=again]", PASSWORD)
    await walk.page.click("main form:first-of-type button")
    await walk.page.wait_for_selector(".who >> text=Người rời đi")
    cli("account", "disable", "roi-di")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.log_in("roi-di", PASSWORD)
    await walk.page.wait_for_selector(".error-card")
    walk.problems = []  # the live connection was refused, and the log-in
    shown = {row["name"]: row for row in cli.json("account", "list")["items"]}
    assert shown["roi-di"]["disabled"]
    assert "password" not in shown["roi-di"]
