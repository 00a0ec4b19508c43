"""Agencies, routes and mappings changed in the browser alone: no file, no restart."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook

from adapters.rest_push.sandbox import Sandbox
from bus.engine.national import UNMAPPED
from bus.ledger.ledger import Ledger
from bus.ops.province_change import EVENT
from routing.mapping import Unmapped
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.instant import SECOND
from tests.console.harness import People, Served, Walk, enrol, served
from tests.integration.cli_harness import HEALTH, ROOT, Cli, Traffic

pytestmark = pytest.mark.asyncio(loop_scope="module")

WSDL = ROOT / "tests" / "vectors" / "wsdl" / "groups.wsdl"
DAY = 86_400 * SECOND
SECRET = "mot-bi-mat-du-dai-cua-so-xay-dung"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole bus with its console, a small province, a service, and what a missing code holds.

    Of a ledger of its own: these tests change what is declared.
    """
    folder = tmp_path_factory.mktemp("setup")
    cli = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
    contract = folder / "dan-cu"
    contract.mkdir()
    shutil.copy(WSDL, contract)
    declared = f"services:\n- {{name: dan-cu, contract: {contract / WSDL.name}}}\n"
    (cli.declared / "services.yaml").write_text(declared, "utf-8")
    cli.set_up()
    asyncio.run(_prepare(cli))
    (folder / "secrets").mkdir()
    settings = {
        "LGSP_HTTP_PORT": "0",
        "LGSP_SECRET_SO_XAY_DUNG": SECRET,
        "LGSP_SECRETS_DIR": str(folder / "secrets"),
    }
    with served(cli, People(), "serve", **settings) as started:
        yield started


async def _prepare(cli: Cli) -> None:
    traffic = await Traffic.open(cli)
    try:
        await enrol(traffic.ledger)
        lacks = Unmapped("procedure", "1.2.3").reason
        why = Outcome(Result.TRANSIENT, code=UNMAPPED, detail=f"{lacks.vi} / {lacks.en}")
        for document in ("hs-1", "hs-2"):
            message = await traffic.send(HEALTH, document=document)
            await traffic.attempt(message, DeliveryState.HELD, why)
    finally:
        await traffic.ledger.close()


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
        await walk.page.get_by_text("Tạo bí mật này").click()
        await walk.page.wait_for_selector(".new-key")
        shown = await walk.page.locator(".new-key code").all_inner_texts()
        kept = walk.console.cli.folder / "secrets" / "so-khac"
        assert shown == ["so-khac", kept.read_text()]
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
        assert [(receipt.kind, receipt.first) for receipt in system.received] == [
            ("document", True)
        ]

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


async def put_in_force(walk: Walk, reason: str) -> None:
    await fill(walk, "Lý do (được lưu lại)", reason)
    await walk.page.get_by_text("Áp dụng", exact=True).click()
    await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()


async def test_keys_grants_and_the_declaration_of_an_agency(walk: Walk) -> None:
    await walk.log_in("administrator", path="/agencies?q=van phong")
    await walk.page.click("td a:has-text('H38.01')")
    await walk.page.get_by_text("Chưa có khóa").wait_for()
    await walk.page.get_by_text("Cấp khóa mới").click()
    first = await walk.page.locator(".new-key code", has_text="lgspk_").inner_text()
    await walk.page.get_by_text("Thay khóa").click()
    await walk.page.locator(".keyring tbody tr").nth(1).wait_for()
    second = await walk.page.locator(".new-key code", has_text="lgspk_").inner_text()
    assert first != second
    ledger = await Ledger.open(walk.console.cli.database_url, walk.console.cli.folder / "blobs")
    try:
        good = [
            await ledger.identities.check_key("van-phong", key, now=ledger.clock())
            for key in (first, second)
        ]
        assert all(good), "the old key is good for a day"
        ends = [key.expires_at for key in await ledger.identities.keys("van-phong")]
    finally:
        await ledger.close()
    await walk.page.get_by_text("Thu hồi ngay").click()
    await walk.page.locator(".keyring tbody tr", has_text="đã hết").wait_for()
    assert None not in ends
    assert min(end for end in ends if end) < ledger.clock() + 2 * DAY

    await walk.page.get_by_text("Cấp, sửa hoặc bỏ quyền").click()
    await fill(walk, "Tên của quyền", "van-phong-dan-cu")
    await walk.page.get_by_label("Dịch vụ", exact=True).click()
    await walk.page.locator(".q-menu").get_by_text("dan-cu").click()
    await fill(walk, "Trường được xem", "HoTen, DiaChi/Xa")
    await walk.picture("grants")
    await walk.page.locator(".q-expansion-item--expanded").get_by_text("Xem thay đổi").click()
    await walk.page.locator("ul.plan", has_text="cấp quyền van-phong-dan-cu").wait_for()
    await put_in_force(walk, "cho Văn phòng tra cứu")
    row = walk.page.locator("table.data tr", has_text="van-phong-dan-cu")
    await row.wait_for()
    assert "HoTen, DiaChi/Xa" in await row.inner_text()
    await walk.picture("agency")

    editor = walk.page.get_by_label("Khai báo (YAML)")
    text = await editor.input_value()
    assert "contract" not in text
    await editor.fill(text.replace("name: Văn phòng", "name: Văn phòng UBND"))
    await walk.page.get_by_text("Xem thay đổi").last.click()
    await put_in_force(walk, "đổi tên")
    await walk.page.locator(".facts", has_text="Văn phòng UBND").wait_for()


async def test_a_route_is_tried_before_it_is_in_force_and_taken_back(walk: Walk) -> None:
    await walk.log_in("administrator", path="/routes?from=H38.01&to=H38.02")
    await walk.page.locator(".explained", has_text="H38.02: chuyển → so-y-te").wait_for()
    editor = walk.page.get_by_label("Khai báo (YAML)")
    text = await editor.input_value()
    await editor.fill(text + "\n- {name: qua-hop-thu, receiver: H38.02, endpoint: khong-co}\n")
    await walk.page.get_by_text("Giải thích").click()
    told = walk.page.locator(".q-dialog .error-card")
    assert "điểm kết nối khong-co chưa được khai báo" in await told.inner_text()
    await walk.page.locator(".q-dialog").get_by_text("Đóng").click()
    await editor.fill(text + "\n- {name: qua-hop-thu, receiver: H38.02, endpoint: hop-thu}\n")
    await walk.page.get_by_text("Giải thích").click()
    await walk.page.locator(".explained", has_text="H38.02: chuyển → hop-thu").wait_for()
    await walk.picture("routes")
    await walk.page.get_by_text("Xem thay đổi").click()
    await put_in_force(walk, "thử qua hộp thư")
    await walk.page.locator("table.data tr", has_text="qua-hop-thu").wait_for()

    await walk.page.goto("/configurations")
    newest = walk.page.locator("table.data tbody tr").first
    assert "thử qua hộp thư" in await newest.inner_text()
    assert "console:administrator" in await newest.inner_text()
    await walk.page.get_by_text("So sánh", exact=True).click()
    await walk.page.locator("ul.plan", has_text="quy tắc qua-hop-thu").wait_for()
    await walk.picture("configurations")
    await walk.page.get_by_text("Xem thay đổi").click()
    await walk.page.locator("ul.plan .bad", has_text="qua-hop-thu").wait_for()
    await put_in_force(walk, "trở lại")
    await walk.page.locator("tbody tr", has_text="trở lại").wait_for()
    await walk.page.goto("/routes?from=H38.01&to=H38.02")
    await walk.page.locator(".explained", has_text="H38.02: chuyển → so-y-te").wait_for()


async def test_mappings_are_reported_before_they_are_in_force(walk: Walk, tmp_path: Path) -> None:
    await walk.log_in("administrator", path="/mappings")
    row = walk.page.locator("tr", has_text="Chưa ánh xạ mã thủ tục hành chính 1.2.3")
    assert (await row.locator("td").nth(1).inner_text()) == "2"
    file = tmp_path / "thu-tuc.csv"
    file.write_text(
        "bảng,mã nội bộ,mã quốc gia,từ ngày\n"
        "thủ tục,1.2.3,2.001,01/01/2026\nthủ tục,1.2.4,2.002,ngày mai\n",
        "utf-8",
    )
    await walk.page.locator("input[type=file]").set_input_files(file)
    report = walk.page.locator("table.data tr", has_text="dd/mm/yyyy")
    assert "valid_from" in await report.inner_text()
    await walk.page.get_by_text("Bỏ dòng lỗi").click()
    await walk.page.locator("ul.plan", has_text="procedure:1.2.3@2026-01-01").wait_for()
    await walk.picture("mappings")
    await put_in_force(walk, "đợt 1")
    entry = walk.page.locator("tr", has_text="2.001")
    assert "có hiệu lực" in await entry.inner_text()

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["bảng", "mã nội bộ", "mã quốc gia"])
    sheet.append(["thủ tục", "1.2.5", "2.005"])
    book.save(tmp_path / "dot-2.xlsx")
    await walk.page.locator("input[type=file]").set_input_files(tmp_path / "dot-2.xlsx")
    await walk.page.locator("ul.plan", has_text="procedure:1.2.5").wait_for()
    await put_in_force(walk, "đợt 2")
    await walk.page.locator("tr", has_text="2.005").wait_for()


async def test_others_see_and_change_nothing(walk: Walk) -> None:
    await walk.log_in("auditor", path="/agency/H38.01")
    await walk.page.get_by_text("Quyền gọi dịch vụ").wait_for()
    await walk.page.click(".who >> text=Tối")
    await walk.page.wait_for_selector("body.body--dark")
    await walk.picture("agency-dark")
    for hidden in ("Cấp khóa mới", "Gửi thử", "Xem thay đổi"):
        assert await walk.page.get_by_text(hidden).count() == 0
    await walk.page.goto("/agencies/new")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("status of 403")
    await walk.page.click(".who button")
    await walk.log_in("agency", path="/configurations")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("status of 403")
