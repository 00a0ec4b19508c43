"""What pages say of an endpoint: state, waiting, pace, the last error."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from urllib.parse import urlencode

from bus.console.frame import View
from bus.console.html import Cell, Html, link, tag
from bus.console.maintaining import away_mark
from bus.console.marks import mark
from bus.console.why import why
from bus.ops.endpoints import EndpointView, views_of
from bus.ops.pulse import KEPT_SECONDS
from bus.ops.reasons import reason_in
from schemas.delivery import DeliveryState

WAITS = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING)


def endpoints_key(view: View, agencies: Collection[str] | None = None) -> Hashable:
    """What a change of the declaration brings is seen at once."""
    return "endpoints", agencies, view.snapshot.revision


async def found_endpoints(view: View) -> list[EndpointView]:
    async def make() -> list[EndpointView]:
        return await views_of(view.ledger, view.snapshot.endpoints.values())

    return await view.console.shared.get(endpoints_key(view), make, seconds=2)


def state_of(view: View, each: EndpointView) -> Html:
    """With the maintenance that is on, or comes next."""
    announced = each.declared.maintenance if each.declared else ()
    away = away_mark(view, announced)
    if not away:
        return _state(view, each)
    return tag("div", _state(view, each), tag("div", away), class_="announced")


def _state(view: View, each: EndpointView) -> Html:
    say = view.say
    if each.paused:
        return mark("‖", "warn", say("tạm dừng", "paused"))
    if each.away(view.ledger.clock()) is not None:
        return mark("‖", "warn", say("đang bảo trì", "in maintenance"))
    if each.broken:
        return mark("✗", "bad", say("ngắt mạch", "breaker open"))
    return mark("✓", "good", say("chạy", "running"))


def count(each: EndpointView, *states: DeliveryState) -> int:
    return sum(each.counts.get(state, 0) for state in states)


def counted(each: EndpointView, state: DeliveryState) -> Cell:
    number = count(each, state)
    query = urlencode({"state": state.value, "endpoint": each.name})
    return link(number, f"/deliveries?{query}") if number else 0


def latency(view: View, name: str) -> str:
    found = view.console.pulse.latency(name)
    return "" if found is None else f"{view.say.number(found)} ms"


def pace(view: View, name: str) -> str:
    slots = view.console.pulse.slots(KEPT_SECONDS)
    sent = sum(slot.sent_on[name] for slot in slots)
    failed = sum(slot.failed[name] for slot in slots)
    if not sent and not failed:
        return ""
    return view.say(f"{sent} xong, {failed} không được", f"{sent} done, {failed} failed")


def error_of(view: View, each: EndpointView) -> Cell:
    """In plain words; what was written down about it stands below, quoted."""
    stored = (each.state.last_error if each.state else None) or (
        each.poll.error if each.poll else None
    )
    return why(view.say, reason_in(stored))
