"""Nhật ký: who did what; and whether anything of it was altered."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Cell, Html, code, link, table, tag
from bus.console.marks import mark
from bus.console.rights import STAFF, Act
from bus.console.visitor import Visitor
from bus.console.why import as_written
from bus.ledger.journal import JournalReport
from bus.ledger.records import JournalRow
from bus.ops.journal_words import tell
from schemas.errors import Text

LIMIT = 100
BEGUN = "chain-started"  # by every process that writes: nothing that a person did


async def build(view: View) -> None:
    if view.visitor.may(Act.VERIFY):
        _verify(view)
    view.html(_form(view))
    queries = view.ledger.queries
    if view.given("who") == "all":
        view.html(_listed(view, await queries.journal_latest(limit=LIMIT)))
        return
    before = int(view.given("before")) if view.given("before").isdecimal() else None
    rows = await queries.journal_of_persons(before=before, limit=LIMIT)
    view.html(_listed(view, [row for row in rows if row.event != BEGUN]))
    if len(rows) == LIMIT:
        text = view.say("Trang sau", "Next page")
        view.html(tag("p", link(f"{text} →", f"/journal?before={rows[-1].at}")))


def _form(view: View) -> Html:
    say = view.say
    everybody = view.given("who") == "all"
    options = [
        tag("option", say("người", "persons"), value=""),
        tag(
            "option",
            say("mọi mục mới nhất", "all of the newest entries"),
            value="all",
            selected="selected" if everybody else None,
        ),
    ]
    return tag(
        "form",
        tag(
            "div",
            tag("label", say("Ai làm", "Who"), for_="who"),
            tag("select", *options, id="who", name="who"),
        ),
        tag("button", say("Lọc", "Filter"), type="submit"),
        method="get",
        action="/journal",
        class_="filters",
    )


def _listed(view: View, rows: Sequence[JournalRow]) -> Html:
    say = view.say
    columns = [
        say("Lúc", "When"),
        say("Ai", "Who"),
        say("Việc", "What"),
        say("Về", "About"),
        say("Mục", "Entry"),
    ]
    cells: list[list[Cell]] = [
        [
            say.moment(row.at),
            row.actor,
            _what(view, row),
            link(code(row.message_id), f"/message/{row.message_id}") if row.message_id else "",
            code(f"{row.chain[:8]}/{row.seq}"),
        ]
        for row in rows
    ]
    empty = say("Chưa có mục nào.", "There are no entries.")
    return table(say("Nhật ký", "Journal"), columns, cells, empty=empty)


def _what(view: View, row: JournalRow) -> Html:
    """In words; below, the name that programs use, so that the page can be searched for it."""
    sign, tone, text, quoted = tell(row)
    shown = {k: v for k, v in row.data.items() if k not in {"answer", "deliveries", "anchors"}}
    details = " ".join(
        f"{name}={value}" for name, value in shown.items() if value not in ("", None)
    )
    line = mark(sign, tone, view.say.text(text), title=details[:300])
    named = tag("p", code(row.event), class_="note")
    return tag("div", line, as_written(view.say, quoted), named)


def _verify(view: View) -> None:
    with ui.element("div").classes("row-of"):

        async def verify() -> None:
            reports: list[JournalReport] = []

            async def work(now: Visitor) -> str:
                found = await view.console.shared.get(
                    "journal", view.ledger.verify_journal, seconds=5
                )
                reports.append(found)
                await view.ledger.note(
                    "journal-verified",
                    actor=now.actor,
                    data={"entries": found.entries, "problems": len(found.problems)},
                )
                return ""

            if await view.act(Act.VERIFY, work):
                place.clear()
                with place:
                    view.html(_report(view, reports[0]))

        view.button("Kiểm tra chuỗi băm", "Verify the hash chains", verify, icon="verified")
        place = ui.element("div").props('role="status"')


def _report(view: View, report: JournalReport) -> Html:
    say = view.say
    counted = say(
        f"{say.number(report.entries)} mục trong {report.chains} chuỗi",
        f"{say.number(report.entries)} entries in {report.chains} chains",
    )
    if not report.problems:
        return tag("p", mark("✓", "good", f"{counted}: {say('nguyên vẹn', 'intact')}"))
    bad = say(
        "nhật ký đã bị thay đổi; giữ nguyên máy, báo an toàn thông tin",
        "the journal was changed; keep the machine as it is, tell security",
    )
    lines = [tag("li", problem) for problem in report.problems[:50]]
    return tag("div", mark("✗", "bad", f"{counted}: {bad}"), tag("ul", *lines))


PAGE = Page("/journal", Text("Nhật ký", "Journal"), build, icon="history", roles=STAFF)
