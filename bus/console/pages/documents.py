"""Văn bản: what concerns each agency now, the list behind each number, figures of a period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from bus.console import filters
from bus.console.filters import chosen_agencies, chosen_period, counted, figures, with_query
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, link, table, tag
from bus.console.marks import exchange_mark, mark
from bus.ledger.exchange_queries import Concern, ExchangeRow, Figures, Side, Standing
from bus.ops import reports
from bus.ops.documents import refused_since
from schemas.errors import InvalidRequest, Text
from schemas.exchange import Recall
from schemas.vietnam import day_of

PATH = "/documents"
LIMIT = 50
FRESH_SECONDS = 15

_CONCERNS: dict[Concern, Text] = {
    "unread": Text("Đã đến, chưa tiếp nhận", "Arrived, not accepted"),
    "late": Text("Nhiệm vụ quá hạn", "Overdue tasks"),
    "refused": Text("Bị từ chối (30 ngày)", "Refused (30 days)"),
    "recall": Text("Xin lấy lại, chưa trả lời", "Asked back, no answer"),
}
_SIDES: dict[Side, Text] = {
    "receiver": Text("cơ quan nhận", "receiver"),
    "sender": Text("cơ quan gửi", "sender"),
}


async def build(view: View) -> None:
    agencies, side = chosen_agencies(view), _side(view)
    period = chosen_period(view)
    sides = [(name, view.say.text(text)) for name, text in _SIDES.items()]
    by = filters.select(view.say("Tính theo", "Counted by"), "side", sides, side)
    view.html(filters.form(view, PATH, period=period, more=[by]))
    if view.given("concern"):
        await _list(view, side, agencies)
        return
    now = view.ledger.clock()

    async def make() -> list[Standing]:
        return await view.ledger.exchanges.standing(
            side, agencies=agencies, now=now, refused_since=refused_since(now)
        )

    async def count() -> list[Figures]:
        return await view.ledger.exchanges.figures(
            agencies=agencies, since=period.since, until=period.until, now=now
        )

    shared = view.console.shared
    standing = await shared.get(("documents", side, agencies), make, seconds=FRESH_SECONDS)
    view.heading("Cần xử lý bây giờ", "To be dealt with now")
    view.html(_standing(view, side, standing))
    view.heading("Số liệu trong kỳ, theo cơ quan nhận", "Figures of the period, by receiver")
    in_period = await shared.get(
        ("document-figures", period.name, agencies), count, seconds=FRESH_SECONDS
    )
    view.html(_figures(view, in_period))
    query = with_query("/reports", period=period.name, agency=view.given("agency"))
    view.html(
        tag("p", link(view.say("Lập báo cáo của kỳ này", "Make this period's report"), query))
    )


def _side(view: View) -> Side:
    return "sender" if view.given("side") == "sender" else "receiver"


def _standing(view: View, side: Side, rows: Sequence[Standing]) -> Html:
    say, now = view.say, view.ledger.clock()

    def number(row: Standing, concern: Concern) -> Cell:
        href = with_query(PATH, concern=concern, side=side, agency=row.agency)
        return counted(view, getattr(row, concern), href)

    columns = [
        say.text(_SIDES[side]).capitalize(),
        *(say.text(text) for text in _CONCERNS.values()),
        say("Chờ lâu nhất", "Longest unread"),
    ]
    cells = [
        (
            view.agency(row.agency),
            *(number(row, concern) for concern in _CONCERNS),
            "" if row.oldest_unread is None else say.span(now - row.oldest_unread),
        )
        for row in rows
    ]
    caption = say("Văn bản cần xử lý, theo cơ quan", "Documents to be dealt with, by agency")
    empty = say("Không có gì tồn.", "Nothing is left.")
    return figures(table(caption, columns, cells, empty=empty))


def _figures(view: View, rows: Sequence[Figures]) -> Html:
    say = view.say
    columns = [
        say("Cơ quan nhận", "Receiver"),
        *(say(vi, en) for vi, en in reports.COLUMNS.values()),
    ]
    cells = [
        (view.agency(row.agency), *(say.number(getattr(row, name)) for name in reports.COLUMNS))
        for row in rows
    ]
    caption = say("Số liệu văn bản trong kỳ", "Figures of documents in the period")
    empty = say("Kỳ này không có văn bản.", "No documents in this period.")
    return figures(table(caption, columns, cells, empty=empty))


# --- the list behind a number --------------------------------------------------------------------


async def _list(view: View, side: Side, agencies: frozenset[str] | None) -> None:
    concern, now = _concern(view), view.ledger.clock()
    rows = await view.ledger.exchanges.of_concern(
        concern,
        side,
        agencies=agencies,
        now=now,
        refused_since=refused_since(now),
        after=_after(view),
        limit=LIMIT,
    )
    back = with_query(PATH, side=side, agency=view.given("agency"))
    view.html(tag("p", link(view.say("← Mọi cơ quan", "← All agencies"), back)))
    title = _CONCERNS[concern]
    view.heading(title.vi, title.en)
    view.html(listed(view, rows))
    if len(rows) == LIMIT:
        last = rows[-1]
        view.html(filters.next_page(view, PATH, f"{last.message_id},{last.receiver}"))


def _concern(view: View) -> Concern:
    given = view.given("concern")
    known: tuple[Concern, ...] = get_args(Concern)
    for concern in known:
        if concern == given:
            return concern
    raise InvalidRequest(
        f"there is no list {given}", vi=f"Không có danh sách {given}", field="concern"
    )


def _after(view: View) -> tuple[str, str] | None:
    message_id, comma, receiver = view.given("after").partition(",")
    return (message_id, receiver) if comma else None


def listed(view: View, rows: Sequence[ExchangeRow]) -> Html:
    say = view.say
    columns = [
        say("Số/ký hiệu", "Number"),
        say("Gửi", "Sender"),
        say("Nhận", "Receiver"),
        say("Trạng thái", "State"),
        say("Hạn xử lý", "Due"),
        say("Gửi lúc", "Sent"),
        say("Đến lúc", "Arrived"),
        say("Việc tiếp theo", "What now"),
    ]
    cells = [
        (
            link(row.document_code or row.document_id, f"/message/{row.message_id}"),
            view.agency(row.sender),
            view.agency(row.receiver),
            exchange_mark(say, row.state),
            "" if row.due_at is None else f"{day_of(row.due_at - 1):%d/%m/%Y}",
            say.moment(row.sent_at),
            say.moment(row.arrived_at),
            _next(view, row),
        )
        for row in rows
    ]
    empty = say("Không có văn bản nào.", "No documents.")
    return table(say("Văn bản", "Documents"), columns, cells, empty=empty)


def _next(view: View, row: ExchangeRow) -> Html:
    say = view.say
    if row.recall is Recall.ASKED:
        text = say("nơi nhận trả lời yêu cầu lấy lại", "the receiver answers the recall")
        return mark("↩", "warn", text)
    if row.state.value == "arrived":
        return mark("!", "warn", say("nơi nhận tiếp nhận", "the receiver accepts it"))
    if row.state.value == "refused":
        return mark("✗", "bad", say("nơi gửi xem lý do", "the sender looks why"))
    return mark("!", "warn", say("nơi nhận xử lý xong", "the receiver finishes it"))


PAGE = Page(PATH, Text("Văn bản", "Documents"), build, icon="description")
