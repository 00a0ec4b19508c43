"""Đường đi: what is in force, where a sample would go by it or by a proposal."""

from __future__ import annotations

from typing import get_args

from nicegui import ui

from bus.console.editing import Editor
from bus.console.frame import Page, View
from bus.console.html import Cell, Html, link, table, tag
from bus.console.marks import kind_word
from bus.console.proposing import applied, propose_in
from bus.console.rights import STAFF, Act
from bus.ops import explaining
from routing.decision import Decision, explain_lines
from routing.router import Facts
from schemas.errors import InvalidRequest, LgspError, Text
from schemas.message import Kind
from schemas.province import Province
from schemas.vietnam import day_of


async def build(view: View) -> None:
    say = view.say
    applied(view)
    revision = view.snapshot.revision
    told = say(f"Đang dùng cấu hình phiên bản {revision}.", f"Revision {revision} is in force.")
    history = link(say("Lịch sử cấu hình", "History"), "/configurations")
    view.html(tag("p", told, " ", history))
    view.heading("Quy tắc", "Routes")
    view.html(_routes(view))
    view.heading("Đăng ký nhận hồ sơ", "Subscriptions to dossiers")
    view.html(_subscriptions(view))
    editor = None
    if view.visitor.may(Act.CONFIGURE):
        view.heading("Đề xuất thay đổi", "Propose a change")
        editor = _editor(view)
    view.heading("Thử một thông điệp", "Try a message")
    await Sample(view, editor).begin()


def _routes(view: View) -> Html:
    say = view.say
    rows: list[tuple[Cell, ...]] = [
        (
            route.priority,
            route.name,
            ", ".join(kind_word(say, kind) for kind in route.kinds)
            or say("mọi loại", "every kind"),
            route.sender,
            route.receiver,
            say.text(_ACTIONS[route.action]),
            route.endpoint,
            route.reason,
        )
        for route in view.snapshot.routes
    ]
    columns = [
        say("Thứ tự", "Priority"),
        say("Tên", "Name"),
        say("Loại", "Kinds"),
        say("Gửi", "From"),
        say("Nhận", "To"),
        say("Xử lý", "Action"),
        say("Điểm kết nối", "Endpoint"),
        say("Lý do", "Reason"),
    ]
    empty = say(
        "Không có quy tắc nào: mọi thông điệp đi theo danh bạ.",
        "No routes: every message goes by the directory.",
    )
    return table(say("Quy tắc đang dùng", "Routes in force"), columns, rows, empty=empty)


_ACTIONS = {
    "deliver": Text("chuyển", "deliver"),
    "hold": Text("giữ lại", "hold"),
    "refuse": Text("từ chối", "refuse"),
}


def _subscriptions(view: View) -> Html:
    say = view.say
    rows = [
        (
            each.name,
            ", ".join(kind_word(say, kind) for kind in each.kinds),
            each.sender,
            ", ".join(view.agency(code) for code in each.receivers),
        )
        for each in view.snapshot.subscriptions
    ]
    columns = [
        say("Tên", "Name"),
        say("Loại", "Kinds"),
        say("Hồ sơ của", "Dossiers of"),
        say("Nơi nhận", "Receivers"),
    ]
    empty = say("Không có đăng ký nào.", "No subscriptions.")
    return table(say("Đăng ký nhận", "Subscriptions"), columns, rows, empty=empty)


def _editor(view: View) -> Editor:
    shown = Province(
        routes=tuple(sorted(view.snapshot.routes, key=lambda each: each.name)),
        subscriptions=tuple(view.snapshot.subscriptions),
    )
    text = view.say(
        "Sửa dưới đây như trong tệp khai báo. Trước khi áp dụng, thử một thông điệp ở mục dưới để "
        "thấy đường đi hiện nay và đường đi theo đề xuất.",
        "Edit as in the declaration files. Before it is put in force, try a message below: it "
        "shows the way now, and by the proposal.",
    )
    view.html(tag("p", text, class_="help"))
    return Editor(view, shown)


class Sample:
    """A message, accepted or made up, and the way it goes."""

    def __init__(self, view: View, editor: Editor | None) -> None:
        self._view = view
        self._editor = editor
        say = view.say
        with ui.element("div").classes("line"):
            self._message = ui.input(
                say("Mã thông điệp đã nhận", "Id of an accepted message"), value=view.given("m")
            ).classes("wide")
            view.button("Lấy từ thông điệp", "Take from it", self._take, icon="download")
        with ui.expansion(say("Hoặc dán gói tin edXML", "Or paste an edXML packet")):
            self._packet = ui.textarea("edXML").props("outlined rows=6").classes("yaml")
            view.button("Lấy từ gói tin", "Take from it", self._take_packet, icon="content_paste")
        kinds = {kind: kind_word(say, kind) for kind in get_args(Kind)}
        with ui.element("div").classes("line"):
            self._kind = ui.select(kinds, value="document", label=say("Loại", "Kind"))
            self._sender = ui.input(say("Mã nơi gửi", "Sender"), value=view.given("from"))
            self._receivers = ui.input(
                say("Mã nơi nhận, cách nhau bằng dấu phẩy", "Receivers, by commas"),
                value=view.given("to"),
            ).classes("wide")
            for each in (self._message, self._kind, self._sender, self._receivers):
                each.props("outlined dense")
            view.button("Giải thích", "Explain", self._explain, kind="main", icon="alt_route")
        self._place = ui.element("div").classes("two").props('aria-live="polite"')

    async def begin(self) -> None:
        """What the address names is explained at once."""
        if self._view.given("m"):
            await self._take()
        elif self._view.given("from"):
            await self._explain()

    async def _take(self) -> None:
        try:
            facts = await explaining.facts_of(
                self._view.ledger, (self._message.value or "").strip()
            )
        except LgspError as error:
            self._view.tell(error)
        else:
            await self._fill(facts)

    async def _take_packet(self) -> None:
        try:
            facts = explaining.facts_of_packet(self._packet.value or "")
        except LgspError as error:
            self._view.tell(error)
        else:
            await self._fill(facts)

    async def _fill(self, facts: Facts) -> None:
        self._kind.value = facts.kind
        self._sender.value = facts.sender
        self._receivers.value = ", ".join(facts.receivers)
        await self._explain()

    async def _explain(self) -> None:
        view, say = self._view, self._view.say
        acceptor, now = view.console.acceptor, view.ledger.clock()
        self._place.clear()
        try:
            facts = self._facts()
            decided = acceptor.decide(view.snapshot, facts, now).decision
            columns = [(say("Theo cấu hình đang dùng", "By what is in force"), decided)]
            if self._editor is not None and self._editor.changed:
                proposal = await propose_in(view, self._editor.change())
                proposed = explaining.by_proposal(
                    facts, proposal.wanted, acceptor.manifests, day_of(now)
                )
                columns.append((say("Theo đề xuất", "By the proposal"), proposed))
        except LgspError as error:
            view.tell(error)
            return
        view.remember(**{"from": facts.sender, "to": ",".join(facts.receivers)})
        with self._place:
            for title, decision in columns:
                view.html(_decision(view, title, decision))

    def _facts(self) -> Facts:
        sender = (self._sender.value or "").strip()
        given = (self._receivers.value or "").split(",")
        receivers = tuple(word for part in given if (word := part.strip()))
        if not sender:
            raise InvalidRequest("name the sender", vi="Hãy nhập mã nơi gửi", field="sender")
        return Facts(str(self._kind.value), sender, receivers)


def _decision(view: View, title: str, decision: Decision) -> Html:
    lines = explain_lines(decision, view.say.lang)
    if not lines:
        lines = [view.say("Không ai nhận: không có đăng ký nào phù hợp.", "Nobody gets it.")]
    return tag("section", tag("h3", title), tag("pre", "\n".join(lines)), class_="panel explained")


PAGE = Page("/routes", Text("Đường đi", "Routes"), build, icon="alt_route", roles=STAFF)
