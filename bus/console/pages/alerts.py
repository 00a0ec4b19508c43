"""Cảnh báo: what is wrong now, whose fault it likely is and what to do; silences; what was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Cell, Html, code, join, link, table, tag
from bus.console.marks import mark
from bus.console.rights import STAFF, Act
from bus.console.visitor import Visitor
from bus.ledger import alerts
from bus.ledger.alerts import AlertRow, Silence
from bus.ops.alerts.settle import is_silenced
from bus.ops.alerts.wording import SEVERITIES
from schemas.errors import InvalidRequest, Text
from schemas.instant import SECOND

PATH = "/alerts"
HISTORY = 50
LEAST_REASON = 5
SPANS: dict[int, Text] = {
    1_800: Text("30 phút", "30 minutes"),
    2 * 3_600: Text("2 giờ", "2 hours"),
    8 * 3_600: Text("8 giờ", "8 hours"),
    86_400: Text("1 ngày", "1 day"),
    7 * 86_400: Text("7 ngày", "7 days"),
}


async def build(view: View) -> None:
    if not view.console.alerts.channels:
        text = view.say(
            "Chưa đặt kênh nào (thư, webhook): cảnh báo chỉ hiện ở đây.",
            "No channel is set (mail, webhook): alerts are shown here alone.",
        )
        view.html(tag("p", mark("!", "warn", text)))
    firing = ui.element("div").props('aria-live="polite"').classes("stack")
    view.heading("Đang tắt tiếng", "Silenced")
    hushed = ui.element("div").classes("stack")
    form: _Form | None = None
    shown: object = None

    async def read() -> None:
        nonlocal shown
        rows = sorted(
            (row for row in await view.ledger.alerts.unresolved() if row.raised_at is not None),
            key=lambda row: (row.severity, -row.since),
        )
        silences = await view.ledger.alerts.silences(view.ledger.clock())
        now = ([(row.id, row.severity, row.what, row.told_at) for row in rows], silences)
        if now == shown:
            return
        shown = now
        firing.clear()
        with firing:
            view.html(_firing(view, rows, silences))
        hushed.clear()
        with hushed:
            _silences(view, silences, read)
        history.clear()
        with history:
            view.html(await _history(view))
        if form is not None:
            form.offer(rows)

    if view.visitor.may(Act.SILENCE):
        form = _Form(view, read)
    view.heading("Lịch sử cảnh báo", "Alert history")
    history = ui.element("div")
    await read()
    view.fresh(read)


# --- now -----------------------------------------------------------------------------------------


def _firing(view: View, rows: Sequence[AlertRow], silences: Sequence[Silence]) -> Html:
    if not rows:
        text = view.say("Không có cảnh báo nào.", "No alerts.")
        return tag("p", mark("✓", "good", text))
    return tag("ul", *(_alert(view, row, silences) for row in rows), class_="alerts")


def _alert(view: View, row: AlertRow, silences: Sequence[Silence]) -> Html:
    say, now = view.say, view.ledger.clock()
    if is_silenced(row.key, silences, now):
        told = mark("‖", "off", say("đang tắt tiếng", "silenced"))
    elif row.told_at is not None and view.console.alerts.channels:
        told = join(say("đã báo", "told"), say.moment(row.told_at))
    else:
        told = Html(say("chưa báo kênh nào", "no channel is told"))
    since = join(say("từ", "since"), say.moment(row.since), f"({say.span(now - row.since)})")
    return tag(
        "li",
        tag("p", _severity(view, row), tag("strong", say.text(row.what)), class_="row-of"),
        tag("p", join(say("Có thể do:", "Likely cause:"), say.text(row.cause))),
        tag("p", join(say("Việc cần làm:", "Next step:"), say.text(row.step), _where(view, row))),
        tag("p", join(since, told, code(row.key), by=" · "), class_="note"),
        class_=row.severity,
    )


def _severity(view: View, row: AlertRow) -> Html:
    word = view.say.text(SEVERITIES[row.severity])
    return mark("✗", "bad", word) if row.severity == "critical" else mark("!", "warn", word)


def _where(view: View, row: AlertRow) -> Cell:
    """The page of the culprit."""
    kind, _, name = row.culprit.partition(":")
    client = view.snapshot.clients.get(name) if kind == "client" else None
    if client is not None and client.agencies:
        kind, name = "agency", client.agencies[0]
    address = {
        "endpoint": f"/endpoints?{urlencode({'name': name})}",
        "agency": f"/agency/{name}",
        "service": "/services",
    }.get(kind)
    return None if address is None else link(view.say("Mở trang", "Open its page"), address)


# --- silences ------------------------------------------------------------------------------------


_Again = Callable[[], Awaitable[None]]


class _Form:
    """Which alert, for how long, why."""

    def __init__(self, view: View, again: _Again) -> None:
        self._view = view
        say = view.say
        folded = ui.expansion(say("Tắt tiếng một cảnh báo", "Silence an alert"))
        with folded, ui.element("div").classes("stack"):
            told = say(
                "Không kênh nào được báo trong thời hạn đó; cảnh báo vẫn ghi sổ và hiện ở đây. "
                "* thay cho bất kỳ: backlog-age:so-y-te/*, *:so-y-te.",
                "No channel is told for that time; the alert is kept and shown here all the same. "
                "* stands for anything: backlog-age:so-y-te/*, *:so-y-te.",
            )
            view.html(tag("p", told, class_="help"))
            with ui.element("div").classes("line"):
                self._open = ui.select({}, label=say("Đang cảnh báo", "Firing"))
                self._open.props("outlined dense").classes("wide")
                self._key = ui.input(say("Khóa", "Key"))
                self._span = ui.select(
                    {seconds: say.text(text) for seconds, text in SPANS.items()},
                    value=2 * 3_600,
                    label=say("Trong", "For"),
                )
                self._reason = ui.input(say("Lý do (được lưu lại)", "Reason (kept)"))
                self._reason.props("maxlength=300").classes("wide")
                for each in (self._key, self._span, self._reason):
                    each.props("outlined dense")
            self._open.on_value_change(self._take)

            async def silence() -> None:
                if await view.act(Act.SILENCE, self._silence):
                    self._reason.value = self._key.value = ""
                    await again()

            with ui.element("div").classes("line"):
                view.button("Tắt tiếng", "Silence", silence, kind="main", icon="notifications_off")

    def offer(self, rows: Sequence[AlertRow]) -> None:
        known = {row.key: self._view.say.text(row.what) for row in rows}
        self._open.set_options(known, value=None)

    def _take(self) -> None:
        if self._open.value:
            self._key.value = self._open.value

    async def _silence(self, now: Visitor) -> str:
        """Raises InvalidRequest."""
        pattern = (self._key.value or "").strip()[:300]
        reason = (self._reason.value or "").strip()[:300]
        if not pattern or pattern == "*":
            raise InvalidRequest(
                "say which alert: a key, with * in it at most",
                vi="hãy chọn cảnh báo, hoặc nêu khóa",
                field="key",
            )
        if len(reason) < LEAST_REASON:
            raise InvalidRequest("a reason is needed", vi="cần nêu lý do", field="reason")
        until = self._view.ledger.clock() + int(self._span.value or 0) * SECOND
        await self._view.ledger.act(
            lambda tx, chain, at: alerts.silence(
                tx, chain, at, pattern, until=until, reason=reason, actor=now.actor
            )
        )
        at = self._view.say.moment(until)
        return self._view.say(
            f"{pattern} tắt tiếng đến {at}.", f"{pattern} is silenced until {at}."
        )


def _silences(view: View, silences: Sequence[Silence], again: _Again) -> None:
    say = view.say
    if not silences:
        view.html(tag("p", say("Không tắt tiếng gì.", "Nothing is silenced."), class_="empty"))
    for each in silences:
        with ui.element("div").classes("panel row-of"):
            until = say.moment(each.until)
            told = say(f"đến {until}, {each.actor}", f"until {until}, {each.actor}")
            view.html(
                tag(
                    "div",
                    tag("p", mark("‖", "off", each.pattern)),
                    tag("p", each.reason),
                    tag("p", told, class_="note"),
                )
            ).classes("grow")
            if view.visitor.may(Act.SILENCE):
                view.button("Báo lại", "Lift", _lifter(view, each, again), icon="notifications")


def _lifter(view: View, silence: Silence, again: _Again) -> _Again:
    async def lift() -> None:
        async def work(now: Visitor) -> str:
            until = view.ledger.clock()
            await view.ledger.act(
                lambda tx, chain, at: alerts.silence(
                    tx,
                    chain,
                    at,
                    silence.pattern,
                    until=until,
                    reason=silence.reason,
                    actor=now.actor,
                )
            )
            pattern = silence.pattern
            return view.say(f"{pattern} lại được báo.", f"{pattern} is told again.")

        if await view.act(Act.SILENCE, work):
            await again()

    return lift


# --- what was ------------------------------------------------------------------------------------


async def _history(view: View) -> Html:
    say = view.say
    before = _before(view.given("after"))
    rows = await view.ledger.alerts.raised(limit=HISTORY + 1, before=before)
    cells: list[tuple[Cell, ...]] = [
        (
            say.moment(row.raised_at),
            _severity(view, row),
            say.text(row.what),
            say.text(row.cause),
            _over(view, row),
        )
        for row in rows[:HISTORY]
    ]
    columns = [
        say("Báo lúc", "Raised"),
        say("Mức", "Severity"),
        say("Chuyện gì", "What"),
        say("Có thể do", "Likely cause"),
        say("Hết lúc", "Over"),
    ]
    empty = say("Chưa có cảnh báo nào.", "There were no alerts.")
    listed = table(say("Cảnh báo đã qua", "Alerts so far"), columns, cells, empty=empty)
    if len(rows) <= HISTORY:
        return listed
    last = rows[HISTORY - 1]
    query = urlencode({"after": f"{last.raised_at}-{last.id}"})
    following = link(join(say("Trang sau", "Next page"), "→"), f"{PATH}?{query}")
    return tag("div", listed, tag("p", following))


def _before(given: str) -> tuple[int, int] | None:
    at, _, number = given.partition("-")
    return (int(at), int(number)) if at.isdecimal() and number.isdecimal() else None


def _over(view: View, row: AlertRow) -> Cell:
    if row.resolved_at is None:
        return mark("!", "warn", view.say("chưa hết", "not over"))
    lasted = view.say.span(row.resolved_at - row.since)
    return join(view.say.moment(row.resolved_at), f"({lasted})")


PAGE = Page(PATH, Text("Cảnh báo", "Alerts"), build, icon="notifications", roles=STAFF)
