"""Điểm kết nối: how each connected system does; pause, resume, test."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import orjson
from nicegui import ui

from adapters import registry
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, facts, link, table, tag
from bus.console.marks import mark
from bus.console.rights import STAFF, Act
from bus.console.visitor import Visitor
from bus.ops.endpoints import EndpointView, views_of
from bus.ops.pulse import KEPT_SECONDS
from bus.ops.reach import Reached, try_reaching
from bus.settings import masked
from schemas.delivery import DeliveryState
from schemas.errors import InvalidRequest, NotFound, Text, by_code
from schemas.instant import SECOND

WAITS = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING)
LEAST_REASON = 5
SOON_DAYS = 30  # before its end a certificate is marked


async def build(view: View) -> None:
    if name := view.given("name"):
        await _one(view, name)
    else:
        await _all(view)


async def _found(view: View) -> list[EndpointView]:
    async def make() -> list[EndpointView]:
        return await views_of(view.ledger, view.snapshot.endpoints.values())

    return await view.console.shared.get(("endpoints", None), make, seconds=2)


# --- all of them ---------------------------------------------------------------------------------


async def _all(view: View) -> None:
    place = ui.element("div")

    async def read() -> None:
        content = _listed(view, await _found(view))
        place.clear()
        with place:
            view.html(content)

    await read()
    view.fresh(read)


def _listed(view: View, found: Sequence[EndpointView]) -> Html:
    say = view.say
    columns = [
        say("Điểm kết nối", "Endpoint"),
        say("Giao thức", "Protocol"),
        say("Tình trạng", "State"),
        say("Đang chờ", "Waiting"),
        say("Bị giữ", "Held"),
        say("Hỏng", "Dead"),
        say("Chờ lâu nhất", "Oldest"),
        say("Mỗi lần gửi", "An attempt takes"),
        say("15 phút qua", "Last 15 minutes"),
        say("Lỗi gần nhất", "Last error"),
    ]
    now = view.ledger.clock()
    rows: list[list[Cell]] = [
        [
            link(each.name, f"/endpoints?{urlencode({'name': each.name})}"),
            each.declared.kind if each.declared else say("chưa khai báo", "undeclared"),
            _state(view, each),
            _count(each, *WAITS),
            _counted(each, DeliveryState.HELD),
            _counted(each, DeliveryState.DEAD),
            say.span(now - each.oldest) if each.oldest else "",
            _latency(view, each.name),
            _pace(view, each.name),
            _error(view, each),
        ]
        for each in found
    ]
    empty = say("Chưa khai báo điểm kết nối nào.", "No endpoint is declared.")
    return table(say("Điểm kết nối", "Endpoints"), columns, rows, empty=empty)


def _state(view: View, each: EndpointView) -> Html:
    say = view.say
    if each.paused:
        return mark("‖", "warn", say("tạm dừng", "paused"))
    if each.broken:
        return mark("✗", "bad", say("ngắt mạch", "breaker open"))
    return mark("✓", "good", say("chạy", "running"))


def _count(each: EndpointView, *states: DeliveryState) -> int:
    return sum(each.counts.get(state, 0) for state in states)


def _counted(each: EndpointView, state: DeliveryState) -> Cell:
    count = _count(each, state)
    query = urlencode({"state": state.value, "endpoint": each.name})
    return link(count, f"/deliveries?{query}") if count else 0


def _latency(view: View, name: str) -> str:
    found = view.console.pulse.latency(name)
    return "" if found is None else f"{view.say.number(found)} ms"


def _pace(view: View, name: str) -> str:
    slots = view.console.pulse.slots(KEPT_SECONDS)
    sent = sum(slot.sent_on[name] for slot in slots)
    failed = sum(slot.failed[name] for slot in slots)
    if not sent and not failed:
        return ""
    return view.say(f"{sent} xong, {failed} không được", f"{sent} done, {failed} failed")


def _error(view: View, each: EndpointView) -> str:
    """In plain words, where the code of the error has them."""
    given = (each.state.last_error if each.state else None) or (
        each.poll.error if each.poll else ""
    )
    code, _, rest = (given or "").partition(":")
    known = by_code(code.strip())
    if known is None:
        return given or ""
    return f"{view.say.text(known.title)}{':' if rest else ''}{rest}"


# --- one of them ---------------------------------------------------------------------------------


async def _one(view: View, name: str) -> None:
    """Raises NotFound."""
    place = ui.element("div")

    async def look() -> EndpointView:
        found = [each for each in await _found(view) if each.name == name]
        if not found:
            raise NotFound(f"no endpoint {name[:60]}", vi=f"không có điểm kết nối {name[:60]}")
        return found[0]

    async def read() -> None:
        endpoint = await look()
        place.clear()
        with place:
            view.html(facts(_facts(view, endpoint)))

    await read()
    _acts(view, await look())
    view.fresh(read)


def _facts(view: View, each: EndpointView) -> list[tuple[str, Cell]]:
    say, declared, state = view.say, each.declared, each.state
    adapter = registry.adapters().get(declared.kind) if declared else None
    protocol = ""
    if adapter is not None and declared is not None:
        title = say(adapter.manifest.title_vi, adapter.manifest.title_en)
        protocol = f"{title} ({declared.kind})"
    found: list[tuple[str, Cell]] = [
        (say("Điểm kết nối", "Endpoint"), each.name),
        (say("Tên", "Title"), declared.title if declared else ""),
        (say("Giao thức", "Protocol"), protocol),
        (say("Tình trạng", "State"), _state(view, each)),
    ]
    if state is not None and each.paused:
        found.append((say("Lý do dừng", "Why paused"), state.pause_reason))
    if state is not None and each.broken:
        found += [
            (say("Ngắt mạch từ", "Open since"), say.moment(state.opened_at)),
            (say("Thử lại lúc", "Next probe"), say.moment(state.probe_at)),
        ]
    if each.poll is not None:
        found.append((say("Lấy được gần nhất", "Last fetched"), say.moment(each.poll.good_at)))
    found += [
        (say("Đang chờ", "Waiting"), _count(each, *WAITS)),
        (say("Bị giữ", "Held"), _counted(each, DeliveryState.HELD)),
        (say("Hỏng", "Dead"), _counted(each, DeliveryState.DEAD)),
        (say("Mỗi lần gửi", "An attempt takes"), _latency(view, each.name)),
        (say("15 phút qua", "Last 15 minutes"), _pace(view, each.name)),
        (say("Lỗi gần nhất", "Last error"), _error(view, each)),
    ]
    if declared is not None:
        text = orjson.dumps(declared.config, option=orjson.OPT_INDENT_2).decode()
        found.append((say("Cấu hình", "Configuration"), tag("pre", masked(text))))
    return found


def _acts(view: View, each: EndpointView) -> None:
    visitor, name = view.visitor, each.name
    if visitor.may(Act.PAUSE):
        view.heading("Tạm dừng và chạy tiếp", "Pause and resume")
        text = view.say(
            "Khi tạm dừng, trục vẫn tiếp nhận và giữ lại, không mất gì.",
            "While it is paused the bus goes on accepting, and keeps everything.",
        )
        view.html(tag("p", text, class_="note"))
        with ui.element("div").classes("row-of"):
            reason = ui.input(view.say("Lý do", "Reason")).props("outlined dense").classes("wide")

            async def pause() -> None:
                await view.act(Act.PAUSE, lambda now: _set(view, now, name, reason.value, True))

            async def resume() -> None:
                await view.act(Act.RESUME, lambda now: _set(view, now, name, reason.value, False))

            view.button("Tạm dừng", "Pause", pause, icon="pause")
            view.button("Chạy tiếp", "Resume", resume, kind="main", icon="play_arrow")
    if visitor.may(Act.TEST) and each.declared is not None:
        view.heading("Thử kết nối", "Test the connection")
        place = ui.element("div").props('role="status"')

        async def test() -> None:
            results: list[Reached] = []

            async def work(now: Visitor) -> str:
                endpoint = view.snapshot.endpoints.get(name)
                if endpoint is None:
                    raise NotFound(f"no endpoint {name}", vi=f"không có điểm kết nối {name}")
                results.extend(await try_reaching(endpoint))
                await view.ledger.note(
                    "endpoint-tested",
                    actor=now.actor,
                    data={"endpoint": name, "good": all(each.good for each in results)},
                )
                return ""

            if await view.act(Act.TEST, work):
                place.clear()
                with place:
                    view.html(_results(view, results))

        view.button("Thử", "Test", test, icon="network_check")


async def _set(view: View, now: Visitor, name: str, reason: str | None, paused: bool) -> str:
    """Raises InvalidRequest."""
    given = (reason or "").strip()[:500]
    if paused and len(given) < LEAST_REASON:
        raise InvalidRequest("a reason is needed", vi="cần nêu lý do", field="reason")
    await view.ledger.set_paused(name, paused=paused, actor=now.actor, reason=given)
    view.console.shared.forget(("endpoints", None))
    if paused:
        return view.say(f"{name} đã tạm dừng.", f"{name} is paused.")
    return view.say(f"{name} chạy tiếp.", f"{name} runs again.")


def _results(view: View, results: Sequence[Reached]) -> Html:
    say = view.say
    columns = [
        say("Địa chỉ", "Address"),
        say("Kết quả", "Result"),
        say("Thời gian", "Time"),
        say("Chứng thư hết hạn", "Certificate ends"),
    ]
    rows = [
        (
            each.place,
            mark("✓" if each.good else "✗", "good" if each.good else "bad", say.text(each.said)),
            f"{say.number(each.milliseconds)} ms",
            _ends(view, each),
        )
        for each in results
    ]
    empty = say(
        "Điểm này không có địa chỉ: hệ thống bên ngoài tự kết nối tới trục.",
        "It has no address: the system outside connects to the bus.",
    )
    return table(say("Kết quả thử", "Results"), columns, rows, empty=empty)


def _ends(view: View, each: Reached) -> Cell:
    if each.ends_at is None:
        return ""
    left = (each.ends_at - view.ledger.clock()) // (86_400 * SECOND)
    text = f"{view.say.moment(each.ends_at)} ({left} {view.say('ngày nữa', 'days left')})"
    if left < 0:
        return mark("✗", "bad", text)
    return mark("!", "warn", text) if left < SOON_DAYS else mark("✓", "good", text)


PAGE = Page("/endpoints", Text("Điểm kết nối", "Endpoints"), build, icon="hub", roles=STAFF)
