"""Figures, lists behind them, and the reports made of them, on every database."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from bus.ledger.dossier_queries import PortalRow
from bus.ledger.flow_queries import Failure, Volume
from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Finish
from bus.ops import dossier_standing, report, report_files
from bus.ops.report import Scope
from bus.ops.report_model import Report
from bus.ops.reports import parse_period
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.dossier.calendar import WorkingCalendar
from schemas.errors import InvalidRequest, PartnerLacksDossier
from schemas.exchange import Event, ExchangeState
from schemas.instant import SECOND, Instant
from schemas.province import Agency
from schemas.vietnam import VIETNAM, day_of
from tests.contract.test_dossiers import AT, PORTAL, SENDER, record, step
from tests.contract.test_exchange import BUILD, OFFICE, TO_BUILD, document, status
from tests.integration.dossier_harness import record as full_record
from tests.integration.dossier_harness import step as full_step
from tests.ledgers import prepare

DAY = 86_400 * SECOND
CALENDAR = WorkingCalendar()
AGENCIES = (
    Agency(code="H99", name="Tỉnh Ví Dụ"),
    Agency(code=OFFICE, name="Văn phòng Ủy ban", parent="H99"),
    Agency(code=BUILD, name="Sở Xây dựng", parent="H99"),
)


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs", actor="bus")
    yield opened
    await opened.close()


async def _finish(ledger: Ledger, message_id: str, state: DeliveryState, code: str = "") -> None:
    rows = await ledger.queries.deliveries_of(message_id)
    (claimed,) = await ledger.claim([row.id for row in rows])
    result = Result.DELIVERED if state is DeliveryState.DELIVERED else Result.REJECTED
    await ledger.finish(Finish(claimed, state, Outcome(result, code=code)))


async def _documents(ledger: Ledger) -> None:
    """One that is unread, one refused, one asked back, one accepted; all to BUILD."""
    for name in ("chua-doc", "tu-choi", "lay-lai", "da-nhan"):
        receipt = await ledger.accept(document(name))
        await _finish(ledger, receipt.message_id, DeliveryState.DELIVERED)
    await ledger.accept(status(Event.REFUSAL, "tu-choi"))
    await ledger.accept(status(Event.ACCEPTANCE, "lay-lai"))
    await ledger.accept(status(Event.RECALL, "lay-lai"))
    await ledger.accept(status(Event.ACCEPTANCE, "da-nhan"))


async def test_what_concerns_somebody_is_counted_as_it_is_listed(ledger: Ledger) -> None:
    await _documents(ledger)
    now = ledger.clock()
    for side, agency in (("receiver", BUILD), ("sender", OFFICE)):
        (row,) = await ledger.exchanges.standing(
            side,  # type: ignore[arg-type]
            agencies=None,
            now=now,
            refused_since=now - DAY,
        )
        assert (row.agency, row.unread, row.late, row.refused, row.recall) == (agency, 1, 0, 1, 1)
        assert row.oldest_unread is not None
    for concern, name in (("unread", "chua-doc"), ("refused", "tu-choi"), ("recall", "lay-lai")):
        listed = await ledger.exchanges.of_concern(
            concern,  # type: ignore[arg-type]
            "receiver",
            agencies={BUILD},
            now=now,
            refused_since=now - DAY,
        )
        assert [each.document_id for each in listed] == [name]
    assert not await ledger.exchanges.standing(
        "receiver", agencies={OFFICE}, now=now, refused_since=now - DAY
    )
    (later,) = await ledger.exchanges.standing(
        "receiver", agencies=None, now=now, refused_since=now + DAY
    )
    assert later.refused == 0, "an old refusal concerns nobody"


async def test_volumes_answers_and_failures(ledger: Ledger) -> None:
    await _documents(ledger)
    lost = await ledger.accept(document("hong"))
    await _finish(ledger, lost.message_id, DeliveryState.DEAD, "partner-timeout")
    since, until = ledger.clock() - DAY, ledger.clock() + DAY
    sent = await ledger.flows.volumes(senders=[OFFICE], since=since, until=until)
    assert sent == [Volume(OFFICE, "document", 5), Volume(OFFICE, "status", 1)]
    answers = await ledger.flows.responses(agencies={BUILD}, since=since, until=until)
    to_build = next(each for each in answers if each.endpoint == TO_BUILD)
    assert (to_build.deliveries, to_build.delivered, to_build.lost) == (6, 4, 1)
    assert (to_build.open, to_build.attempts, to_build.again) == (1, 5, 0)
    assert to_build.in_a_minute == 4
    assert to_build.mean is not None
    assert to_build.longest is not None
    assert 0 <= to_build.mean <= to_build.longest
    failed = await ledger.flows.failures(agencies=None, since=since, until=until)
    assert failed == [Failure(TO_BUILD, DeliveryState.DEAD, "partner-timeout", 1)]
    assert not await ledger.flows.failures(agencies={"H99.77"}, since=since, until=until)
    assert not await ledger.flows.responses(agencies=None, since=since - DAY, until=since)
    states = await ledger.exchanges.states(agencies=None, since=since, until=until)
    assert (BUILD, ExchangeState.REFUSED, 1) in states


async def test_an_outage_is_from_the_breakers_opening_to_its_closing(ledger: Ledger) -> None:
    since = ledger.clock() - DAY
    await ledger.open_breaker(TO_BUILD, probe_at=ledger.clock(), error="gone")
    await ledger.open_breaker(TO_BUILD, probe_at=ledger.clock(), error="still gone")
    await ledger.close_breaker(TO_BUILD)
    await ledger.open_breaker("khac", probe_at=ledger.clock(), error="gone")
    until = ledger.clock() + DAY
    other, mended = await ledger.flows.outages(since=since, until=until)
    assert (other.endpoint, other.ended) == ("khac", None)
    assert mended.endpoint == TO_BUILD
    assert mended.ended is not None
    assert since < mended.began <= mended.ended


def _record(code: str, *, due: datetime, status: int = 2) -> Acceptance:
    """A whole record, as figures read it."""
    whole = full_record(code, agency=SENDER, received=AT, due=due, status=status)
    short = record(code, code, status=status, due=due)
    return replace(short, record=whole.model_dump_json())


def _step(code: str, *, status: int = 4) -> Acceptance:
    return replace(
        step(code, 1, status=status), record=full_step(code, 1, status=status).model_dump_json()
    )


async def test_dossiers_that_are_late_soon_late_and_held(ledger: Ledger) -> None:
    now: Instant = instant.from_datetime(datetime(2026, 11, 24, 9, tzinfo=VIETNAM))  # a Tuesday
    at = datetime(2026, 11, 24, 17, tzinfo=VIETNAM)
    late, soon, far, done = (f"H99.02-261102-000{n}" for n in range(1, 5))
    for code, due in ((late, AT), (soon, at + timedelta(days=1)), (far, at + timedelta(days=9))):
        await ledger.accept(_record(code, due=due))
    await ledger.accept(_record(done, due=AT))
    await ledger.accept(_step(done, status=9))
    found = await dossier_standing.pressing(
        ledger.dossiers, senders=None, calendar=CALENDAR, now=now
    )
    assert [(each.row.code, each.urgency) for each in found] == [(late, "late"), (soon, "soon")]
    assert not await dossier_standing.pressing(
        ledger.dossiers, senders={"H99.77"}, calendar=CALENDAR, now=now
    )

    told = await ledger.accept(_step(far))
    (row,) = await ledger.dossiers.find(far)
    steps = await ledger.dossiers.steps(SENDER, far)
    ways = await ledger.dossiers.deliveries(SENDER, far)
    said = dossier_standing.whereabouts(row, "Sở Xây dựng", steps, ways, now)
    assert said[0].vi.startswith("Hồ sơ ở Sở Xây dựng: đang xử lý")
    assert said[-1].en == f"{PORTAL} lacks 2 of it."
    await _finish(ledger, ways[0].delivery.message_id, DeliveryState.DELIVERED)
    held = await ledger.queries.deliveries_of(told.message_id)
    (claimed,) = await ledger.claim([held[0].id])
    outcome = Outcome(Result.REJECTED, code=PartnerLacksDossier.code)
    await ledger.finish(Finish(claimed, DeliveryState.HELD, outcome))
    (waiting,) = await ledger.dossiers.held(senders=[SENDER])
    assert (waiting.code, waiting.why) == (far, PartnerLacksDossier.code)
    assert await ledger.dossiers.held_counts(senders=None) == [
        (PORTAL, PartnerLacksDossier.code, 1)
    ]
    assert not await ledger.dossiers.held(senders=[SENDER], why="unmapped")
    since = ledger.clock() - DAY
    assert PortalRow(PORTAL, DeliveryState.HELD, 1) in await ledger.dossiers.portals(
        senders=None, since=since, until=ledger.clock() + DAY
    )


async def _report(ledger: Ledger, chosen: set[str] | None = None) -> Report:
    scope: Scope = report.scope_of(AGENCIES, chosen, CALENDAR, {})
    today = day_of(ledger.clock()).isoformat()
    done: list[int] = []
    made = await report.make(ledger, parse_period(today), scope, lambda n, _of: done.append(n))
    assert done == list(range(report.PARTS + 1))
    return made


async def test_a_report_says_the_same_as_pdf_xlsx_and_csv(ledger: Ledger) -> None:
    await _documents(ledger)
    made = await _report(ledger)
    pdf = PdfReader(io.BytesIO(report_files.write("pdf", made, "vi").content))
    text = "\n".join(page.extract_text() for page in pdf.pages)
    assert "TỈNH VÍ DỤ" in text
    assert "Văn phòng Ủy ban" in text
    assert "Mức độ đáp ứng của hệ thống nhận" in text
    fonts = [
        font.get_object()
        for page in pdf.pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
    ]
    embedded = {str(f["/BaseFont"]) for f in fonts if "/FontFile2" in f.get("/FontDescriptor", {})}
    assert any("NotoSans" in name for name in embedded), "letters are drawn by the file's own font"

    book = load_workbook(io.BytesIO(report_files.write("xlsx", made, "vi").content))
    documents = list(book["Văn bản đến và nhiệm vụ"].values)
    assert documents[1][:5] == (BUILD, "Sở Xây dựng", 4, 2, 1)
    assert documents[2][0] == "Tổng"

    lines = list(
        csv.DictReader(
            io.StringIO(report_files.write("csv", made, "vi").content.decode("utf-8-sig"))
        )
    )
    received = [
        line for line in lines if (line["section"], line["figure"]) == ("documents", "received")
    ]
    assert [(line["subject"], line["name"], line["value"]) for line in received] == [
        (BUILD, "Sở Xây dựng", "4")
    ]


async def test_an_agencys_report_tells_nothing_of_others(ledger: Ledger) -> None:
    await _documents(ledger)
    made = await _report(ledger, {OFFICE})
    content = report_files.write("csv", made, "en").content.decode("utf-8-sig")
    assert OFFICE in content
    assert f",{BUILD}," not in content


def test_the_kind_of_a_file_is_told_by_its_name() -> None:
    assert report_files.kind_of("Quy-3.PDF") == "pdf"
    with pytest.raises(InvalidRequest):
        report_files.kind_of("quy-3.doc")


def test_periods() -> None:
    leap = parse_period("2028-02-29")
    assert (leap.first, leap.last) == (date(2028, 2, 29), date(2028, 2, 29))
    assert parse_period("2026-Q4").last == date(2026, 12, 31)
    for wrong in ("2026-02-29", "2026-13", "2026-Q5", "2026-11-1", "26", "0000"):
        with pytest.raises(InvalidRequest):
            parse_period(wrong)


async def test_a_period_that_has_not_begun_has_no_report(ledger: Ledger) -> None:
    scope = report.scope_of(AGENCIES, None, CALENDAR, {})
    with pytest.raises(InvalidRequest):
        await report.make(ledger, parse_period("9998"), scope)
