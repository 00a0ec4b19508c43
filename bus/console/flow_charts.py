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
EDGE = 12  # pixels above and below
LINE = 18  # of a name: nodes are at least so far apart
NODE = 30  # of a name with the node beside it
LEAST_HEIGHT = 352
NARROW = 110  # a margin that leaves no room for a name between the two
_PLAIN = "#6b8ba4"
_COLOURS = {"good": "#2e8b57", "warn": "#d98200", "bad": "#c8323b"}

Health = tuple[str, Tone, Text]
UNKNOWN: Health = ("·", "off", Text("chưa khai báo", "undeclared"))


@dataclass(frozen=True, slots=True)
class Flows:
    """Messages of the last quarter of an hour, by sender and endpoint."""

    counts: Counter[tuple[str, str]]
    health: dict[str, Health]  # by endpoint


def flow_chart(view: View, flows: Flows) -> dict[str, Any]:
    """Senders to the left, the bus, endpoints to the right; width is the number of messages.

    Names stand in the margins, cut to their width; under the pointer they are whole.
    """
    nodes, links = _drawn(view, flows)
    ink = "#e8eef3" if view.visitor.dark else "#14202b"
    series = {
        "type": "sankey",
        "top": EDGE,
        "bottom": EDGE,
        "nodeGap": LINE,
        "draggable": False,
        "emphasis": {"focus": "adjacency"},
        "lineStyle": {"color": "target", "opacity": 0.35},
        "label": {
            "color": ink,
            "fontSize": 13,
            "overflow": "truncate",
            ":formatter": "p => p.data.value",
        },
        "tooltip": {":formatter": _TOOLTIP},
        "data": nodes,
        "links": links,
    }
    return {
        "baseOption": {
            "aria": {"enabled": True},
            "animation": False,
            "tooltip": {"trigger": "item", "confine": True},
            "series": [series],
        },
        "media": [
            {"query": query, "option": {"series": [_margins(*widths)]}}
            for query, widths in _MARGINS
        ],
    }


def flow_height(flows: Flows) -> int:
    """Pixels: every name has a line of its own, however little it sent."""
    sides = zip(*flows.counts, strict=True) if flows.counts else ()
    most = max((min(len(set(side)), MOST_NODES + 1) for side in sides), default=0)
    return max(LEAST_HEIGHT, most * NODE + 2 * EDGE)


def _drawn(view: View, flows: Flows) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes and links; `told` is what is said under the pointer."""
    say = view.say
    by_sender, by_endpoint = Counter[str](), Counter[str]()
    for (sender, endpoint), count in flows.counts.items():
        by_sender[sender] += count
        by_endpoint[endpoint] += count
    others = say("khác", "others")
    bus = say("Trục liên thông", "The bus")
    total = f"{bus}: {say.number(flows.counts.total())}"
    nodes = [_node("bus", bus, "#0b5c8e", total)]
    links = []
    for sender, count in _largest(by_sender, others):
        found = view.snapshot.directory.get(sender)
        title = found.name if found is not None else sender
        whole = f"{title} ({sender})" if found is not None else sender
        told = f"{whole} → {say('trục', 'the bus')}: {say.number(count)}"
        nodes.append(_node(f"s:{sender}", title, _PLAIN, told))
        links.append({"source": f"s:{sender}", "target": "bus", "value": count, "told": told})
    for endpoint, count in _largest(by_endpoint, others):
        sign, tone, _ = flows.health.get(endpoint, UNKNOWN)
        title = f"{sign} {endpoint}"
        told = f"{say('trục', 'the bus')} → {endpoint}: {say.number(count)}"
        nodes.append(_node(f"e:{endpoint}", title, _COLOURS.get(tone, _PLAIN), told))
        links.append({"source": "bus", "target": f"e:{endpoint}", "value": count, "told": told})
    return nodes, links


def _node(name: str, title: str, colour: str, told: str) -> dict[str, Any]:
    return {"name": name, "value": title, "told": told, "itemStyle": {"color": colour}}


def _margins(left: int, right: int) -> dict[str, Any]:
    """With so many pixels for names on each side."""
    senders = {"depth": 0, "label": {"position": "left", "width": left - 10}}
    endpoints = {"depth": 2, "label": {"position": "right", "width": right - 10}}
    bus = {"depth": 1, "label": {"show": left > NARROW}}
    return {"left": left, "right": right, "levels": [senders, bus, endpoints]}


_MARGINS = (
    ({"minWidth": 900}, (310, 240)),
    ({"minWidth": 560, "maxWidth": 899}, (220, 170)),
    ({"maxWidth": 559}, (NARROW, 100)),
)
"""By the width of the chart: what names get of it, left and right."""
_TOOLTIP = "p => p.data.told.replace(/[&<>]/g, c => '&#' + c.charCodeAt(0) + ';')"


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
