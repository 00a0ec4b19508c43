"""Một điểm kết nối: how it does, what of it ends when, its maintenance; pause, resume, test."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from nicegui import ui

from adapters import registry
from bus.console.endpoint_secrets import EndpointSecrets
from bus.console.endpoint_words import (
    WAITS,
    count,
    counted,
    endpoints_key,
    error_of,
    found_endpoints,
    latency,
    pace,
    state_of,
)
from bus.console.ends import end_mark, ends_table, known_ends, of_culprits
from bus.console.frame import View
from bus.console.html import Cell, Html, facts, table, tag
from bus.console.maintaining import Announcing
from bus.console.marks import mark
from bus.console.proposing import applied
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ops.endpoints import EndpointView
from bus.ops.reach import Reached, try_reaching
from bus.settings import masked
from schemas.delivery import DeliveryState
from schemas.errors import InvalidRequest, NotFound

LEAST_REASON = 5


async def build_one(view: View, name: str) -> None:
    """Raises NotFound."""
    applied(view)
    place = ui.element("div")

    async def look() -> EndpointView:
        found = [each for each in await found_endpoints(view) if each.name == name]
        if not found:
            raise NotFound(f"no endpoint {name[:60]}", vi=f"không có điểm kết nối {name[:60]}")
        return found[0]

    async def read() -> None:
        endpoint = await look()
        place.clear()
        with place:
            view.html(facts(_facts(view, endpoint)))

    await read()
    each = await look()
    known = of_culprits(await known_ends(view), {f"endpoint:{name}"})
    ends = [end for end in known if not end.name.startswith("secret/")]  # those stand below
    view.heading("Chứng thư và bí mật", "Certificates and secrets")
    empty = view.say("Không biết chứng thư nào có hạn.", "No certificate is known to end.")
    view.html(ends_table(view, ends, empty=empty))
    if each.declared is not None:
        EndpointSecrets(view, each.declared, await view.ledger.secret_lives.all())
        view.heading("Bảo trì có báo trước", "Announced maintenance")
        Announcing(view, [each.declared])
    _acts(view, each)
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
        (say("Tình trạng", "State"), state_of(view, each)),
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
        (say("Đang chờ", "Waiting"), count(each, *WAITS)),
        (say("Bị giữ", "Held"), counted(each, DeliveryState.HELD)),
        (say("Hỏng", "Dead"), counted(each, DeliveryState.DEAD)),
        (say("Mỗi lần gửi", "An attempt takes"), latency(view, each.name)),
        (say("15 phút qua", "Last 15 minutes"), pace(view, each.name)),
        (say("Lỗi gần nhất", "Last error"), error_of(view, each)),
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
    view.console.shared.forget(endpoints_key(view))
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
            end_mark(view, each.ends_at) if each.ends_at is not None else "",
        )
        for each in results
    ]
    empty = say(
        "Điểm này không có địa chỉ: hệ thống bên ngoài tự kết nối tới trục.",
        "It has no address: the system outside connects to the bus.",
    )
    return table(say("Kết quả thử", "Results"), columns, rows, empty=empty)
