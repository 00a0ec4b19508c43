"""Tra cứu dữ liệu cá nhân: who asked about whom, why, and what was seen. Looking is journalled.

A person's number is never put into an address: it is hashed with the ledger's key and forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Html, table, tag
from bus.console.marks import mark
from bus.console.rights import Act, Role
from bus.console.visitor import Visitor
from bus.ledger.accesses import ANSWERED, ASKED, READ, SUBJECT_KEY, AccessRow, subject_hash
from bus.ops.reasons import title_of
from schemas.errors import Text

PATH = "/accesses"
SHOWN = 200


async def build(view: View) -> None:
    say = view.say
    with ui.element("div").classes("row-of") as form:
        person = ui.input(
            say("Số định danh; để trống: mới nhất", "A person's number; empty: latest")
        )
        person.props("outlined dense autocomplete=off").classes("wide")
        service = ui.input(say("Dịch vụ", "Service"), value=view.given("service"))
        service.props("outlined dense")
    found = ui.element("div").classes("stack")

    async def look() -> None:
        await view.act(Act.ACCESSES, read)

    async def read(now: Visitor) -> str:
        subject = _subject(view, person.value or "")
        rows = await view.ledger.accesses.find(
            subject=subject, service=(service.value or "").strip() or None, limit=SHOWN
        )
        about = {"subject": subject.hex()} if subject is not None else {}
        await view.ledger.note(READ, actor=now.actor, data=about)
        person.value = ""
        found.clear()
        with found:
            view.html(_drawn(view, rows))
        return say(
            f"{len(rows)} lượt; lần xem này đã được ghi.",
            f"{len(rows)} accesses; this look is kept.",
        )

    with form:
        view.button("Tra cứu", "Look up", look, kind="main", icon="search")


def _subject(view: View, number: str) -> bytes | None:
    """None: nobody was named. Raises ConfigurationError when the bus has no such secret."""
    if not number.strip():
        return None
    return subject_hash(view.console.secret(SUBJECT_KEY), number)


def _drawn(view: View, rows: Sequence[AccessRow]) -> Html:
    say = view.say
    columns = [
        say("Lúc", "At"),
        say("Dịch vụ, thao tác", "Service, operation"),
        say("Hệ thống", "Client"),
        say("Cơ quan", "Agency"),
        say("Cán bộ", "Officer"),
        say("Mục đích", "Purpose"),
        say("Trường đã xem", "Fields seen"),
        say("Kết quả", "Outcome"),
    ]
    cells = [
        (
            say.moment(row.at),
            f"{row.service} {row.operation}",
            row.client,
            view.agency(row.agency) if row.agency else "",
            row.officer,
            row.purpose,
            tag("small", ", ".join(row.fields)),
            _outcome(view, row.outcome),
        )
        for row in rows
    ]
    empty = say("Không có lượt tra cứu nào.", "No accesses.")
    return table(say("Lượt tra cứu", "Accesses"), columns, cells, empty=empty)


def _outcome(view: View, outcome: str) -> Html:
    if outcome == ANSWERED:
        return mark("✓", "good", view.say("đã trả lời", "answered"))
    if outcome == ASKED:
        return mark("…", "warn", view.say("chưa rõ kết quả", "outcome unknown"))
    return mark("✗", "bad", view.say.text(title_of(outcome)))


PAGE = Page(
    PATH,
    Text("Tra cứu dữ liệu cá nhân", "Personal data"),
    build,
    icon="policy",
    roles=frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
)
