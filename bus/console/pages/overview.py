"""Tổng quan: what flows, what waits, and what needs a person now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from bus.console.frame import Page, View
from bus.console.html import Html, link, table, tag
from bus.console.marks import Tone, mark
from bus.ops import attention, dossier_figures
from bus.ops.attention import Finding
from bus.ops.endpoints import EndpointView, views_of
from bus.ops.pulse import KEPT_SECONDS, SLOT_SECONDS, Slot
from schemas.delivery import DeliveryState
from schemas.dossier.figures import Figures, total
from schemas.errors import Text
from schemas.instant import SECOND
from schemas.vietnam import day_of

RATE_SECONDS = 60
MOST_NODES = 12  # senders and endpoints drawn apart; the others together
WAITS = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING)
_COLOURS = {"good": "#2e8b57", "warn": "#d98200", "bad": "#c8323b"}
_LEVELS: dict[str, tuple[str, Tone]] = {"problem": ("✗", "bad"), "notice": ("!", "warn")}


Health = tuple[str, Tone, Text]
_UNKNOWN: Health = ("·", "off", Text("chưa khai báo", "undeclared"))


@dataclass(frozen=True, slots=True)
class Flows:
    """Messages of the last quarter of an hour, by sender and endpoint."""

    counts: Counter[tuple[str, str]]
    health: dict[str, Health]  # by endpoint


async def build(view: View) -> None:
    tiles = ui.element("div").classes("tiles").props('role="list"')
    view.heading("Cần người xử lý bây giờ", "Needs a person now")
    needs = ui.element("div")
    view.heading("Dòng chảy 15 phút qua", "Flow of the last 15 minutes")
    with ui.element("div").classes("panel"):
        chart = ui.echart(sankey(view, Flows(Counter(), {}))).classes("flow-map")
    listed = ui.element("div")
    view.heading("Nhịp 15 phút qua", "Pace of the last 15 minutes")
    with ui.element("div").classes("panel"):
        pace = ui.echart(_pace(view)).classes("pace")

    async def read() -> None:
        endpoints = await _endpoints(view)
        flows = _flows(view, endpoints)
        tiles.clear()
        with tiles:
            view.html(_tiles(view, endpoints, await _figures(view)))
        needs.clear()
        with needs:
            view.html(_needs(view, await _findings(view, endpoints)))
        listed.clear()
        with listed:
            view.html(_listed(view, flows))
        _redraw(chart, sankey(view, flows))
        _redraw(pace, _pace(view))

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

    return await view.console.shared.get(("endpoints", agencies), make, seconds=2)


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
    return tag("li", text)


def _listed(view: View, flows: Flows) -> Html:
    """What the map shows, for those who cannot see it."""
    say = view.say
    rows = [
        (view.agency(sender), endpoint, _word(view, flows.health.get(endpoint, _UNKNOWN)), count)
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


def sankey(view: View, flows: Flows) -> dict[str, Any]:
    """Senders to the left, the bus, endpoints to the right; width is the number of messages."""
    say = view.say
    by_sender, by_endpoint = Counter[str](), Counter[str]()
    for (sender, endpoint), count in flows.counts.items():
        by_sender[sender] += count
        by_endpoint[endpoint] += count
    others = say("khác", "others")
    bus = say("Trục liên thông", "The bus")
    nodes = [{"name": "bus", "value": bus, "itemStyle": {"color": "#0b5c8e"}}]
    links = []
    for sender, count in _largest(by_sender, others):
        found = view.snapshot.directory.get(sender)
        title = found.name if found is not None else sender
        nodes.append({"name": f"s:{sender}", "value": title, "itemStyle": {"color": "#6b8ba4"}})
        links.append({"source": f"s:{sender}", "target": "bus", "value": count})
    for endpoint, count in _largest(by_endpoint, others):
        sign, tone, _ = flows.health.get(endpoint, _UNKNOWN)
        colour = _COLOURS.get(tone, "#6b8ba4")
        title = f"{sign} {endpoint}"
        nodes.append({"name": f"e:{endpoint}", "value": title, "itemStyle": {"color": colour}})
        links.append({"source": "bus", "target": f"e:{endpoint}", "value": count})
    ink = "#e8eef3" if view.visitor.dark else "#14202b"
    return {
        "aria": {"enabled": True},
        "animation": False,
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "type": "sankey",
                "left": 20,
                "right": 190,
                "top": 12,
                "bottom": 12,
                "nodeGap": 14,
                "draggable": False,
                "emphasis": {"focus": "adjacency"},
                "lineStyle": {"color": "target", "opacity": 0.35},
                "label": {"color": ink, "fontSize": 13, ":formatter": "p => p.data.value"},
                "tooltip": {":formatter": _TOOLTIP},
                "data": nodes,
                "links": links,
            }
        ],
    }


_TOOLTIP = (
    "p => p.dataType === 'edge' ? String(p.value)"
    " : p.data.value.replace(/[&<>]/g, c => '&#' + c.charCodeAt(0) + ';')"
)


def _largest(counts: Counter[str], others: str) -> list[tuple[str, int]]:
    found = counts.most_common(MOST_NODES)
    rest = counts.total() - sum(count for _, count in found)
    return [*found, (others, rest)] if rest else found


def _pace(view: View) -> dict[str, Any]:
    """Messages in and out, a minute."""
    say = view.say
    slots = {slot.start: slot for slot in view.console.pulse.slots()}
    own = view.visitor.agencies is not None
    step = SLOT_SECONDS * SECOND
    last = view.ledger.clock() // step * step - step  # the present one is not over
    came, left = [], []
    for start in range(last - KEPT_SECONDS * SECOND, last + 1, step):
        slot = slots.get(start) or Slot(start)
        seen = sum(n for (sender, _, to), n in slot.flows.items() if view.visitor.sees(sender, *to))
        came.append([start / 1000, (seen if own else slot.accepted) * 60 / SLOT_SECONDS])
        left.append([start / 1000, sum(slot.sent_on.values()) * 60 / SLOT_SECONDS])
    lines = [(say("Vào", "In"), came, "#0b84c6", "solid")]
    if not own:
        lines.append((say("Ra", "Out"), left, "#2e8b57", "dashed"))
    ink = "#a9b8c4" if view.visitor.dark else "#4a5a68"
    axis = {"axisLabel": {"color": ink}, "splitLine": {"lineStyle": {"opacity": 0.25}}}
    return {
        "aria": {"enabled": True},
        "animation": False,
        "grid": {"left": 50, "right": 16, "top": 36, "bottom": 28},
        "legend": {"top": 0, "right": 0, "textStyle": {"color": ink}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "time", **axis},
        "yAxis": {
            "type": "value",
            "nameTextStyle": {"color": ink},
            "name": say("mỗi phút", "a minute"),
            "minInterval": 1,
            **axis,
        },
        "series": [
            {
                "name": name,
                "type": "line",
                "data": data,
                "showSymbol": False,
                "color": colour,
                "lineStyle": {"type": style},
            }
            for name, data, colour, style in lines
        ],
    }


PAGE = Page("/", Text("Tổng quan", "Overview"), build, icon="dashboard")
