"""Bảo trì có báo trước: announced, looked at, taken back; declared as in files (`lgsp apply`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from nicegui import ui
from nicegui.elements.input import Input

from bus.console.frame import View
from bus.console.html import Html, table, tag
from bus.console.marks import mark
from bus.console.proposing import Review
from bus.console.rights import Act
from bus.ops.province_change import in_place_of
from schemas.errors import ConfigurationError, InvalidRequest, LgspError
from schemas.instant import to_datetime
from schemas.maintenance import NOTICE_DAYS, Maintenance, away, coming
from schemas.province import Endpoint, Province
from schemas.service import Service
from schemas.vietnam import VIETNAM, day_of

Held = Endpoint | Service
MOST_REASON = 300  # characters


class Announcing:
    """Of some services, or of one endpoint; built where it is made."""

    def __init__(self, view: View, items: Sequence[Held]) -> None:
        self._view = view
        self._items = {_id(item): item for item in items}
        view.html(_listed(view, items))
        if view.visitor.may(Act.CONFIGURE) and items:
            self._form()

    def _form(self) -> None:
        view, say = self._view, self._view.say
        folded = ui.expansion(say("Báo trước hoặc bỏ lịch bảo trì", "Announce, or take back"))
        with folded, ui.element("div").classes("stack"):
            told = say(
                f"Bảo trì có kế hoạch phải báo trước ít nhất {NOTICE_DAYS} ngày làm việc (NĐ "
                "47/2020, điều 43). Việc khẩn cấp: tạm dừng điểm kết nối hoặc dịch vụ.",
                f"Planned maintenance is announced at least {NOTICE_DAYS} working days ahead (NĐ "
                "47/2020, article 43). In an emergency, pause the endpoint or suspend the service.",
            )
            view.html(tag("p", told, class_="help"))
            names = list(self._items)
            with ui.element("div").classes("line"):
                which = ui.select(names, value=names[0], label=say("Của", "Of"))
                begins = _moment_field(view, "Từ", "From")
                ends = _moment_field(view, "Đến", "Until")
                reason = ui.input(say("Nội dung, để báo cho bên dùng", "What for, told to users"))
                reason.props(f"maxlength={MOST_REASON}").classes("wide")
                for each in (which, begins, ends, reason):
                    each.props("outlined dense")
            notice = ui.element("div").props('aria-live="polite"')

            def forewarn() -> None:
                notice.clear()
                with notice:
                    view.html(_notice(view, begins.value or ""))

            begins.on_value_change(forewarn)

            async def look() -> None:
                try:
                    new = _planned(view, begins.value or "", ends.value or "", reason.value or "")
                except LgspError as error:
                    view.tell(error)
                else:
                    old = self._items[str(which.value)]
                    await self._show(review, old, (*old.maintenance, new))

            async def take_back() -> None:
                old = self._items[str(which.value)]
                await self._show(review, old, ())

            with ui.element("div").classes("line"):
                view.button("Xem thay đổi", "Look at the change", look, kind="main")
                view.button("Bỏ mọi lịch", "Take all back", take_back, kind="danger")
            review = Review(view)

    async def _show(self, review: Review, old: Held, announced: Sequence[Maintenance]) -> None:
        """What is long over is dropped by the way: it is in the history of the configuration."""
        now = to_datetime(self._view.ledger.clock())
        left = tuple(coming(announced, now))
        if isinstance(old, Endpoint):
            shown = Province(endpoints=(old,))
            edited = Province(endpoints=(old.model_copy(update={"maintenance": left}),))
        else:
            shown = Province(services=(old,))
            edited = Province(services=(old.model_copy(update={"maintenance": left}),))
        await review.show(in_place_of(shown, edited))


def _id(item: Held) -> str:
    return item.id if isinstance(item, Service) else item.name


def _moment_field(view: View, vi: str, en: str) -> Input:
    return ui.input(view.say(vi, en)).props('type="datetime-local" stack-label')


def _read(text: str) -> datetime | None:
    """By Vietnam's clock; None when it is no moment."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)
    except ValueError:
        return None


def _notice(view: View, begins: str) -> Html:
    """How many working days of notice there are, before anything is asked for."""
    at, say = _read(begins), view.say
    if at is None:
        return Html("")
    days = view.snapshot.calendar.working_days(_today(view), at.date())
    text = say(f"báo trước {days} ngày làm việc", f"{days} working days of notice")
    if days >= NOTICE_DAYS:
        return mark("✓", "good", text)
    return mark(
        "!", "warn", say(f"{text}: chưa đủ {NOTICE_DAYS}", f"{text}: {NOTICE_DAYS} are needed")
    )


def _today(view: View) -> date:
    return day_of(view.ledger.clock())


def _planned(view: View, begins: str, ends: str, reason: str) -> Maintenance:
    """Raises InvalidRequest, ConfigurationError."""
    first, last = _read(begins), _read(ends)
    if first is None or last is None:
        raise InvalidRequest(
            "say from when until when", vi="hãy nêu từ lúc nào đến lúc nào", field="begins"
        )
    if last <= first:
        raise ConfigurationError(
            "maintenance ends before it begins", vi="bảo trì kết thúc trước khi bắt đầu"
        )
    given = reason.strip()[:MOST_REASON]
    return Maintenance(begins=first, ends=last, announced=_today(view), reason=given)


def _listed(view: View, items: Sequence[Held]) -> Html:
    say, now = view.say, to_datetime(view.ledger.clock())
    rows = [
        (
            _id(item),
            say.period(each.begins, each.ends),
            each.reason,
            f"{each.announced:%d/%m/%Y}",
            _stage(view, each, now),
        )
        for item in items
        for each in coming(item.maintenance, now)
    ]
    columns = [
        say("Của", "Of"),
        say("Khi nào", "When"),
        say("Nội dung", "What for"),
        say("Báo ngày", "Announced"),
        say("Tình trạng", "State"),
    ]
    empty = say("Không có bảo trì nào được báo trước.", "No maintenance is announced.")
    return table(say("Bảo trì có báo trước", "Announced maintenance"), columns, rows, empty=empty)


def _stage(view: View, each: Maintenance, now: datetime) -> Html:
    if each.begins <= now:
        return mark("‖", "warn", view.say("đang bảo trì", "going on"))
    return mark("!", "warn", view.say("sắp tới", "to come"))


def away_mark(view: View, announced: Sequence[Maintenance]) -> Html:
    """What goes on now, else what comes next; nothing when nothing is announced."""
    say, now = view.say, to_datetime(view.ledger.clock())
    present = away(announced, now)
    if present is not None:
        until = f"{present.ends.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
        return mark("‖", "warn", say(f"bảo trì đến {until}", f"in maintenance until {until}"))
    following = coming(announced, now)
    if not following:
        return Html("")
    first = following[0]
    when = say.period(first.begins, first.ends)
    why = f": {first.reason}" if first.reason else ""
    return mark("!", "warn", say(f"bảo trì {when}{why}", f"maintenance {when}{why}"))
