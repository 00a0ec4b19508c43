"""Search and message: found by what one has, told in a sentence, masked until there is a reason."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from playwright.async_api import Download

from tests.console.harness import Served, Walk
from tests.integration.cli_harness import Traffic

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET_WORDS = "ông A"  # of every subject


async def test_found_by_number_and_followed_to_its_life(walk: Walk) -> None:
    await walk.log_in("operator", path="/search")
    await walk.page.wait_for_selector("table.data")
    assert SECRET_WORDS not in await walk.page.inner_text("main")
    await walk.page.fill("input[name=text]", "vb-hong")
    await walk.page.click("form.filters button")
    await walk.page.wait_for_url("**/search?text=vb-hong*")
    await walk.page.wait_for_selector("table.data")
    assert await walk.page.locator("table.data tbody tr").count() == 1
    await walk.picture("search")
    await walk.page.click("table.data tbody a")
    await walk.page.wait_for_selector(".where")
    where = await walk.page.inner_text(".where")
    assert "đối tác không trả lời kịp" in where
    assert "đơn vị vận hành" in where
    assert "no answer" not in where, "the partner's words stand apart"
    assert await walk.page.locator(".panel .note:has-text('« no answer in 20 s')").count() == 1
    assert "the operator mends the cause" in await walk.page.inner_text("main")
    assert "Hết số lần gửi tới so-y-te" in await walk.page.inner_text(".timeline")
    ended = walk.page.locator(".timeline .mark[title=dead]")
    assert "so-y-te (đối tác không trả lời kịp); chờ đơn vị" in await ended.inner_text()
    assert await walk.page.locator(".timeline .note:has-text('« no answer in 20 s')").count() == 1
    await walk.picture("message")


async def test_the_journal_says_in_words_what_programs_call_otherwise(walk: Walk) -> None:
    await walk.log_in("auditor", path="/journal")
    told = walk.page.locator("table.data td:has(code:text-is('console-login'))")
    await told.first.wait_for()
    assert "Đăng nhập từ" in await told.first.inner_text()
    await walk.open("/journal?who=all")
    told = walk.page.locator("table.data td:has(code:text-is('dead'))").first
    assert "Hết số lần gửi tới so-y-te" in await told.inner_text()
    await walk.picture("journal")


async def test_words_of_a_subject_are_found_only_by_who_may_read_them(walk: Walk) -> None:
    await walk.log_in("auditor", path="/search?text=Kín")
    await walk.page.wait_for_selector("main .empty")
    await walk.page.click(".who button")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.log_in("operator", path="/search?text=Kín")
    await walk.page.wait_for_selector("table.data tbody tr")


async def test_uncovering_needs_a_reason_which_is_journalled(walk: Walk) -> None:
    message = walk.console.people.messages["dead"]
    await walk.log_in("operator", path=f"/message/{message}")
    await walk.page.wait_for_selector(".where")
    assert SECRET_WORDS not in await walk.page.content()
    await walk.page.click("button:has-text('Mở dữ liệu bị che')")
    await walk.page.wait_for_selector(".error-card:has-text('cần nêu lý do')")
    await walk.page.click(".told button")
    await walk.page.fill("main input[type=text]", "đơn vị gửi hỏi nội dung")
    await walk.page.click("button:has-text('Mở dữ liệu bị che')")
    await walk.page.wait_for_selector(f"pre:has-text('{SECRET_WORDS}')", state="attached")
    await walk.page.click("summary >> nth=0")
    async with walk.page.expect_download() as waiting:
        await walk.page.click("button:has-text('Tải bản gốc')")
    kept: Download = await waiting.value
    assert b"<packet" in Path(await kept.path()).read_bytes()
    shown = walk.console.cli.json("message", "trace", message)
    told = [(e["event"], e["actor"], e["data"].get("reason")) for e in shown["items"]]
    assert ("personal-data-revealed", "console:operator", "đơn vị gửi hỏi nội dung") in told
    assert "original-downloaded" in {event for event, _, _ in told}
    await walk.picture("message-uncovered")


async def test_an_auditor_cannot_uncover(walk: Walk) -> None:
    await walk.log_in("auditor", path=f"/message/{walk.console.people.messages['dead']}")
    await walk.page.wait_for_selector(".where")
    assert await walk.page.locator("button:has-text('Mở dữ liệu bị che')").count() == 0
    assert SECRET_WORDS not in await walk.page.content()


async def test_an_agency_finds_its_own_alone(walk: Walk) -> None:
    people = walk.console.people
    await walk.log_in("agency", path=f"/message/{people.messages['delivered']}")
    await walk.page.wait_for_selector(".where")
    await walk.open(f"/message/{people.messages['other']}")
    await walk.page.wait_for_selector(".error-card:has-text('Không có thông điệp này')")
    walk.expect("status of 404")
    await walk.open("/search?text=vb-noi-vu")
    assert await walk.page.locator("table.data tbody tr").count() == 0


async def test_a_change_of_state_appears_by_itself(walk: Walk, console: Served) -> None:
    traffic = await Traffic.open(console.cli)
    try:
        traffic._number = itertools.count(1000)  # ids of its own
        message = await traffic.send("H38.02", document="vb-doi-trang-thai")
        await walk.log_in("operator", path=f"/message/{message}")
        await walk.page.wait_for_selector(".where:has-text('sắp gửi')")
        await traffic.delivered(message)
        await walk.page.wait_for_selector(".where:has-text('so-y-te đã nhận')")
    finally:
        await traffic.ledger.close()
