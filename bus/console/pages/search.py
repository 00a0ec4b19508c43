"""Tìm kiếm: a message by any id, number, code, agency or time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from urllib.parse import urlencode

from bus.console.frame import Page, View
from bus.console.html import Html, code, link, table, tag
from bus.console.marks import kind_word
from bus.console.rights import Act
from bus.ledger.records import MessageRow
from bus.ledger.search import Asked
from bus.ops.wording import KINDS
from schemas.errors import InvalidRequest, Text
from schemas.instant import Instant
from schemas.vietnam import start_of

LIMIT = 50


async def build(view: View) -> None:
    view.html(_form(view))
    asked = _asked(view)
    after = view.given("after") or None
    agencies = view.visitor.agencies
    rows = await view.ledger.search.find(asked, agencies=agencies, after=after, limit=LIMIT)
    if asked.text and not rows and view.visitor.may(Act.REVEAL):  # words of it are guessed there
        found = await view.ledger.subjects.find(asked.text, agencies=agencies, limit=LIMIT)
        view.html(tag("p", _about_subjects(view, len(found)), class_="note"))
        rows = found
    view.html(listed(view, rows))
    if len(rows) == LIMIT:
        view.html(_next(view, rows[-1].id))


def _asked(view: View) -> Asked:
    """Raises InvalidRequest."""
    given = view.given("agency")
    agency = ""
    if given:
        known = view.snapshot.directory.get(given.upper())
        agency = known.code if known is not None else given
    return Asked(
        text=view.given("text"),
        agency=agency,
        kind=view.given("kind"),
        since=_start(view.given("from")),
        until=_start(view.given("to"), days=1),
    )


def _start(text: str, days: int = 0) -> Instant | None:
    if not text:
        return None
    try:
        return start_of(date.fromisoformat(text) + timedelta(days=days))
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "a day is written 2026-11-24", vi="ngày viết dạng 2026-11-24", field="from"
        ) from None


def _form(view: View) -> Html:
    """A plain form: the address says what was looked for."""
    say = view.say
    hint = say(
        "mã bất kỳ, số/ký hiệu, mã hồ sơ, từ trong trích yếu",
        "any id, document number, dossier code, words of a subject",
    )
    kinds = [tag("option", say("mọi loại", "any kind"), value="")]
    for kind in KINDS:
        chosen = "selected" if kind == view.given("kind") else None
        kinds.append(tag("option", kind_word(say, kind), value=kind, selected=chosen))
    return tag(
        "form",
        _field("text", say("Tìm", "Find"), view.given("text"), placeholder=hint),
        _field("agency", say("Mã cơ quan", "Agency code"), view.given("agency")),
        tag(
            "div",
            tag("label", say("Loại", "Kind"), for_="kind"),
            tag("select", *kinds, id="kind", name="kind"),
        ),
        _field("from", say("Từ ngày", "From"), view.given("from"), type_="date"),
        _field("to", say("Đến ngày", "To"), view.given("to"), type_="date"),
        tag("button", say("Tìm", "Search"), type="submit"),
        method="get",
        action="/search",
        role="search",
        class_="filters",
    )


def _field(
    name: str, label: str, value: str, *, type_: str = "search", placeholder: str | None = None
) -> Html:
    wide = "wide" if placeholder else None
    given = {"id": name, "name": name, "type": type_, "value": value, "placeholder": placeholder}
    return tag("div", tag("label", label, for_=name), tag("input", **given), class_=wide)


def listed(view: View, rows: Sequence[MessageRow]) -> Html:
    say = view.say
    columns = [
        say("Tiếp nhận", "Accepted"),
        say("Loại", "Kind"),
        say("Số/ký hiệu hoặc mã hồ sơ", "Number or dossier"),
        say("Cơ quan gửi", "Sender"),
        say("Nơi nhận", "Receivers"),
        say("Mã thông điệp", "Message id"),
    ]
    cells = [
        (
            say.moment(row.accepted_at),
            kind_word(say, row.kind),
            row.document_code or row.document_id,
            view.agency(row.sender),
            " ".join(row.receivers),
            link(code(row.id), f"/message/{row.id}"),
        )
        for row in rows
    ]
    empty = say("Không tìm thấy thông điệp nào.", "No message was found.")
    return table(say("Thông điệp", "Messages"), columns, cells, empty=empty)


def _about_subjects(view: View, count: int) -> str:
    return view.say(
        f"Không có mã nào như vậy. Tìm trong trích yếu văn bản, mới nhất trước: {count}.",
        f"No such id or number. Looked into the subjects of documents, newest first: {count}.",
    )


def _next(view: View, last: str) -> Html:
    query = {k: v for k, v in view.request.query_params.items() if k != "after"} | {"after": last}
    following = view.say("Trang sau", "Next page")
    return tag("p", link(f"{following} →", f"/search?{urlencode(query)}"))


PAGE = Page("/search", Text("Tìm kiếm", "Search"), build, icon="search")
