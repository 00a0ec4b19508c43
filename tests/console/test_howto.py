"""The how-to pages of operators (deploy/docs/operate), walked in a browser on a running bus.

`PICTURES=1 python -m pytest tests/console/test_howto.py` makes the pages' pictures anew.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bus.ops import keys
from schemas.delivery import DeliveryState
from schemas.instant import SECOND
from schemas.vietnam import VIETNAM
from tests.console.harness import Served, Walk
from tests.console.howto_ground import (
    BUILDING,
    COMMUNE,
    DOSSIER,
    HEALTH,
    LOCAL_STATUS,
    SECONDS,
    Ground,
    ground,
)
from tests.console.tour import Tour, along
from tests.waiting import wait_until

DAY = 86_400 * SECOND
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(tmp_path_factory.mktemp("howto")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(bus: Ground) -> Served:
    return bus.console


async def test_find_a_document(walk: Walk, bus: Ground) -> None:
    await bus.documents(BUILDING, 1, "Mời họp giao ban tháng 12")
    await bus.documents(COMMUNE, 2, "Rà soát thủ tục hành chính")
    await bus.until(DeliveryState.DELIVERED, "so-xay-dung", 1)
    await bus.dossier("H99.14-261130-0003")
    async with along(walk, "find-a-document", "operator") as tour:
        await tour.menu("Tìm kiếm")
        await walk.page.fill("input[name=text]", f"{bus.number}/VP")
        await tour.picture("find-search")
        await walk.page.locator("form.filters").get_by_text("Tìm", exact=True).last.click()
        await walk.page.wait_for_url("**/search?text=*")
        assert await walk.page.locator("table.data tbody tr").count() == 1
        await tour.see()
        await walk.page.click("table.data tbody a")
        await tour.see("Trong hộp thư chờ xa-ban-lien lấy về")
        await tour.picture("find-message")
        await tour.menu("Hồ sơ")
        await walk.page.fill("input[name=code]", "h99.14-261130-0003")
        await walk.page.keyboard.press("Enter")
        await tour.see("Đồng bộ lên các cổng")
        await tour.picture("find-dossier")


async def test_a_silent_partner(walk: Walk, bus: Ground) -> None:
    already = len(bus.systems["so-y-te"].received)  # other walks send there, too
    await bus.systems["so-y-te"].set_fault("refuse")
    await bus.documents(HEALTH, 6, "Lịch trực khám chữa bệnh")
    async with along(walk, "silent-partner", "operator") as tour:
        await tour.see("so-y-te: ngắt mạch")
        await tour.menu("Điểm kết nối")
        await tour.see("ngắt mạch")
        await tour.picture("silent-endpoints")
        await walk.page.click("table.data >> text=so-y-te")
        await tour.see("Ngắt mạch từ")
        await tour.press("Thử")
        await walk.page.locator("table.data", has_text="127.0.0.1").wait_for()
        await tour.picture("silent-test", walk.page.locator("h2", has_text="Tạm dừng"))
        await tour.fill("Lý do", "Sở Y tế bảo trì máy chủ đến 14 giờ, ông Bình báo qua điện thoại")
        await tour.press("Tạm dừng")
        await tour.see("Lý do dừng")
        await walk.page.evaluate("scrollTo(0, 0)")
        await tour.picture("silent-paused")
        await bus.systems["so-y-te"].set_fault("ok")
        await tour.press("Chạy tiếp")
        await bus.until(DeliveryState.DELIVERED, "so-y-te", already + 6)
        six = re.compile(r"\b([6-9]|\d{2,}) xong, ")
        await walk.page.get_by_text(six).first.wait_for()


async def test_replay_dead_deliveries(walk: Walk, bus: Ground) -> None:
    already = len(bus.systems["so-xay-dung"].received)
    await bus.systems["so-xay-dung"].set_fault("garbage")
    await bus.documents(BUILDING, 7, "Đôn đốc giải ngân vốn đầu tư công")
    await bus.until(DeliveryState.DEAD, "so-xay-dung", 7)
    await bus.systems["so-xay-dung"].set_fault("ok")
    async with along(walk, "replay-dead-deliveries", "operator") as tour:
        await (
            walk.page.locator(".needs li", has_text="so-xay-dung").first.get_by_text("Xem").click()
        )
        await walk.page.locator(".deliveries tbody tr").nth(6).wait_for()
        await tour.picture("replay-list")
        await walk.page.click("text=mọi thứ khớp bộ lọc")
        await tour.press("Gửi lại")
        await tour.see("Chạy thử: sẽ làm với 7 chuyển phát.")
        await tour.fill("Lý do, ghi vào nhật ký", "Sở Xây dựng đã sửa phần mềm, xin gửi lại")
        await tour.fill("Nhiều nhất mỗi giây (trống: không giới hạn)", "2")
        await tour.picture("replay-dry-run")
        await tour.press("Làm (7)")
        await tour.see("đang chạy")
        await walk.page.locator(".job").get_by_text("Dừng", exact=True).wait_for()
        await tour.picture("replay-running")
        await tour.see("7/7, xong")
    await bus.until(DeliveryState.DELIVERED, "so-xay-dung", 7)
    arrived = bus.systems["so-xay-dung"].received[already:]
    assert sum(each.first for each in arrived) == 7, "each once"


async def test_connect_an_agency(walk: Walk) -> None:
    async with along(walk, "connect-an-agency", "administrator") as tour:
        await tour.menu("Cơ quan")
        await tour.see("Thêm cơ quan")
        await walk.page.click("text=Thêm cơ quan")
        await tour.see("Mã định danh *")
        await tour.fill("Mã định danh *", "H99.31.05")
        await tour.fill("Mã ở dạng còn lại", "000.05.31.H99")
        await tour.fill("Tên cơ quan *", "UBND xã Suối Mẫu")
        await tour.fill("Mã cơ quan cấp trên", "H99")
        await tour.picture("connect-agency")
        await _following(tour, "2. Hệ thống của cơ quan")
        await tour.fill("Tên điểm kết nối *", "xa-suoi-mau")
        await tour.fill("Tên hệ thống", "Quản lý văn bản xã Suối Mẫu")
        await walk.page.get_by_label("Cách kết nối *").click()
        await walk.page.locator(".q-menu").get_by_text("Hộp thư").first.click()
        await _following(tour, "3. Quyền gọi trục")
        await tour.fill("Tên hệ thống gọi (client_id)", "xa-suoi-mau")
        await _following(tour, "4. Đường đi và đăng ký")
        await _following(tour, "5. Xem lại và áp dụng")
        await walk.page.locator("ul.plan").wait_for()
        await tour.fill("Lý do (được lưu lại)", "kết nối UBND xã Suối Mẫu, tờ trình 15/TTr")
        await tour.picture("connect-review", walk.page.locator("ul.plan"))
        await tour.press("Áp dụng")
        await walk.page.locator(".new-key").wait_for()
        await walk.page.get_by_text("Gửi thử", exact=True).last.click()
        await walk.page.locator("table.data", has_text="Kết quả thử").wait_for()
        await tour.picture("connect-key", walk.page.locator(".new-key"))


async def _following(tour: Tour, title: str) -> None:
    await tour.see()
    await tour.page.locator(".q-stepper__step-inner:visible").get_by_text("Tiếp tục").click()
    await tour.page.locator(".q-stepper__tab--active", has_text=title).wait_for()
    await tour.see()


async def test_map_a_code(walk: Walk, bus: Ground, tmp_path: Path) -> None:
    await bus.dossier(DOSSIER, LOCAL_STATUS)
    await bus.until(DeliveryState.HELD, "cong-tinh", 1)
    already = len(bus.systems["cong-tinh"].received)
    file = tmp_path / "trang-thai.csv"
    file.write_text(f"bảng,mã nội bộ,mã quốc gia\ntrạng thái,{LOCAL_STATUS},4\n", "utf-8")
    async with along(walk, "map-a-code", "administrator") as tour:
        await tour.menu("Ánh xạ mã")
        await tour.see(f"Chưa ánh xạ mã trạng thái {LOCAL_STATUS}")
        await tour.picture("map-missing")
        await walk.page.locator("input[type=file]").set_input_files(file)
        await walk.page.locator("ul.plan", has_text=LOCAL_STATUS).wait_for()
        await tour.fill("Lý do (được lưu lại)", "Sở Xây dựng dùng trạng thái chờ ký số")
        await tour.picture("map-review", walk.page.locator("h2", has_text="Nhập từ CSV"))
        await tour.press("Áp dụng")
        await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()
        await wait_until(lambda: len(bus.systems["cong-tinh"].received) > already, SECONDS)
        await walk.page.reload()
        await tour.see("Không thông điệp nào chờ ánh xạ.")
        await tour.picture("map-done")


async def test_change_a_route(walk: Walk) -> None:
    async with along(walk, "change-a-route", "administrator") as tour:
        await tour.menu("Đường đi")
        editor = walk.page.get_by_label("Khai báo (YAML)")
        before = await editor.input_value()
        rule = "- {name: qua-van-phong, receiver: H99.31.02, endpoint: van-phong}"
        await editor.fill(f"{before}\nroutes:\n{rule}\n")
        await tour.fill("Mã nơi gửi", "H99.14")
        await tour.fill("Mã nơi nhận, cách nhau bằng dấu phẩy", "H99.31.02")
        await tour.press("Giải thích")
        await walk.page.locator(".explained", has_text="chuyển → van-phong").wait_for()
        await tour.picture("route-try", editor)
        await tour.press("Xem thay đổi")
        await walk.page.locator("ul.plan", has_text="qua-van-phong").wait_for()
        await tour.fill("Lý do (được lưu lại)", "xã Bản Liền mất mạng, Văn phòng nhận thay")
        await tour.see()
        await tour.press("Áp dụng")
        await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()
        await walk.page.click("main a:has-text('Lịch sử cấu hình')")
        await tour.see("Trở lại một phiên bản")
        newest = walk.page.locator("table.data tbody tr").first
        assert "xã Bản Liền mất mạng" in await newest.inner_text()
        await tour.press("So sánh")
        await walk.page.locator("ul.plan", has_text="qua-van-phong").wait_for()
        await tour.picture("route-history")
        await tour.press("Xem thay đổi")
        await walk.page.locator("ul.plan .bad", has_text="qua-van-phong").wait_for()
        await tour.fill("Lý do (được lưu lại)", "xã Bản Liền có mạng lại")
        await tour.picture("route-back", walk.page.locator("h2", has_text="Trở lại"))
        await tour.press("Áp dụng")
        await walk.page.locator("tbody tr", has_text="xã Bản Liền có mạng lại").wait_for()
        await walk.page.goto("/routes?from=H99.14&to=H99.31.02")
        await walk.page.locator(".explained", has_text="chuyển → xa-ban-lien").wait_for()


async def test_rotate_a_key(walk: Walk, bus: Ground) -> None:
    ends = bus.ledger.clock() + 20 * DAY
    key, _ = await keys.issue(bus.ledger, "so-xay-dung", expires_at=ends, actor="test")
    async with along(walk, "rotate-a-key", "administrator") as tour:
        await tour.menu("Cơ quan")
        await walk.page.click("td a:has-text('H99.14')")
        await tour.see("Hệ thống gọi trục và khóa")
        callers = walk.page.locator("h2", has_text="Hệ thống gọi trục và khóa")
        await tour.picture("key-before", callers)
        await walk.page.get_by_label("Khóa cũ", exact=True).click()
        await walk.page.locator(".q-menu").get_by_text(key[:12]).click()
        await tour.press("Thay khóa")
        await walk.page.locator(".new-key").wait_for()
        await walk.page.locator(".keyring tbody tr").nth(1).wait_for()
        new = await walk.page.locator(".new-key code", has_text="lgspk_").inner_text()
        await tour.picture("key-after", callers)
        await _replace_the_secret(tour, bus)
    now = bus.ledger.clock()
    for each in (key, new):
        assert await bus.ledger.identities.check_key("so-xay-dung", each, now=now)


async def _replace_the_secret(tour: Tour, bus: Ground) -> None:
    """The system knows the old one still, and misses nothing."""
    page = tour.page
    await tour.menu("Điểm kết nối")
    await page.click("table.data >> text=so-y-te")
    await page.get_by_text("Thay bí mật").click()
    await tour.press("Tạo bí mật mới")
    await page.locator("ul.plan", has_text="so-y-te").wait_for()
    await tour.fill("Lý do (được lưu lại)", "thay định kỳ hằng năm")
    await tour.picture("secret-new", page.get_by_text("Thay bí mật"))
    await tour.press("Áp dụng")
    await page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()
    already = len(bus.systems["so-y-te"].received)
    await bus.documents(HEALTH, 1, "Sau khi thay bí mật")
    await wait_until(lambda: len(bus.systems["so-y-te"].received) > already, SECONDS)


async def test_announce_maintenance(walk: Walk, bus: Ground) -> None:
    begins = (datetime.now(VIETNAM) + timedelta(days=14)).replace(hour=20, minute=0)
    async with along(walk, "announce-maintenance", "administrator") as tour:
        await tour.menu("Điểm kết nối")
        await walk.page.click("table.data >> text=cong-tinh")
        form = walk.page.get_by_text("Báo trước hoặc bỏ lịch bảo trì")
        await form.click()
        await tour.fill("Từ", f"{begins:%Y-%m-%dT%H:%M}")
        await tour.fill("Đến", f"{begins + timedelta(hours=4):%Y-%m-%dT%H:%M}")
        await tour.fill("Nội dung, để báo cho bên dùng", "nâng cấp máy chủ của Cổng")
        await tour.press("Xem thay đổi")
        await walk.page.locator("ul.plan", has_text="cong-tinh").wait_for()
        await tour.fill("Lý do (được lưu lại)", "Văn bản số 31/TTCNTT")
        await tour.picture("maintenance-form", walk.page.locator("h2", has_text="Bảo trì"))
        await tour.press("Áp dụng")
        await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()
        await walk.page.goto("/endpoints?name=cong-tinh")
        await walk.page.locator("table.data td", has_text="nâng cấp máy chủ của Cổng").wait_for()
        await tour.picture("maintenance-listed", walk.page.locator("h2", has_text="Bảo trì"))
        await form.click()
        await tour.press("Bỏ mọi lịch")
        await walk.page.locator("ul.plan", has_text="cong-tinh").wait_for()
        await tour.fill("Lý do (được lưu lại)", "dời lịch nâng cấp")
        await tour.press("Áp dụng")
        await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()
    declared = (await bus.ledger.config.province()).endpoints
    assert not next(each for each in declared if each.name == "cong-tinh").maintenance


async def test_answer_an_alert(walk: Walk, bus: Ground) -> None:
    await bus.systems["so-xay-dung"].set_fault("garbage")
    (message,) = await bus.documents(BUILDING, 1, "Công bố giá vật liệu xây dựng")
    await bus.until(DeliveryState.DEAD, "so-xay-dung", 1)
    await bus.systems["so-xay-dung"].set_fault("ok")
    async with along(walk, "answer-an-alert", "operator") as tour:
        await tour.menu("Cảnh báo")
        await walk.page.locator(".alerts li", has_text="deliveries-dead:so-xay-dung").wait_for()
        await tour.see("Việc cần làm:")
        await walk.page.evaluate("scrollTo(0, 0)")
        await tour.picture("alert-firing")
        await walk.page.get_by_text("Tắt tiếng một cảnh báo").click()
        await walk.page.get_by_label("Đang cảnh báo", exact=True).click()
        await walk.page.locator(".q-menu .q-item", has_text="so-xay-dung: 1 chuyển").click()
        await tour.fill("Lý do (được lưu lại)", "Sở Xây dựng đang sửa phần mềm, xong trước 16 giờ")
        await tour.press("Tắt tiếng")
        await walk.page.get_by_role("button", name="Báo lại").wait_for()
        await tour.picture("alert-silenced")
        await tour.press("Báo lại")
        await tour.see("Không tắt tiếng gì.")
        (row,) = await bus.ledger.queries.deliveries_of(message)
        await bus.ledger.replay([row.id], actor="test", reason="đã sửa xong")
        await bus.until(DeliveryState.DELIVERED, "so-xay-dung", 1)


async def test_the_monthly_report(walk: Walk, bus: Ground) -> None:
    await bus.documents(BUILDING, 1, "Báo cáo công tác tháng")  # the month may have nothing yet
    async with along(walk, "monthly-report", "operator") as tour:
        await tour.menu("Báo cáo")
        await tour.see()
        await tour.press("Lập báo cáo")
        await walk.page.wait_for_selector(".report table.data")
        await tour.picture("report-made")
        for kind, begin in (("CSV", b"\xef\xbb\xbf"), ("XLSX", b"PK"), ("PDF", b"%PDF-")):
            async with walk.page.expect_download() as waiting:
                await walk.page.click(f"a.download:has-text('{kind}')")
            kept = Path(await (await waiting.value).path())
            assert kept.read_bytes().startswith(begin)


async def test_who_did_what(walk: Walk, bus: Ground) -> None:
    (message,) = await bus.documents(BUILDING, 1, "Khiếu nại của công dân")
    why = "Sở Xây dựng báo tệp không mở được, đối chiếu bản gốc"
    async with along(walk, "who-did-what", "operator", f"/message/{message}") as tour:
        await tour.see("Mở dữ liệu bị che")
        assert "Khiếu nại" not in await walk.page.content()
        await tour.fill("Lý do", why)
        await tour.press("Mở dữ liệu bị che")
        await walk.page.locator("pre", has_text="Khiếu nại").first.wait_for(state="attached")
        await walk.page.click("summary >> nth=0")
        await tour.picture("who-uncovered", walk.page.locator("h2", has_text="Nội dung"))
        await tour.menu("Nhật ký")
        row = walk.page.locator("table.data tr", has_text=why)
        assert "console:operator" in await row.inner_text()
        await tour.press("Kiểm tra chuỗi băm")
        await tour.see("nguyên vẹn")
        await tour.picture("who-journal")
