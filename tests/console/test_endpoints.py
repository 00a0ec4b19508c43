"""Endpoints and journal: paused with a reason, tested for real, and told who did it."""

from __future__ import annotations

import pytest

from tests.console.harness import Walk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pause_and_resume_are_in_the_journal(walk: Walk) -> None:
    await walk.log_in("operator", path="/endpoints")
    await walk.page.wait_for_selector("table.data")
    await walk.picture("endpoints")
    await walk.page.click("table.data >> text=hop-thu")
    await walk.page.wait_for_selector("dl.facts:has-text('chạy')")
    await walk.page.click("button:has-text('Tạm dừng')")
    await walk.page.wait_for_selector(".error-card:has-text('cần nêu lý do')")
    await walk.page.click(".told button")
    await walk.page.fill("main input[type=text]", "cơ quan bảo trì")
    await walk.page.click("button:has-text('Tạm dừng')")
    await walk.page.wait_for_selector("dl.facts:has-text('cơ quan bảo trì')")
    await walk.picture("endpoint")
    await walk.page.click("button:has-text('Chạy tiếp')")
    await walk.page.wait_for_selector("dl.facts:not(:has-text('cơ quan bảo trì'))")
    await walk.open("/journal")
    table = await walk.page.inner_text("table.data")
    assert "Tạm dừng hop-thu: « cơ quan bảo trì »" in table
    assert "console:operator" in table
    await walk.picture("journal")


async def test_the_connection_is_tried(walk: Walk) -> None:
    await walk.log_in("operator", path="/endpoints?name=so-y-te")
    await walk.page.click("button:has-text('Thử')")
    await walk.page.wait_for_selector("td:has-text('yte.example:443')")
    assert "máy chủ" in await walk.page.inner_text("main"), "there is no such host"
    await walk.picture("endpoint-tested")


async def test_the_journal_is_verified_by_an_auditor_who_may_not_pause(walk: Walk) -> None:
    await walk.log_in("auditor", path="/journal")
    await walk.page.click("button:has-text('Kiểm tra chuỗi băm')")
    await walk.page.wait_for_selector("text=nguyên vẹn")
    await walk.open("/endpoints?name=hop-thu")
    await walk.page.wait_for_selector("dl.facts")
    assert await walk.page.locator("main button").count() == 0


async def test_an_agency_does_not_see_how_the_bus_runs(walk: Walk) -> None:
    await walk.log_in("agency", path="/endpoints")
    await walk.page.wait_for_selector(".error-card")
    await walk.open("/journal")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("status of 403")
    assert "Nhật ký" not in await walk.page.inner_text(".menu")
