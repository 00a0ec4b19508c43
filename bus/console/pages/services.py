"""Dịch vụ: what is declared and open, who asks how often and how it is answered, who may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from nicegui import ui

from bus.console.filters import figures
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, code, join, link, table, tag
from bus.console.marks import mark
from bus.console.rights import Act
from bus.ledger.accesses import ANSWERED
from bus.ops import calls
from bus.ops.calls import Calls
from bus.ops.wording import reason
from schemas.errors import Text
from schemas.instant import Instant, from_datetime, to_datetime
from schemas.service import ALL, Grant, Service
from schemas.vietnam import day_of

PATH = "/services"
KEPT_SECONDS = 2


async def build(view: View) -> None:
    view.heading("Dịch vụ đã khai báo", "Declared services")
    declared = ui.element("div")
    view.heading("Ai gọi, 10 phút qua", "Who called, last 10 minutes")
    consumers = ui.element("div")
    view.heading("Quyền đã cấp", "Grants")
    view.html(_grants(view))
    if view.visitor.may(Act.ACCESSES):
        text = view.say("Tra cứu lượt truy cập dữ liệu cá nhân", "Accesses to personal data")
        view.html(tag("p", link(text, "/accesses")))

    async def read() -> None:
        lately = await _lately(view)
        declared.clear()
        with declared:
            view.html(_services(view, lately))
        consumers.clear()
        with consumers:
            view.html(_consumers(view, lately))

    await read()
    view.fresh(read)


async def _lately(view: View) -> list[Calls]:
    agencies = view.visitor.agencies

    async def make() -> list[Calls]:
        return await calls.lately(view.ledger, agencies=agencies)

    return await view.console.shared.get(("calls", agencies), make, seconds=KEPT_SECONDS)


def _granted(view: View) -> list[Grant]:
    """Of those agencies whose traffic the person sees; and of their systems."""
    own = view.visitor.agencies
    if own is None:
        return list(view.snapshot.grants)
    return [each for each in view.snapshot.grants if _is_to(view, each, own)]


def _is_to(view: View, grant: Grant, own: Collection[str]) -> bool:
    if grant.client is None:
        return grant.agency in own
    client = view.snapshot.clients.get(grant.client)
    return client is not None and not set(client.agencies).isdisjoint(own)


# --- drawing -------------------------------------------------------------------------------------


def _services(view: View, lately: Sequence[Calls]) -> Html:
    say, now = view.say, view.ledger.clock()
    seen: set[str] | None = None
    if view.visitor.agencies is not None:
        seen = {grant.service for grant in _granted(view)}
    columns = [
        say("Dịch vụ", "Service"),
        say("Tình trạng", "State"),
        say("Hạn mức mỗi tiến trình", "Quotas, per process"),
        say("Lượt gọi", "Calls"),
        say("Lỗi", "Failed"),
        say("Trung bình", "Mean"),
        say("Lâu nhất", "Longest"),
    ]
    rows: list[Sequence[Cell]] = []
    for service in view.snapshot.services.values():
        if seen is not None and service.name not in seen:
            continue
        own = [each for each in lately if each.service == service.id]
        title = say(service.title_vi, service.title_en or service.title_vi)
        rows.append(
            (
                join(code(service.id), title),
                _state(view, service, now),
                _quotas(view, service),
                *_measured(view, own),
            )
        )
    empty = say("Chưa có dịch vụ nào.", "No services.")
    return figures(table(say("Dịch vụ", "Services"), columns, rows, empty=empty), texts=3)


def _measured(view: View, found: Sequence[Calls]) -> tuple[str, str | Html, str, str]:
    say = view.say
    count, failed = sum(each.count for each in found), sum(each.failed for each in found)
    if not count:
        return "0", "0", "", ""
    share = f"{say.number(failed)} ({say.number(100 * failed / count, 1)} %)"
    mean = sum(each.milliseconds for each in found) / count
    longest = max(each.longest for each in found)
    return (
        say.number(count),
        mark("✗", "bad", share) if failed else "0",
        f"{say.number(mean)} ms",
        f"{say.number(longest)} ms",
    )


def _state(view: View, service: Service, now: Instant) -> Html:
    say = view.say
    moment = to_datetime(now)
    if service.suspended:
        return mark("‖", "bad", say("tạm dừng", "suspended"))
    away = service.away(moment)
    if away is not None:
        until = say.moment(from_datetime(away.ends))
        return mark("‖", "warn", say(f"bảo trì đến {until}", f"in maintenance until {until}"))
    following = [each for each in service.maintenance if each.begins > moment]
    if following:
        first = min(following, key=lambda each: each.begins)
        at, until = (say.moment(from_datetime(each)) for each in (first.begins, first.ends))
        why = f": {first.reason}" if first.reason else ""
        text = say(f"bảo trì từ {at} đến {until}{why}", f"maintenance {at} until {until}{why}")
        good = mark("✓", "good", say("mở", "open"))
        return tag("div", good, tag("div", mark("!", "warn", text)), class_="lines")
    return mark("✓", "good", say("mở", "open"))


def _quotas(view: View, service: Service) -> Html:
    say = view.say
    caller = say(f"{service.caller_rate:g}/s mỗi bên gọi", f"{service.caller_rate:g}/s a caller")
    every = (
        "" if service.rate is None else say(f"{service.rate:g}/s chung", f"{service.rate:g}/s all")
    )
    at_once = say(f"{service.concurrency} cùng lúc", f"{service.concurrency} at once")
    limit = say(f"tối đa {service.timeout:g} s", f"{service.timeout:g} s at most")
    return join(caller, every, at_once, limit, by=" · ")


def _consumers(view: View, lately: Sequence[Calls]) -> Html:
    say = view.say
    columns = [
        say("Dịch vụ", "Service"),
        say("Hệ thống, cơ quan", "Client, agency"),
        say("Lỗi gặp phải", "What failed"),
        say("Lượt gọi", "Calls"),
        say("Lỗi", "Failed"),
        say("Trung bình", "Mean"),
        say("Lâu nhất", "Longest"),
    ]
    rows = [
        (
            code(each.service),
            join(
                each.client.removeprefix("client:"), view.agency(each.agency) if each.agency else ""
            ),
            _failures(view, each),
            *_measured(view, [each]),
        )
        for each in lately
    ]
    empty = say("10 phút qua không ai gọi.", "Nobody called in the last 10 minutes.")
    caption = say("Bên gọi", "Consumers")
    return figures(table(caption, columns, rows, empty=empty), texts=3)


def _failures(view: View, each: Calls) -> str:
    failed = [
        f"{view.say.text(reason(outcome))}: {count}"
        for outcome, count in each.outcomes.most_common()
        if outcome != ANSWERED
    ]
    return "; ".join(failed)


def _grants(view: View) -> Html:
    say = view.say
    today = day_of(view.ledger.clock())
    columns = [
        say("Cấp cho", "Granted to"),
        say("Dịch vụ", "Service"),
        say("Thao tác", "Operations"),
        say("Trường được xem", "Fields"),
        say("Mục đích", "Purposes"),
        say("Hiệu lực", "In force"),
    ]
    rows = [
        (
            view.agency(each.agency) if each.agency else each.client,
            code(each.service),
            _all(view, each.operations),
            _all(view, each.fields),
            ", ".join(each.purposes) or say("mọi mục đích", "any"),
            _in_force(view, each, today),
        )
        for each in sorted(_granted(view), key=lambda each: (each.service, each.name))
    ]
    empty = say("Chưa cấp quyền nào.", "No grants.")
    return table(say("Quyền đã cấp", "Grants"), columns, rows, empty=empty)


def _all(view: View, names: Sequence[str]) -> str:
    return view.say("tất cả", "all") if ALL in names else ", ".join(names)


def _in_force(view: View, grant: Grant, day: date) -> Html:
    say = view.say
    if grant.suspended:
        return mark("‖", "bad", say("tạm dừng", "suspended"))
    until = f"{grant.valid_to:%d/%m/%Y}" if grant.valid_to else ""
    if grant.valid_to is not None and grant.valid_to < day:
        return mark("–", "off", say(f"hết hạn {until}", f"ended {until}"))
    if grant.valid_from is not None and grant.valid_from > day:
        begins = f"{grant.valid_from:%d/%m/%Y}"
        return mark("…", "warn", say(f"từ {begins}", f"from {begins}"))
    return mark("✓", "good", say(f"đến {until}", f"until {until}") if until else say("có", "yes"))


PAGE = Page(PATH, Text("Dịch vụ", "Services"), build, icon="api")
