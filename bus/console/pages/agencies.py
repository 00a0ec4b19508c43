"""Cơ quan: the directory."""

from __future__ import annotations

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Html, code, join, link, table, tag
from bus.console.rights import STAFF, Act
from routing.directory import Directory
from schemas.errors import Text
from schemas.province import Agency

LIMIT = 50


async def build(view: View) -> None:
    say = view.say
    words, after = view.given("q"), view.given("after")
    with ui.element("div").classes("line"):
        typed = ui.input(say("Tìm theo mã hoặc tên", "Search by code or name"), value=words)
        typed.props("outlined dense clearable").classes("wide")

        def search() -> None:
            view.remember(q=(typed.value or "").strip())
            draw(typed.value or "", "")

        typed.on("keydown.enter", search)
        view.button("Tìm", "Search", search, icon="search")
        if view.visitor.may(Act.CONFIGURE):
            text = say("Thêm cơ quan", "Connect an agency")
            view.html(link(text, "/agencies/new", class_="act-link"))
    place = ui.element("div").props('aria-live="polite"')

    def draw(text: str, follows: str) -> None:
        directory = view.snapshot.directory
        found = directory.search(text, LIMIT + 1, follows or None)
        place.clear()
        with place:
            view.html(_listed(view, directory, found[:LIMIT]))
            if len(found) > LIMIT:
                following = say("Trang sau", "Next page")
                view.html(link(following, f"/agencies?q={text}&after={found[LIMIT - 1].code}"))

    draw(words, after)


def _listed(view: View, directory: Directory, found: list[Agency]) -> Html:
    say = view.say
    clients: dict[str, list[str]] = {}
    for client in view.snapshot.clients.values():
        for own in client.agencies:
            clients.setdefault(own, []).append(client.id)
    rows = [
        (
            link(code(agency.code), f"/agency/{agency.code}"),
            agency.name,
            agency.parent,
            join(*(alias.code for alias in agency.aliases), by=", "),
            served_by(view, directory, agency),
            join(*clients.get(agency.code, ()), by=", "),
        )
        for agency in found
    ]
    columns = [
        say("Mã", "Code"),
        say("Tên", "Name"),
        say("Cấp trên", "Parent"),
        say("Mã khác", "Other codes"),
        say("Điểm kết nối", "Endpoint"),
        say("Hệ thống gọi trục", "Calls as"),
    ]
    empty = say("Không có cơ quan nào.", "No agencies.")
    total = say(
        f"{say.number(len(directory))} cơ quan trong danh bạ",
        f"{say.number(len(directory))} agencies in the directory",
    )
    listing = table(say("Cơ quan", "Agencies"), columns, rows, empty=empty)
    return tag("div", tag("p", total), listing)


def served_by(view: View, directory: Directory, agency: Agency) -> str:
    """Its endpoint, and from whom it is inherited."""
    connection = directory.endpoint_of(agency)
    if connection is None:
        return view.say("chưa kết nối", "not connected")
    if connection.inherited_from is None:
        return connection.endpoint
    return view.say(
        f"{connection.endpoint} (của {connection.inherited_from})",
        f"{connection.endpoint} (of {connection.inherited_from})",
    )


PAGE = Page("/agencies", Text("Cơ quan", "Agencies"), build, icon="account_balance", roles=STAFF)
