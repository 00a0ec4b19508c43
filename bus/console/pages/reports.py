"""Báo cáo: of a day, month, quarter or year, to look at and to keep as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from bus.console import filters
from bus.console.filters import chosen_agencies, chosen_period, figures
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, link, table, tag
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ops import report
from bus.ops.report import Progress
from bus.ops.report_files import Kind
from bus.ops.report_model import Report, Row, Section
from bus.ops.report_words import EMPTY, lines, shown, with_total
from schemas.errors import Text

PATH = "/reports"
SHOWN = 200  # rows of a section on the page; files have all


async def build(view: View) -> None:
    period, chosen = chosen_period(view), chosen_agencies(view)
    view.html(filters.form(view, PATH, period=period))
    acts = ui.element("div").classes("row-of")
    running = ui.element("div").props('role="status"').classes("row-of")
    made = ui.element("div").classes("stack")

    async def make() -> None:
        button.disable()
        try:
            await view.act(Act.REPORT, read, agencies=tuple(chosen or ()))
        finally:
            running.clear()
            button.enable()

    async def read(now: Visitor) -> str:
        found, files = await view.console.reports.make(
            now, lambda: _read(view, now, _progress(view, running))
        )
        await view.ledger.note(
            "console-report-made",
            actor=now.actor,
            data={"period": period.name, "agencies": sorted(chosen or ())},
        )
        made.clear()
        with made:
            view.html(_drawn(view, found, files))
        return view.say("Đã lập báo cáo.", "The report is made.")

    with acts:
        button = view.button("Lập báo cáo", "Make the report", make, kind="main", icon="summarize")


async def _read(view: View, now: Visitor, progress: Progress) -> Report:
    """Of what the person may see at this moment."""
    snapshot = view.snapshot
    asked = chosen_agencies(view)
    seen = asked if now.agencies is None or asked is None else asked & now.agencies
    scope = report.scope_of(
        snapshot.directory,
        now.agencies if seen is None else seen,
        snapshot.calendar,
        snapshot.procedures,
    )
    return await report.make(view.ledger, chosen_period(view), scope, progress)


def _progress(view: View, place: ui.element) -> Progress:
    with place:
        bar = ui.linear_progress(value=0, show_value=False).classes("wide")
        told = ui.label(view.say("Chờ đến lượt", "Waiting for its turn"))

    def tell(done: int, of: int) -> None:
        bar.value = done / of
        told.text = view.say(f"Đang đọc phần {done}/{of}", f"Reading part {done} of {of}")

    return tell


# --- drawing -------------------------------------------------------------------------------------


def _drawn(view: View, made: Report, files: Mapping[Kind, str]) -> Html:
    say = view.say
    links = [
        link(f"{say('Tải', 'Download')} {kind.upper()}", address, class_="download")
        for kind, address in files.items()
    ]
    told = [tag("p", text) for text in lines(made, say.lang)]
    sections = [_section(view, each) for each in made.sections]
    return tag("div", tag("p", *links, class_="row-of"), *told, *sections, class_="stack report")


def _section(view: View, section: Section) -> Html:
    say = view.say
    title = say.text(section.title)
    rows: list[Sequence[Cell]] = [_cells(view, section, row) for row in section.rows[:SHOWN]]
    if section.sums is not None:
        total = _cells(view, section, with_total(section, say.lang))
        rows.append([tag("strong", cell) if cell else Html("") for cell in total])
    columns = [say.text(column.title) for column in section.columns]
    below = [tag("p", say.text(section.note), class_="note")] if section.note is not None else []
    if len(section.rows) > SHOWN:
        text = say(
            f"Hiện {SHOWN} trong {len(section.rows)} dòng; tệp có đủ.",
            f"{SHOWN} of {len(section.rows)} rows are shown; the files have all.",
        )
        below.append(tag("p", text, class_="note"))
    texts = sum(column.unit == "text" for column in section.columns)
    drawn = figures(table(title, columns, rows, empty=say.text(EMPTY)), texts=texts)
    return tag("section", tag("h2", title), drawn, *below)


def _cells(view: View, section: Section, row: Row) -> list[str]:
    lang = view.say.lang
    return [
        shown(value, column.unit, lang) for value, column in zip(row, section.columns, strict=True)
    ]


PAGE = Page(PATH, Text("Báo cáo", "Reports"), build, icon="summarize")
