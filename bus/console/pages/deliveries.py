"""Chuyển phát: what waits, is held or dead; replay, cancel, redirect, one or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from adapters import registry
from bus.console.frame import Page, View
from bus.console.html import Html, tag
from bus.console.jobs import Job
from bus.console.marks import STATES
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ledger.records import DeliveryRow
from bus.ops.mending import CANCEL, REPLAY, Choice, Chosen, choose, redirect
from bus.ops.mending import Act as Mending
from bus.ops.reasons import reason_of
from schemas.delivery import OPEN, DeliveryState
from schemas.errors import InvalidRequest, NotFound, Text
from schemas.instant import SECOND

LIMIT = 200
FRESH_SECONDS = 1.0  # a change of state is on screen within two
KEPT_SECONDS = 0.3
MOST_QUOTED = 200  # characters of what a partner said
SHARE = 0.25  # of the time may be spent on reading: who mends the flow looks at what is so now
LEAST_REASON = 5
MOST_RATE = 5_000
PERIODS = {"1h": 3600, "1d": 86_400, "7d": 7 * 86_400, "": 0}
GROUPS: dict[str, tuple[Text, frozenset[DeliveryState]]] = {
    "attention": (
        Text("hỏng và bị giữ", "dead and held"),
        frozenset({DeliveryState.DEAD, DeliveryState.HELD}),
    ),
    "open": (Text("chưa xong", "not finished"), OPEN),
    "all": (Text("mọi trạng thái", "every state"), frozenset()),
}


async def build(view: View) -> None:
    view.html(_form(view))
    rows = await _rows(view)
    jobs = ui.element("div").classes("stack")
    table = _table(view, rows)
    _buttons(view, table)
    if len(rows) == LIMIT:
        following = str(view.request.url.include_query_params(after=rows[-1].id).query)
        text = view.say("Trang sau", "Next page")
        view.html(tag("p", tag("a", f"{text} →", href=f"/deliveries?{following}")))
    shown: list[tuple[int, int, str]] = []

    async def read() -> None:
        nonlocal rows, shown
        latest = await _rows(view)
        if latest is not rows and latest != rows:  # only what has changed is sent
            rows = latest
            table.rows = [_row(view, row) for row in rows]
            still = {row.id for row in rows}
            table.selected = [row for row in table.selected if row["id"] in still]
        found = view.console.jobs.of(view.visitor)
        now = [(id(job), job.tried, str(job.state)) for job in found]
        if now != shown:
            shown = now
            jobs.clear()
            with jobs:
                for job in found:
                    _job(view, job)

    await read()
    view.fresh(read, FRESH_SECONDS)


async def _rows(view: View) -> list[DeliveryRow]:
    """Read once for all who look at the same."""
    given = {name: view.given(name) for name in ("state", "endpoint", "code", "since", "after")}

    async def make() -> list[DeliveryRow]:
        return await view.ledger.queries.deliveries(
            states=tuple(_states(view)),
            endpoint=given["endpoint"] or None,
            code=given["code"] or None,
            since=_since(view),
            after=int(given["after"]) if given["after"].isdecimal() else None,
            limit=LIMIT,
            agencies=view.visitor.agencies,
        )

    key = ("deliveries", view.visitor.agencies, *given.values())
    return await view.console.shared.get(key, make, seconds=KEPT_SECONDS, share=SHARE)


# --- choosing ------------------------------------------------------------------------------------


def _states(view: View) -> frozenset[DeliveryState]:
    given = view.given("state") or "attention"
    if given in GROUPS:
        return GROUPS[given][1]
    return frozenset({DeliveryState(given)}) if given in set(DeliveryState) else frozenset()


def _since(view: View) -> int | None:
    seconds = PERIODS.get(view.given("since"), 0)
    return view.ledger.clock() - seconds * SECOND if seconds else None


def _form(view: View) -> Html:
    say = view.say
    chosen = view.given("state") or "attention"
    states = [(name, say.text(text)) for name, (text, _) in GROUPS.items()]
    states += [(state.value, say.text(STATES[state][2])) for state in DeliveryState]
    endpoints = [("", say("mọi điểm", "every endpoint"))]
    endpoints += [(name, name) for name in sorted(view.snapshot.endpoints)]
    periods = [
        ("", say("mọi lúc", "any time")),
        ("1h", say("1 giờ qua", "last hour")),
        ("1d", say("1 ngày qua", "last day")),
        ("7d", say("7 ngày qua", "last 7 days")),
    ]
    return tag(
        "form",
        _select("state", say("Trạng thái", "State"), states, chosen),
        _select("endpoint", say("Điểm kết nối", "Endpoint"), endpoints, view.given("endpoint")),
        _select("since", say("Từ", "Since"), periods, view.given("since")),
        tag(
            "div",
            tag("label", say("Mã lỗi", "Error code"), for_="code"),
            tag("input", id="code", name="code", value=view.given("code")),
        ),
        tag("button", say("Lọc", "Filter"), type="submit"),
        method="get",
        action="/deliveries",
        class_="filters",
    )


def _select(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> Html:
    listed = [
        tag("option", text, value=value, selected="selected" if value == chosen else None)
        for value, text in options
    ]
    return tag("div", tag("label", label, for_=name), tag("select", *listed, id=name, name=name))


def _table(view: View, rows: Sequence[DeliveryRow]) -> ui.table:
    say = view.say
    columns = [
        ("id", say("Mã", "Id")),
        ("state", say("Trạng thái", "State")),
        ("endpoint", say("Điểm kết nối", "Endpoint")),
        ("receivers", say("Nơi nhận", "Receivers")),
        ("attempts", say("Số lần gửi", "Attempts")),
        ("age", say("Chờ từ", "Since")),
        ("why", say("Lý do", "Why")),
        ("message", say("Thông điệp", "Message")),
    ]
    table = ui.table(
        columns=[
            {"name": name, "label": label, "field": name, "align": "left"}
            for name, label in columns
        ],
        rows=[_row(view, row) for row in rows],
        row_key="id",
        selection="multiple",
        pagination={"rowsPerPage": 25},
    )
    empty = say("Không có chuyển phát nào như vậy.", "There are no such deliveries.")
    table.props(f'flat :rows-per-page-options="[25, 50, 200]" no-data-label="{empty}"')
    table.add_slot(
        "body-cell-state",
        '<q-td :props="props"><span :class="\'mark \' + props.row.tone">'
        '<span aria-hidden="true">{{ props.row.sign }}</span> {{ props.row.state }}</span></q-td>',
    )
    table.add_slot(
        "body-cell-message",
        '<q-td :props="props"><a :href="\'/message/\' + props.row.message">'
        f"{say('Xem', 'Look')}</a></q-td>",
    )
    table.add_slot(  # with the code, which the filter asks for
        "body-cell-why",
        '<q-td :props="props">{{ props.row.why }}<p class="note">'
        '<code v-if="props.row.code">{{ props.row.code }}</code> {{ props.row.quoted }}</p></q-td>',
    )
    return table.classes("deliveries")


def _row(view: View, row: DeliveryRow) -> dict[str, Any]:
    sign, tone, text = STATES[row.state]
    reason = reason_of(row.code, row.detail)
    return {
        "id": row.id,
        "state": view.say.text(text),
        "sign": sign,
        "tone": tone,
        "endpoint": row.endpoint,
        "receivers": ", ".join(row.receivers),
        "attempts": row.attempts,
        "age": view.say.moment(row.created_at),
        "why": view.say.text(reason.said),
        "code": row.code or "",
        "quoted": view.say.text(reason.quoted)[:MOST_QUOTED],
        "message": row.message_id,
    }


# --- acting --------------------------------------------------------------------------------------


def _buttons(view: View, table: ui.table) -> None:
    visitor = view.visitor
    if not any(map(visitor.may, (Act.REPLAY, Act.CANCEL, Act.REDIRECT))):
        return
    with ui.element("div").classes("row-of"):
        which = ui.radio(
            {
                "chosen": view.say("những dòng đã chọn", "the rows chosen"),
                "all": view.say("mọi thứ khớp bộ lọc", "all that match the filter"),
            },
            value="chosen",
        ).props("inline")

        def choice(sender_only: Visitor) -> Choice:
            senders = sender_only.agencies  # an agency may withdraw what it sent
            if which.value == "all":
                return Choice(
                    states=tuple(_states(view)),
                    endpoint=view.given("endpoint") or None,
                    code=view.given("code") or None,
                    since=_since(view),
                    senders=senders,
                )
            ids = tuple(int(row["id"]) for row in table.selected)
            if not ids:
                raise InvalidRequest("choose rows first", vi="hãy chọn dòng trước", field="ids")
            return Choice(ids=ids, senders=senders)

        if visitor.may(Act.REPLAY):
            view.button("Gửi lại", "Replay", _opener(view, Act.REPLAY, choice), kind="main")
        if visitor.may(Act.REDIRECT):
            view.button("Đổi nơi nhận", "Redirect", _opener(view, Act.REDIRECT, choice))
        if visitor.may(Act.CANCEL):
            view.button("Hủy", "Cancel", _opener(view, Act.CANCEL, choice), kind="danger")


def _opener(view: View, right: Act, choice: Callable[[Visitor], Choice]) -> Callable[[], Any]:
    """First a dry run: what would be done to how many."""

    async def open_() -> None:
        mending = CANCEL if right is Act.CANCEL else REPLAY
        if right is Act.REDIRECT:
            mending = redirect("", pull=False)
        found: list[Chosen] = []

        async def look(now: Visitor) -> str:
            found.append(await choose(view.ledger, mending, choice(now)))
            return ""

        if await view.act(right, look):
            _confirm(view, right, mending, found[0])

    return open_


def _confirm(view: View, right: Act, mending: Mending, found: Chosen) -> None:
    say = view.say
    verbs = {
        Act.REPLAY: say("Gửi lại", "Replay"),
        Act.CANCEL: say("Hủy", "Cancel"),
        Act.REDIRECT: say("Đổi nơi nhận", "Redirect"),
    }
    with ui.dialog(value=True) as dialog, ui.card().classes("told wide-card"):
        view.html(tag("h2", verbs[right]))
        view.html(_dry_run(view, right, found))
        reason = ui.input(say("Lý do, ghi vào nhật ký", "Reason, for the journal"))
        reason.props("outlined dense").classes("full")
        rate = ui.number(
            say("Nhiều nhất mỗi giây (trống: không giới hạn)", "Most a second (empty: no limit)"),
            min=1,
            max=MOST_RATE,
        )
        rate.props("outlined dense").classes("full")
        target: ui.select | None = None
        if right is Act.REDIRECT:
            names = sorted(view.snapshot.endpoints)
            target = ui.select(names, label=say("Điểm kết nối mới", "New endpoint"))
            target.props("outlined dense").classes("full")

        async def go() -> None:
            async def begin(now: Visitor) -> str:
                given = (reason.value or "").strip()[:500]
                if len(given) < LEAST_REASON:
                    raise InvalidRequest("a reason is needed", vi="cần nêu lý do", field="reason")
                act = mending if target is None else _target(view, target.value)
                view.console.jobs.start(
                    now,
                    act,
                    found.fit,
                    reason=given,
                    rate=float(rate.value) if rate.value else None,
                )
                return say("Đã bắt đầu, xem tiến độ ở đầu trang.", "Begun; see its progress above.")

            if await view.act(right, begin):
                dialog.close()

        with ui.element("div").classes("row-of"):
            if found.fit:
                kind = "danger" if right is Act.CANCEL else "main"
                count = say.number(len(found.fit))
                view.button(f"Làm ({count})", f"Do it ({count})", go, kind=kind)
            view.button("Thôi", "Do nothing", dialog.close)


def _dry_run(view: View, right: Act, found: Chosen) -> Html:
    say = view.say
    lines = [
        say(
            f"Chạy thử: sẽ làm với {len(found.fit)} chuyển phát.",
            f"Dry run: {len(found.fit)} deliveries are meant.",
        ),
    ]
    if found.unfit:
        lines.append(
            say(
                f"{len(found.unfit)} không làm được ở trạng thái hiện tại.",
                f"{len(found.unfit)} cannot be, in their present state.",
            )
        )
    if right is Act.REDIRECT:
        lines.append(
            say(
                "Chuyển phát có thể đã tới nơi cũ được để nguyên, để không nhận hai lần.",
                "What may have arrived at the old place stays there, so that nothing comes twice.",
            )
        )
    if right is Act.CANCEL:
        lines.append(say("Việc hủy không rút lại được.", "Cancelling cannot be undone."))
    shown = ", ".join(map(str, found.fit[:10])) + (", …" if len(found.fit) > 10 else "")
    return tag("div", *(tag("p", line) for line in lines), tag("p", shown, class_="note"))


def _target(view: View, name: str | None) -> Mending:
    """Raises NotFound, InvalidRequest."""
    endpoint = view.snapshot.endpoints.get(name or "")
    adapter = registry.adapters().get(endpoint.kind) if endpoint is not None else None
    if endpoint is None or adapter is None:
        raise NotFound("no such endpoint", vi="không có điểm kết nối này")
    mode = adapter.manifest.mode
    if mode == "source":
        raise InvalidRequest(
            "nothing is delivered to this endpoint", vi="điểm kết nối này chỉ để lấy dữ liệu"
        )
    return redirect(endpoint.name, pull=mode == "pull")


def _job(view: View, job: Job) -> None:
    say = view.say
    words = {
        "running": say("đang chạy", "running"),
        "finished": say("xong", "finished"),
        "stopped": say("đã dừng", "stopped"),
        "failed": say("gặp lỗi", "failed"),
    }
    skipped = job.tried - job.done
    text = f"{say.text(job.act.verb)}: {job.done}/{job.total}, {words[job.state]}"
    if skipped:
        text += say(f", {skipped} bỏ qua vì đã đổi trạng thái", f", {skipped} had changed since")
    if job.error is not None:
        text += f": {say.text(job.error)}"
    with ui.element("div").classes("panel row-of job"):
        view.html(tag("p", text, role="status"))
        share = job.tried / job.total if job.total else 1.0
        bar = ui.linear_progress(share, show_value=False).classes("bar")
        bar.props(f'aria-label="{say("tiến độ", "progress")}"')
        view.html(tag("p", f"{job.actor}: {job.reason}", class_="note"))
        if job.state == "running":
            view.button("Dừng", "Stop", lambda: view.console.jobs.stop(job), kind="danger")
        elif job.act.undo is not None and job.done and view.visitor.may(Act.REPLAY):
            view.button("Rút lại cái chưa gửi", "Undo what has not left", _undoer(view, job))


def _undoer(view: View, job: Job) -> Callable[[], Any]:
    async def undo() -> None:
        async def begin(now: Visitor) -> str:
            if job.act.undo is not None:
                view.console.jobs.start(now, job.act.undo, job.ids, reason=job.reason, rate=None)
            return ""

        await view.act(Act.REPLAY, begin)

    return undo


PAGE = Page("/deliveries", Text("Chuyển phát", "Deliveries"), build, icon="local_shipping")
