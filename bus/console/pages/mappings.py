"""Ánh xạ mã: the tables, codes that are missing and hold messages, and import with a report."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import get_args
from urllib.parse import urlencode

from nicegui import events, ui

from bus.console.frame import Page, View
from bus.console.html import Html, link, table, tag
from bus.console.marks import mark
from bus.console.proposing import Review, applied
from bus.console.rights import STAFF, Act
from bus.engine.national import UNMAPPED
from bus.ops.province_change import with_mappings
from routing.mapping import WORDS
from routing.mapping_import import MappingImport, read_mappings
from schemas.errors import LgspError, Text
from schemas.province import Mapping, MappingTable
from schemas.vietnam import day_of

LIMIT = 200
MAX_FILE = 7 * 1024 * 1024  # bytes; the door lets 8 MiB in, with what wraps the file
FAULTS = 200  # rows of the report


async def build(view: View) -> None:
    applied(view)
    view.heading("Mã chưa ánh xạ đang giữ thông điệp", "Codes that hold messages")
    view.html(await _missing(view))
    view.heading("Bảng đang dùng", "Tables in force")
    _search(view)
    if view.visitor.may(Act.CONFIGURE):
        view.heading("Nhập từ CSV hoặc XLSX", "Import CSV or XLSX")
        Import(view)


async def _missing(view: View) -> Html:
    say = view.say
    found = await view.ledger.dossiers.unmapped_reasons(UNMAPPED)
    query = urlencode({"state": "held", "code": UNMAPPED})
    look = link(say("Xem", "Look"), f"/deliveries?{query}")
    rows = [(_side(view, why), say.number(count), look) for why, count in found]
    columns = [
        say("Thiếu gì", "What is missing"),
        say("Đang giữ", "Held"),
        say("Chuyển phát", "Deliveries"),
    ]
    empty = say("Không thông điệp nào chờ ánh xạ.", "No message waits for a mapping.")
    return table(say("Mã chưa ánh xạ", "Unmapped codes"), columns, rows, empty=empty)


def _side(view: View, both: str) -> str:
    """Reasons are kept in both languages."""
    vi, _, en = both.partition(" / ")
    return view.say(vi, en or vi)


def _search(view: View) -> None:
    say = view.say
    names = {"": say("mọi bảng", "every table")}
    names |= {name: say.text(WORDS[name]) for name in get_args(MappingTable)}
    given = view.given("table")
    with ui.element("div").classes("line"):
        words = ui.input(say("Tìm mã", "Search codes"), value=view.given("q")).classes("wide")
        which = ui.select(names, value=given if given in names else "", label=say("Bảng", "Table"))
        for each in (words, which):
            each.props("outlined dense")

        def draw() -> None:
            text, chosen = (words.value or "").strip(), str(which.value)
            view.remember(q=text, table=chosen)
            place.clear()
            with place:
                view.html(_listed(view, text.lower(), chosen))

        words.on("keydown.enter", draw)
        which.on_value_change(draw)
        view.button("Tìm", "Search", draw, icon="search")
    place = ui.element("div").props('aria-live="polite"')
    with place:
        view.html(_listed(view, view.given("q").lower(), str(which.value)))


def _listed(view: View, text: str, chosen: str) -> Html:
    say, today = view.say, day_of(view.ledger.clock())
    found = [
        each
        for each in view.snapshot.mappings
        if chosen in ("", each.table)
        and (text in each.local.lower() or text in each.national.lower())
    ]
    rows = [
        (
            say.text(WORDS[each.table]),
            each.local,
            each.national,
            _day(each.valid_from),
            _day(each.valid_to),
            _force(view, each, today),
        )
        for each in found[:LIMIT]
    ]
    columns = [
        say("Bảng", "Table"),
        say("Mã nội bộ", "Local code"),
        say("Mã quốc gia", "National code"),
        say("Từ ngày", "From"),
        say("Đến ngày", "Up to"),
        say("Hôm nay", "Today"),
    ]
    empty = say("Không có dòng nào.", "No entries.")
    told = say(
        f"{say.number(len(found))} dòng, hiện {min(len(found), LIMIT)}",
        f"{say.number(len(found))} entries, {min(len(found), LIMIT)} shown",
    )
    listing = table(say("Bảng ánh xạ", "Mapping tables"), columns, rows, empty=empty)
    return tag("div", tag("p", told), listing)


def _force(view: View, entry: Mapping, today: date) -> Html:
    if entry.valid_from is not None and today < entry.valid_from:
        return mark("·", "busy", view.say("chưa đến hạn", "not yet"))
    if entry.valid_to is not None and entry.valid_to < today:
        return mark("–", "off", view.say("đã hết hạn", "ended"))
    return mark("✓", "good", view.say("có hiệu lực", "in force"))


def _day(day: date | None) -> str:
    return "" if day is None else f"{day:%d/%m/%Y}"


class Import:
    """A file is read and reported; nothing is in force before it is looked at."""

    def __init__(self, view: View) -> None:
        self._view = view
        say = view.say
        told = say(
            "Dòng đầu nêu tên cột: bảng, mã nội bộ, mã quốc gia, từ ngày, đến ngày. Dòng đã có "
            "được sửa, dòng không nêu được giữ.",
            "The first row names the columns: table, local, national, valid_from, valid_to. "
            "Entries that are there are changed, others stay.",
        )
        view.html(tag("p", told, class_="help"))
        names = {"": say("theo cột trong tệp", "by its column")}
        names |= {name: say.text(WORDS[name]) for name in get_args(MappingTable)}
        with ui.element("div").classes("line"):
            self._table = ui.select(names, value="", label=say("Bảng", "Table"))
            self._table.props("outlined dense")
            ui.upload(
                label=say("Chọn tệp CSV hoặc XLSX", "Choose a CSV or XLSX file"),
                auto_upload=True,
                max_file_size=MAX_FILE,
                on_upload=self._read,
                on_rejected=self._rejected,
            ).props('accept=".csv,.tsv,.xlsx" flat bordered')
        self._report = ui.element("div").classes("stack").props('aria-live="polite"')
        self._review = Review(view)

    def _rejected(self) -> None:
        told = self._view.say("Tệp quá lớn hoặc khác loại.", "Too large, or not such a file.")
        ui.notify(told, type="negative", position="top")

    async def _read(self, event: events.UploadEventArguments) -> None:
        chosen: MappingTable | None = self._table.value or None
        self._review.clear()
        self._report.clear()
        try:
            content = await event.file.read()
            found = await asyncio.to_thread(read_mappings, content, chosen)
        except LgspError as error:
            self._view.tell(error)
            return
        with self._report:
            self._show(found)
        if not found.faults:
            await self._review.show(with_mappings(found.entries))

    def _show(self, found: MappingImport) -> None:
        view, say = self._view, self._view.say
        told = say(
            f"{found.rows} dòng: {len(found.entries)} ánh xạ, {found.repeated} dòng lặp, "
            f"{len(found.faults)} dòng lỗi.",
            f"{found.rows} rows: {len(found.entries)} entries, {found.repeated} repeated, "
            f"{len(found.faults)} at fault.",
        )
        view.html(tag("p", tag("b", told)))
        if not found.faults:
            return
        rows = [(each.row, each.column, say.text(each.reason)) for each in found.faults[:FAULTS]]
        columns = [say("Dòng", "Row"), say("Cột", "Column"), say("Lỗi", "Fault")]
        view.html(table(say("Dòng lỗi", "Faulty rows"), columns, rows, empty=""))

        async def without() -> None:
            await self._review.show(with_mappings(found.entries))

        view.button("Bỏ dòng lỗi, xem phần còn lại", "Leave them out, look at the rest", without)


PAGE = Page("/mappings", Text("Ánh xạ mã", "Mappings"), build, icon="swap_horiz", roles=STAFF)
