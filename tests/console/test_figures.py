"""Documents, dossiers, services and reports: from a number to what it counts, as each role."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.ledger.accesses import READ, subject_hash
from bus.ledger.ledger import Ledger
from tests.console import figures_traffic
from tests.console.figures_traffic import DONE, LATE, OTHERS, PERSON, SOON, SUBJECT_KEY
from tests.console.harness import People, Served, Walk, prepare, served
from tests.integration.cli_harness import HEALTH, HOME_AFFAIRS, Cli, Traffic

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A ledger of this file's own: its figures are exact."""
    folder = tmp_path_factory.mktemp("figures")
    made = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
    made.set_up()
    return made


@pytest.fixture(scope="module")
def people(cli: Cli) -> People:
    return asyncio.run(_prepare(cli))


async def _prepare(cli: Cli) -> People:
    people = await prepare(cli)
    traffic = await Traffic.open(cli)
    traffic._number = itertools.count(1_000)  # `prepare` has used the first ones
    try:
        people.messages["unread"] = await figures_traffic.documents(traffic)
        people.messages["month"] = await figures_traffic.dossiers(traffic)
        await figures_traffic.accesses(traffic)
        await figures_traffic.services(traffic)
    finally:
        await traffic.ledger.close()
    return people


@pytest.fixture(scope="module")
def console(cli: Cli, people: People) -> Iterator[Served]:
    with served(cli, people, "console", LGSP_SECRET_DATA_SUBJECTS=SUBJECT_KEY) as started:
        yield started


async def test_from_a_number_of_documents_to_the_message(walk: Walk) -> None:
    await walk.log_in("operator", path="/documents")
    await walk.page.wait_for_selector("table.data")
    await walk.picture("documents")
    row = walk.page.locator("table.data").first.locator("tr", has_text=HEALTH)
    cells = [text.strip() for text in await row.locator("td").all_inner_texts()]
    assert cells[1:5] == ["2", "1", "1", "1"], "unread, late, refused, recall"
    await row.locator("td").nth(3).locator("a").click()
    await walk.page.wait_for_url("**/documents?concern=refused*")
    await walk.page.wait_for_selector("table.data")
    assert HEALTH in str(walk.page.url)
    await walk.picture("documents-list")
    assert "từ chối tiếp nhận" in await walk.page.inner_text("table.data")
    await walk.page.click("table.data a")
    await walk.page.wait_for_url("**/message/*")


async def test_an_agency_sees_its_own_documents_alone(walk: Walk) -> None:
    await walk.log_in("agency", path="/documents")
    await walk.page.wait_for_selector("table.data")
    shown = await walk.page.inner_text("main")
    assert "Sở Y tế" in shown
    assert "Sở Nội vụ" not in shown
    await walk.open(f"/documents?agency={HOME_AFFAIRS}")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("403")


async def test_dossiers_late_held_and_where_one_is(walk: Walk, people: People) -> None:
    await walk.log_in("operator", path=f"/dossiers?period={people.messages['month']}")
    await walk.page.wait_for_selector("table.data")
    await walk.picture("dossiers")
    standing = await walk.page.locator("table.data").first.inner_text()
    assert "cổng chưa có hồ sơ của bước này" in standing
    figures = walk.page.locator("table.data").nth(1).locator("tr", has_text=HEALTH)
    cells = [text.strip() for text in await figures.locator("td").all_inner_texts()]
    assert cells[2:4] == ["3", "3"], "received, of these online"
    assert cells[-1] == "100,0 %"
    await walk.open("/dossiers?show=late")
    await walk.picture("dossiers-late")
    listed = await walk.page.inner_text("table.data")
    assert LATE in listed
    assert OTHERS in listed
    assert SOON not in listed
    await walk.open("/dossiers?show=held")
    await walk.page.click(f"table.data a:has-text('{LATE}')")
    await walk.page.wait_for_selector(".where")
    await walk.picture("dossier")
    where = await walk.page.inner_text("section.panel")
    assert "Sở Y tế" in where
    assert "Đã quá hạn trả" in where
    assert "cong-quoc-gia còn thiếu 1 (cổng chưa có hồ sơ của bước này" in where
    whole = await walk.page.inner_text("main")
    assert "Phòng Một cửa" in whole
    assert "Ví Dụ" not in whole, "names of people stay masked"


async def test_a_clerk_asks_for_one_dossier_of_its_own(walk: Walk) -> None:
    await walk.log_in("agency", path="/dossiers")
    await walk.page.fill("input[name=code]", DONE.lower())
    await walk.page.keyboard.press("Enter")
    await walk.page.wait_for_selector(".where")
    assert "chờ trả kết quả" in await walk.page.inner_text("section.panel")
    await walk.open(f"/dossier?code={OTHERS}")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("404")
    await walk.open("/dossiers?show=late")
    assert OTHERS not in await walk.page.inner_text("main")


async def test_a_report_on_the_page_as_a_file_and_by_command(
    walk: Walk, people: People, cli: Cli
) -> None:
    month = people.messages["month"]
    await walk.log_in("auditor", path=f"/reports?period={month}")
    await walk.page.click("button:has-text('Lập báo cáo')")
    await walk.page.wait_for_selector(".report table.data")
    await walk.picture("report")
    shown = await walk.page.inner_text(".report")
    assert "Mức độ đáp ứng của hệ thống nhận" in shown
    quality = walk.page.locator(".report section", has_text="Hồ sơ theo Cổng DVCQG")
    cells = await quality.locator("tr").last.locator("td").all_inner_texts()
    assert cells[-2].strip() == "100,0 %", "the share of all, not the sum of the shares"
    content = await _download(walk, "CSV")
    figures = _figures(content)
    assert figures["documents", HEALTH, "overdue"] == "1"
    assert figures["dossiers", HEALTH, "on_time_share"] == "100.000"
    pdf = await _download(walk, "PDF")
    assert pdf.startswith(b"%PDF-")
    await walk.open("/journal")
    assert f"Lập báo cáo {month}" in await walk.page.inner_text("table.data")

    cli("report", month, "-o", "bao-cao.csv")
    assert _figures((cli.folder / "bao-cao.csv").read_bytes()) == figures


async def test_what_was_called_longer_ago_is_in_its_period_and_in_the_report(
    walk: Walk, people: People
) -> None:
    month = people.messages["month"]
    await walk.log_in("agency", path=f"/services?period={month}")
    await walk.page.wait_for_selector("table.data")
    called = walk.page.locator("table.data").nth(1)
    row = await called.locator("tr", has_text="phan-mem-y-te").locator("td").all_inner_texts()
    assert row[3].strip() == "4"
    assert [each.strip() for each in row[7:10]] == ["362 ms", "20.000 ms", "20.000 ms"]
    await walk.open("/services?period=2020-01")
    await walk.page.wait_for_selector("text=Trong kỳ này không ai gọi.")
    await walk.open(f"/reports?period={month}")
    await walk.page.click("button:has-text('Lập báo cáo')")
    await walk.page.wait_for_selector("a.download")
    figures = _figures(await _download(walk, "CSV"))
    calls = {name: value for (section, _, name), value in figures.items() if section == "services"}
    assert (calls["calls"], calls["failed"], calls["over_quota"]) == ("4", "1", "1")
    assert calls["longest"] == "20.000"
    assert calls["p50"] == "0.362"


async def _download(walk: Walk, kind: str) -> bytes:
    async with walk.page.expect_download() as waiting:
        await walk.page.click(f"a.download:has-text('{kind}')")
    download = await waiting.value
    assert download.suggested_filename.endswith(f".{kind.lower()}")
    return (Path(await download.path())).read_bytes()


def _figures(content: bytes) -> dict[tuple[str, str, str], str]:
    lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    return {(line["section"], line["subject"], line["figure"]): line["value"] for line in lines}


async def test_a_report_is_of_ones_own_agencies_and_for_ones_own_session(
    walk: Walk, people: People
) -> None:
    await walk.log_in("agency", path=f"/reports?period={people.messages['month']}")
    await walk.page.click("button:has-text('Lập báo cáo')")
    await walk.page.wait_for_selector("a.download")
    figures = _figures(await _download(walk, "CSV"))
    about = {subject for section, subject, _ in figures if section in {"documents", "dossiers"}}
    assert about == {HEALTH}
    address = await walk.page.get_attribute("a.download", "href")
    await walk.page.click("button:has-text('Đăng xuất')")
    await walk.page.wait_for_selector("input[name=password]")
    await walk.log_in("operator")
    await walk.page.wait_for_selector("main#main h1")
    answer = await walk.context.request.get(str(address))
    assert answer.status == 404, "another session's report"
    await walk.open(f"/reports?agency={HOME_AFFAIRS}&period=2026-99")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("400")


async def test_services_and_who_called_them(walk: Walk) -> None:
    await walk.log_in("operator", path="/services")
    await walk.page.wait_for_selector("table.data")
    declared = await walk.page.locator("table.data").first.inner_text()
    assert "Cơ sở dữ liệu mẫu" in declared
    assert "bảo trì" in declared
    assert "nâng cấp" in declared
    assert "5/s mỗi bên gọi" in declared
    called = walk.page.locator("table.data").nth(1)
    row = await called.locator("tr", has_text="phan-mem-y-te").locator("td").all_inner_texts()
    assert [text.strip() for text in row[2:]] == [
        "Đối tác không trả lời kịp: 1",
        "4",
        "✗ 1 (25,0 %)",
        "! 1",
        "5.100 ms",
        *("362 ms", "20.000 ms", "20.000 ms"),  # percentiles
        "20.000 ms",
    ]
    assert await called.locator("tr", has_text="phan-mem-noi-vu").count() == 1
    await walk.picture("services")


async def test_an_agency_sees_its_own_calls_and_grants(walk: Walk) -> None:
    await walk.log_in("agency", path="/services")
    await walk.page.wait_for_selector("table.data")
    shown = await walk.page.inner_text("main")
    assert "phan-mem-y-te" in shown
    assert "Sở Y tế" in shown
    assert "phan-mem-noi-vu" not in shown
    assert "Sở Nội vụ" not in shown
    await walk.open("/accesses")
    await walk.page.wait_for_selector(".error-card")
    walk.expect("403")


async def test_who_asked_about_a_person(walk: Walk, cli: Cli) -> None:
    await walk.log_in("auditor", path="/accesses")
    await walk.page.fill("input[aria-label^='Số định danh']", "001088000002")
    await walk.page.click("button:has-text('Tra cứu')")
    await walk.page.wait_for_selector(".empty")
    await walk.page.fill("input[aria-label^='Số định danh']", PERSON)
    await walk.page.click("button:has-text('Tra cứu')")
    await walk.page.wait_for_selector("table.data")
    await walk.picture("accesses")
    found = await walk.page.inner_text("table.data")
    assert "CB-01" in found
    assert "G15-TP110" in found
    assert "CongDan/HoVaTen" in found
    assert PERSON not in await walk.page.content()
    assert PERSON not in walk.page.url
    assert PERSON not in walk.console.log.read_text()
    ledger = await Ledger.open(cli.database_url, cli.folder / "data" / "blobs")
    try:
        entries = await ledger.queries.journal(limit=5_000)
    finally:
        await ledger.close()
    looks = [(each.actor, each.data) for each in entries if each.event == READ]
    about = {"subject": subject_hash(SUBJECT_KEY.encode(), PERSON).hex()}
    assert ("console:auditor", about) in looks
