"""Dịch vụ: what is declared and open, who asks how often and how it is answered, who may."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from nicegui import ui

from bus.console import filters
from bus.console.filters import chosen_agencies, figures, select
from bus.console.frame import Page, View
from bus.console.granting import grants_of, services_of
from bus.console.html import Cell, Html, code, join, link, table, tag
from bus.console.maintaining import Announcing, away_mark
from bus.console.marks import mark
from bus.console.proposing import applied
from bus.console.rights import Act
from bus.ledger.accesses import ANSWERED
from bus.ledger.usage import HOUR, Usage
from bus.ops.latency import SHARES
from bus.ops.reasons import title_of
from bus.ops.report_words import period_of
from bus.ops.reports import parse_period
from bus.ops.usage import Calls, grouped
from schemas.errors import RateLimited, Text
from schemas.instant import Instant
from schemas.service import ALL, Grant, Service
from schemas.vietnam import day_of

PATH = "/services"
KEPT_SECONDS = 2
WINDOWS: dict[str, int] = {"": 1, "1d": 24, "7d": 7 * 24, "30d": 30 * 24}
"""Hours before the present one."""

MONTHS = 6


async def build(view: View) -> None:
    applied(view)
    agencies = chosen_agencies(view)
    view.html(filters.form(view, PATH, period=None, more=[_period_field(view)]))
    view.heading("Dịch vụ đã khai báo", "Declared services")
    declared = ui.element("div")
    view.heading("Ai gọi", "Who called")
    consumers = ui.element("div").classes("stack")
    view.heading("Bảo trì có báo trước", "Announced maintenance")
    Announcing(view, services_of(view))
    view.heading("Quyền đã cấp", "Grants")
    view.html(_grants(view))
    if view.visitor.may(Act.ACCESSES):
        text = view.say("Tra cứu lượt truy cập dữ liệu cá nhân", "Accesses to personal data")
        view.html(tag("p", link(text, "/accesses")))

    async def read() -> None:
        rows = await _usage(view, agencies)
        declared.clear()
        with declared:
            view.html(_services(view, rows))
        consumers.clear()
        with consumers:
            view.html(_consumers(view, rows))
            view.html(_operations(view, rows))

    await read()
    view.fresh(read)


# --- reading -------------------------------------------------------------------------------------


def _period_field(view: View) -> Html:
    say = view.say
    windows = {
        "": say("giờ này và giờ trước", "this hour and the one before"),
        "1d": say("24 giờ qua", "last 24 hours"),
        "7d": say("7 ngày qua", "last 7 days"),
        "30d": say("30 ngày qua", "last 30 days"),
    }
    given = view.given("period")
    names = _months(day_of(view.ledger.clock()))
    if given and given not in {*windows, *names}:
        names.append(given)
    periods = [(name, period_of(parse_period(name), say.lang)) for name in names]
    return select(say("Kỳ", "Period"), "period", [*windows.items(), *periods], given)


def _months(today: date) -> list[str]:
    found = []
    for back in range(MONTHS):
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        found.append(f"{year}-{month + 1:02d}")
    return found


def _span(view: View) -> tuple[Instant, Instant]:
    """Whole hours. Raises InvalidRequest."""
    given, now = view.given("period"), view.ledger.clock()
    if given in WINDOWS:
        return now // HOUR * HOUR - WINDOWS[given] * HOUR, now + HOUR
    period = parse_period(given)
    return period.since, period.until


async def _usage(view: View, agencies: Collection[str] | None) -> list[Usage]:
    since, until = _span(view)

    async def make() -> list[Usage]:
        return await view.ledger.usage.of_period(since=since, until=until, agencies=agencies)

    key = ("usage", None if agencies is None else frozenset(agencies), view.given("period"))
    return await view.console.shared.get(key, make, seconds=KEPT_SECONDS)


# --- drawing -------------------------------------------------------------------------------------


def _services(view: View, rows: Sequence[Usage]) -> Html:
    say = view.say
    calls = grouped(rows, lambda row: (row.service,))
    columns = [
        say("Dịch vụ", "Service"),
        say("Tình trạng", "State"),
        say("Hạn mức mỗi tiến trình", "Quotas, per process"),
        *_measures(view),
    ]
    cells: list[Sequence[Cell]] = [
        (
            join(code(service.id), say(service.title_vi, service.title_en or service.title_vi)),
            _state(view, service),
            _quotas(view, service),
            *_measured(view, calls.get((service.id,), Calls())),
        )
        for service in services_of(view)
    ]
    empty = say("Chưa có dịch vụ nào.", "No services.")
    drawn = figures(table(say("Dịch vụ", "Services"), columns, cells, empty=empty), texts=3)
    return join(drawn, tag("p", _percentiles(view), class_="note"), by="")


def _percentiles(view: View) -> str:
    return view.say(
        "p95: 95 % lượt gọi xong trong thời gian ấy, ước theo các khoảng cố định (±42 %), không"
        " tính lượt vượt hạn mức. Lượt gọi đếm trước khi có các khoảng ấy thì không có.",
        "p95: 95 % of the calls ended within that time, estimated by fixed buckets (±42 %),"
        " without those over quota. Calls counted before there were buckets have none.",
    )


def _measures(view: View) -> list[str]:
    say = view.say
    return [
        say("Lượt gọi", "Calls"),
        say("Lỗi", "Failed"),
        say("Vượt hạn mức", "Over quota"),
        say("Trung bình", "Mean"),
        *(f"p{round(100 * share)}" for share in SHARES),
        say("Lâu nhất", "Longest"),
    ]


def _measured(view: View, calls: Calls) -> tuple[Cell, ...]:
    say = view.say
    if not calls.count or calls.mean is None:
        return "0", "0", "0", *([""] * (2 + len(SHARES)))
    share = f"{say.number(calls.failed)} ({say.number(100 * calls.failed / calls.count, 1)} %)"
    over = say.number(calls.over_quota)
    return (
        say.number(calls.count),
        mark("✗", "bad", share) if calls.failed else "0",
        mark("!", "warn", over) if calls.over_quota else "0",
        f"{say.number(calls.mean)} ms",
        *(_milliseconds(view, calls.percentile(share)) for share in SHARES),
        f"{say.number(calls.longest)} ms",
    )


def _milliseconds(view: View, value: float | None) -> str:
    """Of calls that were counted before there were percentiles none are known."""
    return "—" if value is None else f"{view.say.number(value)} ms"


def _state(view: View, service: Service) -> Html:
    say = view.say
    if service.suspended:
        return mark("‖", "bad", say("tạm dừng", "suspended"))
    away = away_mark(view, service.maintenance)
    good = mark("✓", "good", say("mở", "open"))
    return tag("div", good, tag("div", away), class_="announced") if away else good


def _quotas(view: View, service: Service) -> Html:
    say = view.say
    caller = say(f"{service.caller_rate:g}/s mỗi bên gọi", f"{service.caller_rate:g}/s a caller")
    every = (
        "" if service.rate is None else say(f"{service.rate:g}/s chung", f"{service.rate:g}/s all")
    )
    at_once = say(f"{service.concurrency} cùng lúc", f"{service.concurrency} at once")
    limit = say(f"tối đa {service.timeout:g} s", f"{service.timeout:g} s at most")
    return join(caller, every, at_once, limit, by=" · ")


def _consumers(view: View, rows: Sequence[Usage]) -> Html:
    say = view.say
    columns = [
        say("Dịch vụ", "Service"),
        say("Hệ thống, cơ quan", "Client, agency"),
        say("Lỗi gặp phải", "What failed"),
        *_measures(view),
    ]
    cells = [
        (
            code(service),
            join(client.removeprefix("client:"), view.agency(agency) if agency else ""),
            _failures(view, calls.outcomes),
            *_measured(view, calls),
        )
        for (service, client, agency), calls in grouped(
            rows, lambda row: (row.service, row.client, row.agency)
        ).items()
    ]
    empty = say("Trong kỳ này không ai gọi.", "Nobody called in this period.")
    caption = say("Bên gọi", "Consumers")
    return figures(table(caption, columns, cells, empty=empty), texts=3)


def _operations(view: View, rows: Sequence[Usage]) -> Html:
    say = view.say
    calls = grouped(rows, lambda row: (row.service, row.operation))
    if not calls:
        return Html("")
    columns = [say("Dịch vụ", "Service"), say("Thao tác", "Operation"), *_measures(view)]
    cells = [
        (code(service), code(operation), *_measured(view, each))
        for (service, operation), each in calls.items()
    ]
    caption = say("Theo thao tác", "By operation")
    drawn = figures(table(caption, columns, cells, empty=""), texts=2)
    return tag("details", tag("summary", caption), drawn)


def _failures(view: View, outcomes: Mapping[str, int]) -> str:
    failed = [
        f"{view.say.text(title_of(outcome))}: {view.say.number(count)}"
        for outcome, count in sorted(outcomes.items(), key=lambda each: -each[1])
        if outcome not in {ANSWERED, RateLimited.code}
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
        for each in sorted(grants_of(view), key=lambda each: (each.service, each.name))
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
