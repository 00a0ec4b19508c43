"""From nothing to the first good message, in the browser alone: no file, no restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from adapters.rest_push.sandbox import Sandbox
from bus.ledger.ledger import Ledger
from bus.ops.province_change import EVENT
from tests.console.harness import People, Served, Walk, enrol, served
from tests.integration.cli_harness import Cli

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "mot-bi-mat-du-dai-cua-so-xay-dung"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole bus with its console, and nothing declared but the province of the tests."""
    folder = tmp_path_factory.mktemp("onboard")
    cli = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
    cli.set_up()
    asyncio.run(_enrol(cli))
    settings = {"LGSP_HTTP_PORT": "0", "LGSP_SECRET_SO_XAY_DUNG": SECRET}
    with served(cli, People(), "serve", **settings) as started:
        yield started


async def _enrol(cli: Cli) -> None:
    ledger = await Ledger.open(cli.database_url, cli.folder / "data" / "blobs")
    try:
        await enrol(ledger)
    finally:
        await ledger.close()


async def fill(walk: Walk, label: str, text: str) -> None:
    await walk.page.get_by_label(label, exact=True).fill(text)


async def following(walk: Walk, title: str) -> None:
    """The open step is done; the one of that title opens."""
    await walk.page.locator(".q-stepper__step-inner:visible").get_by_text("Tiếp tục").click()
    await walk.page.locator(".q-stepper__tab--active", has_text=title).wait_for()


async def test_an_agency_is_connected_and_gets_its_first_message(walk: Walk) -> None:
    async with Sandbox(secrets=(SECRET.encode(),)) as system:
        await walk.log_in("administrator", path="/agencies")
        await walk.page.click("text=Thêm cơ quan")
        await walk.page.get_by_label("Mã định danh *").wait_for()

        await fill(walk, "Mã định danh *", "H38.14")
        await fill(walk, "Tên cơ quan *", "Sở Xây dựng")
        await fill(walk, "Mã cơ quan cấp trên", "H99")
        await walk.page.locator(".q-stepper__step-inner:visible").get_by_text("Tiếp tục").click()
        told = walk.page.locator(".q-dialog .error-card")
        assert "cơ quan cấp trên H99 chưa được khai báo" in await told.inner_text()
        await walk.page.locator(".q-dialog").get_by_text("Đóng").click()
        await fill(walk, "Mã cơ quan cấp trên", "H38")
        await fill(walk, "Mã ở dạng còn lại", "000.00.14.H38")
        await following(walk, "Hệ thống")

        await fill(walk, "Tên điểm kết nối *", "so-xay-dung")
        await walk.page.get_by_label("Cách kết nối *").click()
        await walk.page.get_by_text("Đẩy qua REST").click()
        await fill(walk, "Địa chỉ tiếp nhận *", system.url)
        await fill(walk, "Khóa ký *", "so-khac")
        await walk.page.keyboard.press("Tab")
        await walk.page.get_by_text("Thiếu bí mật 'so-khac'").wait_for()
        await fill(walk, "Khóa ký *", "so-xay-dung")
        await walk.page.keyboard.press("Tab")
        await walk.page.get_by_text("Bí mật này đã có trên trục.").wait_for()
        await walk.picture("onboard-system")
        await following(walk, "Quyền gọi trục")

        await fill(walk, "Tên hệ thống gọi (client_id)", "so-xay-dung")
        await following(walk, "Đường đi")
        await following(walk, "Xem lại")

        plan = await walk.page.inner_text("ul.plan")
        for part in ("cơ quan H38.14", "điểm kết nối so-xay-dung", "hệ thống so-xay-dung"):
            assert part in plan
        await walk.page.get_by_text("Áp dụng", exact=True).click()
        await walk.page.locator(".q-dialog", has_text="lý do").get_by_text("Đóng").click()
        await fill(walk, "Lý do (được lưu lại)", "kết nối Sở Xây dựng")
        await walk.picture("onboard-review")
        await walk.page.get_by_text("Áp dụng", exact=True).click()

        key = await walk.page.locator(".new-key code", has_text="lgspk_").inner_text()
        await walk.page.get_by_text("Gửi thử", exact=True).last.click()
        await walk.page.locator(".trial-good").wait_for()
        await walk.picture("onboard-done")
        arrived = [(receipt.kind, receipt.first) for receipt in system.received]
        assert arrived == [("document", True)]

    ledger = await Ledger.open(walk.console.cli.database_url, walk.console.cli.folder / "blobs")
    try:
        assert await ledger.identities.check_key("so-xay-dung", key, now=ledger.clock())
        entries = await ledger.queries.journal()
    finally:
        await ledger.close()
    told_by = {entry.event: entry.actor for entry in entries}
    for event in (EVENT, "client-key-added", "trial-sent"):
        assert told_by[event] == "console:administrator"
    assert all(key not in str(entry.data) for entry in entries)


async def test_others_do_not_connect_agencies(walk: Walk) -> None:
    await walk.log_in("operator", path="/agencies/new")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("status of 403")
