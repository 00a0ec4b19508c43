"""Hồ sơ: deadlines by agency and period, what is late or held, and what portals have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus.console import filters
from bus.console.filters import chosen_agencies, chosen_period, counted, figures, with_query
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, code, link, table, tag
from bus.console.marks import STATES, mark
from bus.console.why import beneath
from bus.ledger.dossier_queries import DossierRow, Held, PortalRow
from bus.ops import dossier_figures, dossier_standing
from bus.ops.dossier_standing import Pressing, Urgency
from bus.ops.reasons import reason_of
from schemas.delivery import DeliveryState
from schemas.dossier.figures import Figures, total
from schemas.dossier.life import TITLES, DossierStatus
from schemas.errors import InvalidRequest, Text

PATH, ONE = "/dossiers", "/dossier"
SHOWN = 500  # rows of a list
KEPT_SECONDS = 15
_COLUMNS = (
    *("carried", "received", "received_online", "early", "on_time", "late", "open", "open_late"),
    *("withdrawn", "refused"),
)
_LISTS: dict[str, Text] = {
    "late": Text("Hồ sơ đang quá hạn", "Dossiers open and late"),
    "soon": Text("Hồ sơ sắp đến hạn", "Dossiers soon due"),
    "held": Text("Hồ sơ, bước xử lý đang bị giữ", "Records and steps held"),
}


async def build(view: View) -> None:
    agencies, period = chosen_agencies(view), chosen_period(view)
    view.html(_finder(view))
    view.html(filters.form(view, PATH, period=period))
    if view.given("show"):
        await _list(view, agencies)
        return
    late = await _pressing(view, agencies)
    held = await view.ledger.dossiers.held_counts(senders=agencies)
    view.heading("Cần xử lý bây giờ", "To be dealt with now")
    view.html(_standing(view, late, held))
    view.heading("Giải quyết hồ sơ trong kỳ", "Dossiers settled in the period")
    view.html(_figures(view, await _counted(view, agencies)))
    view.heading("Đồng bộ lên các cổng trong kỳ", "What portals have got in the period")
    rows = await view.ledger.dossiers.portals(
        senders=agencies, since=period.since, until=period.until
    )
    view.html(_portals(view, rows))
    query = with_query("/reports", period=period.name, agency=view.given("agency"))
    view.html(
        tag("p", link(view.say("Lập báo cáo của kỳ này", "Make this period's report"), query))
    )


# --- reading -------------------------------------------------------------------------------------


async def _pressing(view: View, agencies: frozenset[str] | None) -> list[Pressing]:
    async def make() -> list[Pressing]:
        return await dossier_standing.pressing(
            view.ledger.dossiers,
            senders=agencies,
            calendar=view.snapshot.calendar,
            now=view.ledger.clock(),
        )

    return await view.console.shared.get(("pressing", agencies), make, seconds=KEPT_SECONDS)


async def _counted(view: View, agencies: frozenset[str] | None) -> list[Figures]:
    period, snapshot = chosen_period(view), view.snapshot

    async def make() -> list[Figures]:
        return await dossier_figures.of_period(
            view.ledger.dossiers,
            first=period.first,
            last=period.last,
            senders=agencies,
            calendar=snapshot.calendar,
            procedures=snapshot.procedures,
            now=view.ledger.clock(),
        )

    key = ("dossier-figures", period.name, agencies)
    return await view.console.shared.get(key, make, seconds=KEPT_SECONDS)


# --- drawing -------------------------------------------------------------------------------------


def _finder(view: View) -> Html:
    label = view.say("Hồ sơ đang ở đâu? Nhập mã hồ sơ", "Where is a dossier? Type its code")
    field = tag("input", id="code", name="code", type="search", required="required")
    return tag(
        "form",
        tag("div", tag("label", label, for_="code"), field, class_="wide"),
        tag("button", view.say("Tìm", "Find"), type="submit"),
        method="get",
        action=ONE,
        role="search",
        class_="filters",
    )


def _link(view: View, show: str, **more: str) -> str:
    return with_query(PATH, show=show, agency=view.given("agency"), **more)


def _standing(view: View, found: Sequence[Pressing], held: Sequence[tuple[str, str, int]]) -> Html:
    say = view.say
    late = sum(each.urgency == "late" for each in found)
    rows: list[tuple[Html, Cell]] = [
        (_urgency(view, "late"), counted(view, late, _link(view, "late"))),
        (_urgency(view, "soon"), counted(view, len(found) - late, _link(view, "soon"))),
    ]
    for endpoint, why, count in held:
        held_back = Text(f"{endpoint}: bị giữ", f"{endpoint}: held")
        text = say.text(held_back) + say.text(reason_of(why).clause())
        rows.append((mark("‖", "warn", text), counted(view, count, _link(view, "held", why=why))))
    columns = [say("Việc", "What"), say("Số lượng", "How many")]
    caption = say("Hồ sơ cần xử lý", "Dossiers to deal with")
    return figures(table(caption, columns, rows, empty=""))


def _urgency(view: View, urgency: Urgency) -> Html:
    if urgency == "late":
        return mark("✗", "bad", view.say("Đang giải quyết, quá hạn", "Open, late"))
    days = dossier_standing.SOON_DAYS
    text = view.say(f"Đến hạn trong {days} ngày làm việc", f"Due within {days} working days")
    return mark("!", "warn", text)


def _figures(view: View, rows: Sequence[Figures]) -> Html:
    say, words = view.say, dossier_figures.COLUMNS
    columns = [
        say("Cơ quan", "Agency"),
        *(say(*words[name]) for name in _COLUMNS),
        say("Tỷ lệ đúng hạn", "On time"),
        say("Tỷ lệ trực tuyến", "Online"),
    ]
    shown = [*rows, total(rows)] if len(rows) > 1 else list(rows)
    cells = [
        (
            view.agency(row.agency) if row.agency else tag("strong", say("Tổng", "Total")),
            *(say.number(getattr(row, name)) for name in _COLUMNS),
            _share(view, dossier_figures.on_time_share(row)),
            _share(view, dossier_figures.online_share(row)),
        )
        for row in shown
    ]
    empty = say("Kỳ này không có hồ sơ.", "No dossiers in this period.")
    caption = say("Số liệu hồ sơ", "Figures of dossiers")
    return figures(table(caption, columns, cells, empty=empty))


def _share(view: View, share: float | None) -> str:
    return "" if share is None else f"{view.say.number(share, 1)} %"


_PORTAL_STATES = (
    (DeliveryState.DELIVERED,),
    (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING),
    (DeliveryState.HELD,),
    (DeliveryState.REJECTED,),
    (DeliveryState.DEAD, DeliveryState.EXPIRED),
)


def _portals(view: View, rows: Sequence[PortalRow]) -> Html:
    say = view.say
    by_portal: dict[str, dict[DeliveryState, int]] = {}
    for row in rows:
        by_portal.setdefault(row.endpoint, {})[row.state] = row.count
    columns = [say("Cổng", "Portal"), *(say.text(STATES[group[0]][2]) for group in _PORTAL_STATES)]
    cells = [
        (portal, *(_in_states(view, portal, counts, group) for group in _PORTAL_STATES))
        for portal, counts in by_portal.items()
    ]
    empty = say("Kỳ này không gửi hồ sơ tới cổng nào.", "Nothing was sent to a portal.")
    caption = say("Bản ghi và bước xử lý, theo cổng", "Records and steps, by portal")
    return figures(table(caption, columns, cells, empty=empty))


def _in_states(
    view: View,
    portal: str,
    counts: Mapping[DeliveryState, int],
    group: tuple[DeliveryState, ...],
) -> Cell:
    """What needs somebody leads to where something can be done about it."""
    number = sum(counts.get(state, 0) for state in group)
    if group[0] is DeliveryState.DELIVERED:
        return view.say.number(number)
    return counted(view, number, with_query("/deliveries", endpoint=portal, state=group[0].value))


# --- the list behind a number --------------------------------------------------------------------


async def _list(view: View, agencies: frozenset[str] | None) -> None:
    show = view.given("show")
    if show not in _LISTS:
        raise InvalidRequest(f"there is no list {show}", vi=f"Không có danh sách {show}")
    back = with_query(PATH, agency=view.given("agency"))
    view.html(tag("p", link(view.say("← Mọi số liệu", "← All figures"), back)))
    view.heading(*_LISTS[show])
    if show == "held":
        why = view.given("why") or None
        view.html(_held(view, await view.ledger.dossiers.held(senders=agencies, why=why)))
        return
    found = [each for each in await _pressing(view, agencies) if each.urgency == show]
    if len(found) > SHOWN:
        text = view.say(
            f"Hiện {SHOWN} trong {len(found)}; chọn cơ quan để xem đủ.",
            f"{SHOWN} of {len(found)} are shown; choose an agency to see all.",
        )
        view.html(tag("p", text, class_="note"))
    view.html(_listed(view, found[:SHOWN]))


def dossier_link(row: DossierRow) -> Html:
    return link(row.code, with_query(ONE, code=row.code, agency=row.sender))


def _listed(view: View, found: Sequence[Pressing]) -> Html:
    say, now = view.say, view.ledger.clock()
    columns = [
        say("Mã hồ sơ", "Dossier"),
        say("Cơ quan", "Agency"),
        say("Thủ tục", "Procedure"),
        say("Trạng thái", "Status"),
        say("Tiếp nhận", "Received"),
        say("Hẹn trả", "Due"),
        say("Còn / quá", "Left / late"),
    ]
    cells = [
        (
            dossier_link(each.row),
            view.agency(each.row.sender),
            _procedure(view, each.row.procedure),
            say.text(TITLES[DossierStatus(each.row.status)]),
            say.moment(each.row.received_at),
            say.moment(each.due_at),
            _left(view, each, now),
        )
        for each in found
    ]
    caption = say("Hồ sơ", "Dossiers")
    return table(caption, columns, cells, empty=say("Không có hồ sơ nào.", "No dossiers."))


def _procedure(view: View, given: str) -> str:
    known = view.snapshot.procedures.get(given)
    return f"{known.name} ({given})" if known is not None and known.name else given


def _left(view: View, each: Pressing, now: int) -> Html:
    if each.urgency == "late":
        text = view.say(
            f"quá {view.say.span(now - each.due_at)}", f"{view.say.span(now - each.due_at)} late"
        )
        return mark("✗", "bad", text)
    span = view.say.span(each.due_at - now)
    return mark("!", "warn", view.say(f"còn {span}", f"{span} left"))


def _held(view: View, rows: Sequence[Held]) -> Html:
    say = view.say
    columns = [
        say("Mã hồ sơ", "Dossier"),
        say("Cơ quan", "Agency"),
        say("Cổng", "Portal"),
        say("Vì sao, ai xử lý", "Why, and who acts"),
        say("Từ lúc", "Since"),
        say("Thông điệp", "Message"),
    ]
    cells = [
        (
            link(row.code, with_query(ONE, code=row.code, agency=row.sender)),
            view.agency(row.sender),
            row.endpoint,
            _why(view, row),
            say.moment(row.created_at),
            link(code(row.message_id), f"/message/{row.message_id}"),
        )
        for row in rows
    ]
    caption = say("Bản ghi và bước bị giữ", "Records and steps held")
    return table(caption, columns, cells, empty=say("Không có gì bị giữ.", "Nothing is held."))


def _why(view: View, row: Held) -> Html:
    reason = reason_of(row.why, row.detail)
    said = mark("‖", "warn", view.say.text(reason.said))
    return beneath(view.say, said, reason.quoted)


PAGE = Page(PATH, Text("Hồ sơ", "Dossiers"), build, icon="folder_shared")
