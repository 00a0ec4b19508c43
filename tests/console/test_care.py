"""What operators take care of: what ends, alerts and silences, secrets, announced maintenance."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from bus.ledger.ledger import Ledger
from schemas.vietnam import VIETNAM
from tests.certificates import certificate
from tests.console.harness import People, Served, Walk, enrol, served
from tests.integration.cli_harness import ROOT, Cli

pytestmark = pytest.mark.asyncio(loop_scope="module")

WSDL = ROOT / "tests" / "vectors" / "wsdl" / "groups.wsdl"
ALERTS = {"every": 0.5, "resolve_after": 1, "thresholds": {"role_seconds": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("care")


@pytest.fixture(scope="module")
def secrets_dir(folder: Path) -> Path:
    """A certificate among the secrets that ends in days, and the secret of an endpoint."""
    made = folder / "secrets"
    made.mkdir()
    cert, _ = certificate(folder / "tls", days=20)
    shutil.copy(cert, made / "truc.pem")
    (made / "yte").write_text("bi-mat-cu-cua-so-y-te")
    return made


@pytest.fixture(scope="module")
def console(folder: Path, secrets_dir: Path) -> Iterator[Served]:
    """The console alone: no gateway, dispatcher or worker is alive, which is an alert."""
    cli = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
    contract = folder / "dan-cu"
    contract.mkdir()
    shutil.copy(WSDL, contract)
    declared = f"services:\n- {{name: dan-cu, contract: {contract / WSDL.name}}}\n"
    (cli.declared / "services.yaml").write_text(declared, "utf-8")
    cli.set_up()
    asyncio.run(_people(cli))
    settings = {"LGSP_SECRETS_DIR": str(secrets_dir), "LGSP_ALERTS": orjson.dumps(ALERTS).decode()}
    with served(cli, People(), "console", **settings) as started:
        yield started


async def _people(cli: Cli) -> None:
    ledger = await Ledger.open(cli.database_url, cli.folder / "data" / "blobs")
    await enrol(ledger)
    await ledger.close()


async def _journal(walk: Walk, event: str) -> list[tuple[str, dict[str, object]]]:
    """Who did it, and what is written of it."""
    cli = walk.console.cli
    ledger = await Ledger.open(cli.database_url, cli.folder / "data" / "blobs")
    try:
        entries = await ledger.queries.journal(limit=10_000)
    finally:
        await ledger.close()
    return [(each.actor, each.data) for each in entries if each.event == event]


async def test_what_ends_is_the_same_on_pages_and_in_alerts(walk: Walk) -> None:
    await walk.log_in("operator", path="/alerts")
    await walk.page.wait_for_selector(".alerts li:has-text('Chứng thư trong truc.pem còn hạn')")
    await walk.page.wait_for_selector(".alerts li:has-text('Không còn tiến trình gateway')")
    step = await walk.page.inner_text(".alerts li:has-text('gateway')")
    assert "Việc cần làm: Khởi động: lgsp gateway" in step
    await walk.picture("alerts")
    await walk.open("/endpoints")
    row = walk.page.locator("table.data tr", has_text="Chứng thư trong truc.pem")
    shown = await row.inner_text()
    assert "còn 19 ngày" in shown
    assert "thay trước" in shown
    await walk.picture("endpoints-ends")
    await walk.open("/")
    await walk.page.click(".needs li:has-text('truc.pem') a")
    await walk.page.wait_for_url("**/alerts")


async def test_an_alert_is_silenced_with_a_reason_and_told_again(walk: Walk) -> None:
    await walk.log_in("operator", path="/alerts")
    await walk.page.wait_for_selector(".alerts li:has-text('worker')")
    await walk.page.click("text=Tắt tiếng một cảnh báo")
    await walk.page.get_by_label("Khóa", exact=True).fill("role-missing:work*")
    silence = walk.page.get_by_role("button", name="Tắt tiếng", exact=True)
    await silence.click()
    await walk.page.wait_for_selector(".told:has-text('cần nêu lý do')")
    await walk.page.click(".told button")
    await walk.page.get_by_label("Lý do (được lưu lại)").fill("đang nâng cấp máy")
    await silence.click()
    await walk.page.wait_for_selector(".panel:has-text('đang nâng cấp máy')")
    await walk.page.wait_for_selector(".alerts li:has-text('worker'):has-text('đang tắt tiếng')")
    await walk.picture("alerts-silenced")
    await walk.page.click("button:has-text('Báo lại')")
    await walk.page.wait_for_selector("text=Không tắt tiếng gì")
    ((actor, data),) = await _journal(walk, "alert-silenced")
    assert (actor, data["pattern"], data["reason"]) == (
        "console:operator",
        "role-missing:work*",
        "đang nâng cấp máy",
    )
    assert len(await _journal(walk, "alert-silence-ended")) == 1


async def test_others_look_at_alerts_or_do_not(walk: Walk) -> None:
    await walk.log_in("auditor", path="/alerts")
    await walk.page.wait_for_selector(".alerts li")
    assert await walk.page.locator("main button").count() == 0
    await walk.page.click(".who button")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.log_in("agency", path="/alerts")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("status of 403")


async def _apply(walk: Walk, reason: str) -> None:
    await walk.page.get_by_label("Lý do (được lưu lại)").fill(reason)
    await walk.page.get_by_text("Áp dụng", exact=True).click()
    await walk.page.locator("p[role=status]", has_text="Đã áp dụng").wait_for()


async def test_a_secret_is_replaced_and_shown_once(walk: Walk, secrets_dir: Path) -> None:
    await walk.log_in("administrator", path="/endpoints?name=so-y-te")
    await walk.page.click("text=Thay bí mật")
    await walk.page.click("button:has-text('Tạo bí mật mới')")
    await walk.page.wait_for_selector(".new-key")
    name, value = await walk.page.locator(".new-key code").all_inner_texts()
    assert (secrets_dir / name).read_text() == value
    assert "previous_secret" not in (await walk.page.inner_text("dl.facts >> nth=0"))
    await walk.page.wait_for_selector("ul.plan:has-text('so-y-te')")
    await walk.picture("secret")
    await _apply(walk, "thay định kỳ")
    row = walk.page.locator("table.data tr", has_text=name).first
    await row.wait_for()
    assert "năm" not in await row.inner_text()
    assert "còn 364 ngày" in await walk.page.inner_text("main")
    assert value not in await walk.page.content(), "it was shown that once"
    config = await walk.page.inner_text("dl.facts pre")
    assert '"previous_secret": "yte"' in config
    assert [data["secret"] for _, data in await _journal(walk, "secret-made")] == [name]
    assert value not in walk.console.log.read_text()


async def _announce(walk: Walk, days: int, what: str) -> None:
    begins = datetime.now(VIETNAM).replace(hour=20, minute=0) + timedelta(days=days)
    ends = begins + timedelta(hours=3)
    await walk.page.get_by_label("Từ", exact=True).fill(f"{begins:%Y-%m-%dT%H:%M}")
    await walk.page.get_by_label("Đến", exact=True).fill(f"{ends:%Y-%m-%dT%H:%M}")
    await walk.page.get_by_label("Nội dung, để báo cho bên dùng").fill(what)
    await walk.page.locator(".q-expansion-item--expanded").get_by_text("Xem thay đổi").click()


@pytest.mark.parametrize(
    ("path", "name", "what"),
    [
        ("/endpoints?name=so-y-te", "so-y-te", "thay máy chủ"),
        ("/services", "dan-cu@1", "nâng cấp CSDL"),
    ],
)
async def test_maintenance_is_announced_in_time_and_seen(
    walk: Walk, path: str, name: str, what: str
) -> None:
    await walk.log_in("administrator", path=path)
    await walk.page.click("text=Báo trước hoặc bỏ lịch bảo trì")
    await _announce(walk, 3, what)
    await walk.page.wait_for_selector(".mark:has-text('chưa đủ 7')")
    await walk.page.wait_for_selector(".error-card:has-text('cần ít nhất 7')")
    await _announce(walk, 30, what)
    await walk.page.wait_for_selector("ul.plan")
    await _apply(walk, "đã thống nhất với đơn vị")
    await walk.page.wait_for_selector(f"table.data tr:has-text('{what}')")
    await walk.picture(f"maintenance-{name}")
    await walk.open(path.partition("?")[0])
    await walk.page.wait_for_selector(f"table.data td:has-text('{what}')")
    await walk.open("/")
    await walk.page.wait_for_selector(f".needs li:has-text('{name}'):has-text('{what}')")


async def test_a_misspelt_operation_is_refused_with_the_nearest(walk: Walk) -> None:
    await walk.log_in("administrator", path="/agency/H38.01")
    await walk.page.click("text=Cấp, sửa hoặc bỏ quyền")
    await walk.page.get_by_label("Tên của quyền").fill("van-phong")
    await walk.page.get_by_label("Dịch vụ", exact=True).click()
    await walk.page.locator(".q-menu").get_by_text("dan-cu").click()
    await walk.page.get_by_label("Thao tác, cách nhau bằng dấu phẩy").fill("Exchnage")
    await walk.page.locator(".q-expansion-item--expanded").get_by_text("Xem thay đổi").click()
    await walk.page.wait_for_selector(
        ".error-card:has-text('không có thao tác Exchnage; gần nhất: Exchange')"
    )
    await walk.picture("grant-misspelt")
