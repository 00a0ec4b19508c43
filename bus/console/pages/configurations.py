"""Lịch sử cấu hình: who changed what and why, what differs, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Html, link, table, tag
from bus.console.proposing import Review, applied, plan_table
from bus.console.rights import STAFF, Act
from bus.ledger.config_store import RevisionRow
from bus.ops.province_change import as_of
from bus.ops.province_diff import changes_between
from bus.ops.wording import DECLARED
from schemas.errors import InvalidRequest, LgspError, Text

LIMIT = 30
NAMED = 3  # items of a revision that its row names


async def build(view: View) -> None:
    say = view.say
    applied(view)
    before = _number(view.given("before"))
    rows = await view.ledger.config.revisions(LIMIT + 1, before=before)
    view.html(_listed(view, rows[:LIMIT]))
    if len(rows) > LIMIT:
        older = f"/configurations?before={rows[LIMIT - 1].revision}"
        view.html(link(say("Cũ hơn", "Older"), older))
    view.heading("So sánh hai phiên bản", "Compare two revisions")
    latest = await view.ledger.config.revision()
    with ui.element("div").classes("line"):
        one = ui.number(
            say("Từ phiên bản", "From revision"),
            value=_number(view.given("from"), max(latest - 1, 0)),
            min=0,
            max=latest,
        )
        other = ui.number(
            say("Tới phiên bản", "To revision"),
            value=_number(view.given("to"), latest),
            min=0,
            max=latest,
        )
        for each in (one, other):
            each.props("outlined dense")

        async def compare() -> None:
            shown.clear()
            first, second = int(one.value or 0), int(other.value or 0)
            try:
                old, new = await as_of(view.ledger, first), await as_of(view.ledger, second)
            except LgspError as error:
                view.tell(error)
                return
            view.remember(**{"from": str(first), "to": str(second)})
            with shown:
                view.html(plan_table(view, changes_between(old, new)))

        view.button("So sánh", "Compare", compare, icon="difference")
    shown = ui.element("div").props('aria-live="polite"')
    if view.given("from"):
        await compare()
    if view.visitor.may(Act.CONFIGURE):
        _way_back(view, latest)


def _way_back(view: View, latest: int) -> None:
    say = view.say
    view.heading("Trở lại một phiên bản", "Go back to a revision")
    told = say(
        "Áp dụng lại khai báo của phiên bản cũ thành một phiên bản mới; lịch sử giữ nguyên. Khóa "
        "của các hệ thống và danh bạ lấy từ đối tác không đổi.",
        "What an old revision declared is put in force again as a new one; history stays. Keys of "
        "systems, and what partners' directories brought, do not change.",
    )
    view.html(tag("p", told, class_="help"))
    with ui.element("div").classes("line"):
        back = ui.number(
            say("Trở lại phiên bản", "Back to revision"),
            value=max(latest - 1, 0),
            min=0,
            max=latest,
        ).props("outlined dense")

        async def look() -> None:
            try:
                then = await as_of(view.ledger, int(back.value or 0))
            except LgspError as error:
                view.tell(error)
            else:
                await review.show(lambda _current: then)

        view.button("Xem thay đổi", "Look at the change", look)

    review = Review(view)


def _listed(view: View, rows: Sequence[RevisionRow]) -> Html:
    say = view.say
    cells = [
        (
            link(
                str(row.revision),
                f"/configurations?from={row.revision - 1}&to={row.revision}",
            ),
            say.moment(row.at),
            row.actor,
            row.reason,
            _what(view, row.changes),
        )
        for row in rows
    ]
    columns = [
        say("Phiên bản", "Revision"),
        say("Lúc", "When"),
        say("Ai", "Who"),
        say("Lý do", "Why"),
        say("Thay đổi", "What"),
    ]
    empty = say("Chưa áp dụng cấu hình nào.", "Nothing was ever put in force.")
    return table(say("Các phiên bản", "Revisions"), columns, cells, empty=empty)


def _what(view: View, changes: Sequence[dict[str, Any]]) -> str:
    """How many of each kind; their names while they are few."""
    say = view.say
    if len(changes) <= NAMED:
        signs = {"added": "+", "changed": "~", "removed": "−"}
        return ", ".join(
            f"{signs[c['action']]} {say.text(DECLARED[c['kind']])} {c['name']}" for c in changes
        )
    counts = Counter(change["kind"] for change in changes)
    return ", ".join(f"{say.text(DECLARED[kind])}: {number}" for kind, number in counts.items())


def _number(text: str, otherwise: int | None = None) -> int | None:
    if not text:
        return otherwise
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRequest(
            f"{text[:20]!r} is not a revision", vi=f"{text[:20]!r} không phải số phiên bản"
        )
    return int(text)


PAGE = Page(
    "/configurations", Text("Lịch sử cấu hình", "History"), build, icon="difference", roles=STAFF
)
