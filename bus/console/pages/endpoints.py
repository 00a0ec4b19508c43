"""Điểm kết nối: how each connected system does, and what ends when."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from nicegui import ui

from bus.console.endpoint_words import (
    WAITS,
    count,
    counted,
    error_of,
    found_endpoints,
    latency,
    pace,
    state_of,
)
from bus.console.ends import end_mark, ends_table, known_ends
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, link, table, tag
from bus.console.pages.endpoint import build_one
from bus.console.rights import STAFF
from bus.ops.alerts.look import Expiry
from bus.ops.endpoints import EndpointView
from schemas.delivery import DeliveryState
from schemas.errors import Text


async def build(view: View) -> None:
    if name := view.given("name"):
        await build_one(view, name)
    else:
        await _all(view)


async def _all(view: View) -> None:
    place = ui.element("div").classes("stack")

    async def read() -> None:
        ends = await known_ends(view)
        content = _listed(view, await found_endpoints(view), ends)
        place.clear()
        with place:
            view.html(content)
            view.heading("Hết hạn khi nào", "What ends when")
            empty = view.say("Không biết thứ gì có hạn.", "Nothing is known to end.")
            view.html(ends_table(view, ends, empty=empty))

    await read()
    view.fresh(read)


def _listed(view: View, found: Sequence[EndpointView], ends: Sequence[Expiry]) -> Html:
    say = view.say
    soonest: dict[str, Expiry] = {}
    for end in ends:
        soonest.setdefault(end.culprit, end)
    columns = [
        say("Điểm kết nối", "Endpoint"),
        say("Giao thức", "Protocol"),
        say("Tình trạng", "State"),
        say("Hết hạn sớm nhất", "Ends soonest"),
        say("Đang chờ", "Waiting"),
        say("Bị giữ", "Held"),
        say("Hỏng", "Dead"),
        say("Chờ lâu nhất", "Oldest"),
        say("Mỗi lần gửi", "An attempt takes"),
        say("15 phút qua", "Last 15 minutes"),
        say("Lỗi gần nhất", "Last error"),
    ]
    now = view.ledger.clock()
    rows: list[list[Cell]] = [
        [
            link(each.name, f"/endpoints?{urlencode({'name': each.name})}"),
            each.declared.kind if each.declared else say("chưa khai báo", "undeclared"),
            state_of(view, each),
            _soonest(view, soonest.get(f"endpoint:{each.name}")),
            count(each, *WAITS),
            counted(each, DeliveryState.HELD),
            counted(each, DeliveryState.DEAD),
            say.span(now - each.oldest) if each.oldest else "",
            latency(view, each.name),
            pace(view, each.name),
            error_of(view, each),
        ]
        for each in found
    ]
    empty = say("Chưa khai báo điểm kết nối nào.", "No endpoint is declared.")
    listed = table(say("Điểm kết nối", "Endpoints"), columns, rows, empty=empty)
    return tag("div", listed, class_="wrap")


def _soonest(view: View, end: Expiry | None) -> Cell:
    return None if end is None else end_mark(view, end.at)


PAGE = Page("/endpoints", Text("Điểm kết nối", "Endpoints"), build, icon="hub", roles=STAFF)
