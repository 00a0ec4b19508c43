"""Options of the overview's two charts: who sends to whom, and the pace."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from bus.console.frame import View
from bus.ops.pulse import KEPT_SECONDS, SLOT_SECONDS, Slot
from bus.ops.wording import Tone
from schemas.errors import Text
from schemas.instant import SECOND

VIETNAM_MILLISECONDS = 7 * 3_600_000
"""Drawn as if it were UTC: moments are Vietnam's wherever the browser is."""
MOST_NODES = 12  # senders and endpoints drawn apart; the others together
_COLOURS = {"good": "#2e8b57", "warn": "#d98200", "bad": "#c8323b"}

Health = tuple[str, Tone, Text]
UNKNOWN: Health = ("·", "off", Text("chưa khai báo", "undeclared"))


@dataclass(frozen=True, slots=True)
class Flows:
    """Messages of the last quarter of an hour, by sender and endpoint."""

    counts: Counter[tuple[str, str]]
    health: dict[str, Health]  # by endpoint


def flow_chart(view: View, flows: Flows) -> dict[str, Any]:
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
        sign, tone, _ = flows.health.get(endpoint, UNKNOWN)
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
                "right": "25%",
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


def pace_chart(view: View) -> dict[str, Any]:
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
        at = start / 1000 + VIETNAM_MILLISECONDS
        came.append([at, (seen if own else slot.accepted) * 60 / SLOT_SECONDS])
        left.append([at, sum(slot.sent_on.values()) * 60 / SLOT_SECONDS])
    lines = [(say("Vào", "In"), came, "#0b84c6", "solid")]
    if not own:
        lines.append((say("Ra", "Out"), left, "#2e8b57", "dashed"))
    ink = "#a9b8c4" if view.visitor.dark else "#4a5a68"
    axis = {"axisLabel": {"color": ink}, "splitLine": {"lineStyle": {"opacity": 0.25}}}
    return {
        "aria": {"enabled": True},
        "useUTC": True,
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
