"""A test message to one agency, and its fate as it happens."""

from __future__ import annotations

from nicegui import ui

from bus.console.frame import View
from bus.console.html import code, facts, join, link, table, tag
from bus.console.marks import mark, state_mark
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.console.why import why
from bus.ledger.records import DeliveryRow
from bus.ops import trial
from bus.ops.reasons import reason_of
from bus.ops.wording import STATES
from routing.directory import Directory
from schemas.delivery import DeliveryState
from schemas.errors import NotFound
from schemas.province import Agency
from schemas.vietnam import day_of

FRESH_SECONDS = 1.0


class Trial:
    """Built where it is made."""

    def __init__(self, view: View, code: str) -> None:
        self._view = view
        self._code = code
        self._message = ""
        self._shown: object = None
        say = view.say
        told = say(
            "Gửi một văn bản thử tới cơ quan này, ghi rõ là thử kết nối. Mặc định do chính cơ quan "
            "gửi cho mình, để không đơn vị nào khác nhận được.",
            "Sends the agency a document that says it is a test. By default it is the agency's own "
            "to itself, so that nobody else gets it.",
        )
        view.html(tag("p", told, class_="help"))
        with ui.element("div").classes("line"):
            self._sender = ui.input(say("Mã cơ quan gửi", "Code of the sender"), value=code)
            self._sender.props("outlined dense")
            view.button("Gửi thử", "Send a test", self._send, kind="main", icon="send")
        self._place = ui.element("div").props('aria-live="polite"').classes("trial")
        view.fresh(self._look, FRESH_SECONDS)

    async def _send(self) -> None:
        view = self._view

        async def work(visitor: Visitor) -> str:
            acceptor = view.console.acceptor
            directory = acceptor.live.snapshot.directory
            sender = _found(view, directory, self._sender.value or "")
            receiver = _found(view, directory, self._code)
            receipt = await trial.send(acceptor, sender, receiver, actor=visitor.actor)
            self._message, self._shown = receipt.message_id, None
            return view.say("Trục đã nhận thông điệp thử.", "The bus has accepted the test.")

        if await view.act(Act.TEST, work):
            await self._look()

    async def _look(self) -> None:
        if not self._message:
            return
        rows = await self._view.ledger.queries.deliveries_of(self._message)
        if rows != self._shown:
            self._shown = rows
            self._place.clear()
            with self._place:
                self._draw(rows)

    def _draw(self, rows: list[DeliveryRow]) -> None:
        view, say = self._view, self._view.say
        if rows and all(row.state is DeliveryState.DELIVERED for row in rows):
            told = say("Kết nối tốt: hệ thống nhận đã nhận.", "It works: the receiver has it.")
            view.html(tag("p", mark("✓", "good", told), class_="trial-good"))
        view.html(
            facts(
                (
                    (
                        say("Thông điệp", "Message"),
                        link(code(self._message), f"/message/{self._message}"),
                    ),
                )
            )
        )
        cells = [
            (
                row.endpoint,
                state_mark(say, row.state),
                _what(view, row),
                say.number(row.attempts),
                say.moment(row.finished_at),
            )
            for row in rows
        ]
        columns = [
            say("Điểm kết nối", "Endpoint"),
            say("Trạng thái", "State"),
            say("Nghĩa là", "Which means"),
            say("Số lần gửi", "Attempts"),
            say("Xong lúc", "Finished"),
        ]
        empty = say("Không có chuyển phát nào.", "No deliveries.")
        view.html(table(say("Kết quả thử", "The test's fate"), columns, cells, empty=empty))


def _found(view: View, directory: Directory, code: str) -> Agency:
    agency = directory.resolve(code, day_of(view.ledger.clock())).agency
    if agency is None:
        raise NotFound(
            f"no agency {code[:40]} is in force", vi=f"không có cơ quan {code[:40]} đang hiệu lực"
        )
    return agency


def _what(view: View, row: DeliveryRow) -> str:
    if row.pull and row.state is DeliveryState.QUEUED:
        return view.say(
            "Đang ở hộp thư: hệ thống của cơ quan lấy về bằng khóa của mình.",
            "In the mailbox: the agency's system fetches it with its key.",
        )
    said = why(view.say, reason_of(row.code, row.detail))
    return join(view.say.text(STATES[row.state]), said, by=" · ")
