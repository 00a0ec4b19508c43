"""Tổng quan: what flows, what waits, and what needs a person now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from bus.console.endpoint_words import endpoints_key
from bus.console.flow_charts import UNKNOWN, Flows, Health, flow_chart, flow_height, pace_chart
from bus.console.frame import Page, View
from bus.console.granting import services_of
from bus.console.html import Html, link, table, tag
from bus.console.maintaining import away_mark
from bus.console.marks import mark
from bus.ops import attention, dossier_figures
from bus.ops.attention import Finding
from bus.ops.endpoints import EndpointView, views_of
from bus.ops.pulse import KEPT_SECONDS
from bus.ops.wording import Tone
from schemas.delivery import DeliveryState
from schemas.dossier.figures import Figures, total
from schemas.errors import Text
from schemas.vietnam import day_of

RATE_SECONDS = 60
WAITS = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING)
_LEVELS: dict[str, tuple[str, Tone]] = {"problem": ("✗", "bad"), "notice": ("!", "warn")}


async def build(view: View) -> None:
    tiles = ui.element("div").classes("tiles").props('role="list"')
    view.heading("Cần người xử lý bây giờ", "Needs a person now")
    needs = ui.element("div")
    announced = ui.element("div")
    view.heading("Dòng chảy 15 phút qua", "Flow of the last 15 minutes")
    with ui.element("div").classes("panel"):
        nothing = Flows(Counter(), {})
        chart = ui.echart(flow_chart(view, nothing)).classes("flow-map")
        chart.style(f"height: {flow_height(nothing)}px")
    listed = ui.element("div")
    view.heading("Nhịp 15 phút qua", "Pace of the last 15 minutes")
    with ui.element("div").classes("panel"):
        pace = ui.echart(pace_chart(view)).classes("pace")

    async def read() -> None:
        endpoints = await _endpoints(view)
        flows = _flows(view, endpoints)
        tiles.clear()
        with tiles:
            view.html(_tiles(view, endpoints, await _figures(view)))
        needs.clear()
        with needs:
            view.html(_needs(view, await _findings(view, endpoints)))
        announced.clear()
        with announced:
            view.html(_announced(view))
        listed.clear()
        with listed:
            view.html(_listed(view, flows))
        chart.style(f"height: {flow_height(flows)}px")
        _redraw(chart, flow_chart(view, flows))
        _redraw(pace, pace_chart(view))

    await read()
    view.fresh(read)


def _redraw(chart: ui.echart, options: dict[str, Any]) -> None:
    """Only what has changed is sent, so that nothing flickers under the pointer."""
    if chart.options != options:
        chart.options.clear()
        chart.options.update(options)
        chart.update()


# --- reading -------------------------------------------------------------------------------------


async def _endpoints(view: View) -> list[EndpointView]:
    agencies = view.visitor.agencies

    async def make() -> list[EndpointView]:
        declared = view.snapshot.endpoints.values()
        return await views_of(view.ledger, declared, agencies=agencies)

    return await view.console.shared.get(endpoints_key(view, agencies), make, seconds=2)


async def _figures(view: View) -> Figures:
    """Of this month's dossiers."""
    agencies, snapshot = view.visitor.agencies, view.snapshot
    today = day_of(view.ledger.clock())

    async def make() -> Figures:
        rows = await dossier_figures.of_period(
            view.ledger.dossiers,
            first=date(today.year, today.month, 1),
            last=today,
            senders=agencies,
            calendar=snapshot.calendar,
            procedures=snapshot.procedures,
            now=view.ledger.clock(),
        )
        return total(rows)

    return await view.console.shared.get(("figures", agencies, today), make, seconds=60)


async def _findings(view: View, endpoints: Sequence[EndpointView]) -> list[Finding]:
    found = list(attention.of_endpoints(endpoints, view.ledger.clock(), view.console.polled))
    if view.visitor.agencies is not None:  # what is theirs; how the bus runs is not their care
        return [each for each in found if each.state is not None]
    running = attention.of_processes(view.console.running())
    found += [each for each in running if each.level != "ok"]
    if not view.console.broker_up():
        text = Text(
            "RabbitMQ không phản hồi; tiếp nhận vẫn chạy",
            "RabbitMQ does not answer; accepting runs",
        )
        found.append(Finding("broker", "problem", text))
    alerts = await view.console.shared.get(("alerts",), view.ledger.alerts.unresolved, seconds=4)
    found += attention.of_alerts(alerts)
    return sorted(found, key=lambda each: each.level != "problem")


def _flows(view: View, endpoints: Sequence[EndpointView]) -> Flows:
    counts: Counter[tuple[str, str]] = Counter()
    for (sender, endpoint, receivers), count in view.console.pulse.flows(KEPT_SECONDS).items():
        if view.visitor.sees(sender, *receivers):
            counts[sender, endpoint] += count
    return Flows(counts, {each.name: _health(each) for each in endpoints})


def _health(endpoint: EndpointView) -> Health:
    if endpoint.broken or endpoint.counts.get(DeliveryState.DEAD):
        return "✗", "bad", Text("có lỗi", "faulty")
    if endpoint.paused or endpoint.counts.get(DeliveryState.HELD):
        return "‖", "warn", Text("dừng hoặc giữ", "paused or held")
    return "✓", "good", Text("tốt", "well")


# --- drawing -------------------------------------------------------------------------------------


def _tiles(view: View, endpoints: Sequence[EndpointView], figures: Figures) -> Html:
    say = view.say
    slots = view.console.pulse.slots(RATE_SECONDS)
    own = view.visitor.agencies is not None
    came = sum(
        count
        for slot in slots
        for (sender, _, receivers), count in slot.flows.items()
        if not own or view.visitor.sees(sender, *receivers)
    )
    waiting = sum(each.counts.get(state, 0) for each in endpoints for state in WAITS)
    oldest = min((each.oldest for each in endpoints if each.oldest), default=None)
    tiles = [(say("Vào, một phút qua", "In, last minute"), say.number(came), "")]
    if not own:
        left = sum(sum(slot.sent_on.values()) for slot in slots)
        failed = sum(sum(slot.failed.values()) for slot in slots)
        missed = say(f"{failed} lần gửi không được", f"{failed} attempts failed") if failed else ""
        tiles.append((say("Ra, một phút qua", "Out, last minute"), say.number(left), missed))
    now = view.ledger.clock()
    tiles += [
        (say("Đang chờ chuyển", "Waiting to go"), say.number(waiting), ""),
        (
            say("Chờ lâu nhất", "Oldest waiting"),
            "—" if oldest is None else say.span(now - oldest),
            "",
        ),
        _on_time(view, figures),
    ]
    return tag("div", *(_tile(*tile) for tile in tiles), class_="tiles")


def _on_time(view: View, figures: Figures) -> tuple[str, str, str]:
    name = view.say("Hồ sơ đúng hạn, tháng này", "Dossiers on time, this month")
    share = dossier_figures.on_time_share(figures)
    if share is None:
        return name, "—", view.say("chưa có hồ sơ giải quyết xong", "none finished yet")
    late = view.say(f"{figures.open_late} đang quá hạn", f"{figures.open_late} open and late")
    return name, f"{view.say.number(share, 1)} %", late if figures.open_late else ""


def _tile(name: str, value: str, below: str) -> Html:
    note = tag("p", below, class_="note") if below else Html("")
    return tag("div", tag("p", name, class_="name"), tag("p", value, class_="value"), note)


def _needs(view: View, findings: Sequence[Finding]) -> Html:
    if not findings:
        text = view.say("Không có gì chờ người xử lý.", "Nothing waits for a person.")
        return tag("p", mark("✓", "good", text))
    return tag("ul", *(_need(view, each) for each in findings), class_="needs")


def _need(view: View, finding: Finding) -> Html:
    sign, tone = _LEVELS[finding.level]
    text = mark(sign, tone, view.say.text(finding.what if finding.endpoint else finding.text))
    if finding.state is not None:
        query = urlencode({"state": finding.state.value, "endpoint": finding.endpoint})
        return tag("li", text, link(view.say("Xem", "Look"), f"/deliveries?{query}"))
    if finding.endpoint:
        return tag(
            "li",
            text,
            link(view.say("Xem", "Look"), f"/endpoints?{urlencode({'name': finding.endpoint})}"),
        )
    if finding.subject in {"alert", "process", "broker"}:
        return tag("li", text, link(view.say("Xem", "Look"), "/alerts"))
    return tag("li", text)


def _announced(view: View) -> Html:
    """Maintenance that goes on or comes, of what the person uses: nothing when there is none."""
    items: list[tuple[str, str, Html]] = []
    own, snapshot = view.visitor.agencies, view.snapshot
    for endpoint in snapshot.endpoints.values():
        if own is None or any(
            each.endpoint == endpoint.name for each in map(snapshot.directory.get, own) if each
        ):
            address = f"/endpoints?{urlencode({'name': endpoint.name})}" if own is None else ""
            items.append((endpoint.name, address, away_mark(view, endpoint.maintenance)))
    items += [
        (service.id, "/services", away_mark(view, service.maintenance))
        for service in services_of(view)
    ]
    lines = [
        tag(
            "li",
            tag("span", tag("strong", name), " ", told),
            link(view.say("Xem", "Look"), address) if address else Html(""),
        )
        for name, address, told in items
        if told
    ]
    if not lines:
        return Html("")
    title = view.say("Bảo trì có báo trước", "Announced maintenance")
    return tag("section", tag("h2", title), tag("ul", *lines, class_="needs"), class_="stack")


def _listed(view: View, flows: Flows) -> Html:
    """What the map shows, for those who cannot see it."""
    say = view.say
    rows = [
        (view.agency(sender), endpoint, _word(view, flows.health.get(endpoint, UNKNOWN)), count)
        for (sender, endpoint), count in flows.counts.most_common(100)
    ]
    columns = [
        say("Cơ quan gửi", "Sender"),
        say("Điểm kết nối", "Endpoint"),
        say("Tình trạng", "Health"),
        say("Thông điệp", "Messages"),
    ]
    empty = say("Không có thông điệp nào trong 15 phút qua.", "No messages in the last 15 minutes.")
    caption = say("Dòng chảy theo bảng", "The flow as a table")
    return tag("details", tag("summary", caption), table(caption, columns, rows, empty=empty))


def _word(view: View, health: Health) -> Html:
    sign, tone, text = health
    return mark(sign, tone, view.say.text(text))


PAGE = Page("/", Text("Tổng quan", "Overview"), build, icon="dashboard")
