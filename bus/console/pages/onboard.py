"""Thêm cơ quan: from nothing to the first good message, step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from nicegui import ui

from adapters import registry
from bus.console.config_form import ConfigForm
from bus.console.frame import Page, View
from bus.console.html import link, tag
from bus.console.keyring import Keyring, after
from bus.console.proposing import Review, propose_in
from bus.console.rights import Act, Role
from bus.console.trying import Trial
from bus.console.visitor import Visitor
from bus.ops import keys, trial
from bus.ops.onboarding import Onboarding
from schemas.errors import LgspError, Text
from schemas.province import Client

OWN, ABOVE = "own", "above"


async def build(view: View) -> None:
    Wizard(view)


class Wizard:
    """What was typed stays with this window until it is in force; then it is in the ledger."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._draft = Onboarding()
        self._form: ConfigForm | None = None
        say = view.say
        with ui.stepper().props("vertical flat animated=false").classes("wizard") as self._stepper:
            self._agency_step()
            self._system_step()
            self._access_step()
            self._traffic_step()
            with ui.step("review", title=say("5. Xem lại và áp dụng", "5. Review, put in force")):
                self._review = Review(view, self._in_force)
                self._back()
            with ui.step("try", title=say("6. Khóa và gửi thử", "6. Key, and a test message")):
                self._last = ui.element("div").classes("stack")

    # --- pieces ----------------------------------------------------------------------------------

    def _input(self, vi: str, en: str, help_vi: str, help_en: str, value: str = "") -> ui.input:
        with ui.element("div").classes("field"):
            typed = ui.input(self._view.say(vi, en), value=value)
            typed.props("outlined dense maxlength=300")
            self._view.html(tag("p", self._view.say(help_vi, help_en), class_="help"))
        return typed

    def _next(self, check: Callable[[], Awaitable[None]], step: str) -> None:
        view = self._view

        async def go() -> None:
            try:
                await check()
            except LgspError as error:
                view.tell(error)
            else:
                self._stepper.set_value(step)

        with ui.element("div").classes("line"):
            view.button("Tiếp tục", "Continue", go, kind="main")
            self._back()

    def _back(self) -> None:
        self._view.button("Quay lại", "Back", self._stepper.previous)

    async def _holds_together(self, draft: Onboarding) -> None:
        """Raises what the review would show: better told where it was typed."""
        await propose_in(self._view, draft.change)

    # --- steps -----------------------------------------------------------------------------------

    def _agency_step(self) -> None:
        view, draft = self._view, self._draft
        with ui.step("agency", title=view.say("1. Cơ quan", "1. Agency")):
            code = self._input(
                "Mã định danh *",
                "Agency code *",
                "Theo QĐ 20/2020: H99.14, hoặc theo QCVN 102: 000.00.14.H99.",
                "By QĐ 20/2020: H99.14, or by QCVN 102: 000.00.14.H99.",
            )
            alias = self._input(
                "Mã ở dạng còn lại",
                "Its code of the other form",
                "Nơi gửi còn viết mã này thì vẫn tới đúng cơ quan. Để trống nếu không có.",
                "Whoever still writes it reaches the same agency. Empty: none.",
            )
            name = self._input("Tên cơ quan *", "Name *", "Như trên con dấu.", "As on its seal.")
            parent = self._input(
                "Mã cơ quan cấp trên",
                "Code of the agency above",
                "Phải có trong danh bạ. Để trống nếu không có.",
                "It must be in the directory. Empty: none.",
                view.given("parent"),
            )

            async def check() -> None:
                draft.code, draft.name = _typed(code).upper(), _typed(name)
                draft.alias, draft.parent = _typed(alias).upper(), _typed(parent).upper()
                await self._holds_together(
                    replace(draft, endpoint="", client="", follows="", config={})
                )

            self._next(check, "system")

    def _system_step(self) -> None:
        view, say, draft = self._view, self._view.say, self._draft
        kinds = {
            kind: say(adapter.manifest.title_vi, adapter.manifest.title_en)
            for kind, adapter in registry.adapters().items()
        }
        with ui.step("system", title=say("2. Hệ thống của cơ quan", "2. Its system")):
            choices = {
                OWN: say("Có hệ thống riêng", "It has a system of its own"),
                ABOVE: say("Dùng hệ thống của cơ quan cấp trên", "It uses that of the one above"),
            }
            own = ui.radio(choices, value=OWN).props("inline")
            with ui.element("div").classes("stack").bind_visibility_from(own, "value", value=OWN):
                endpoint = self._input(
                    "Tên điểm kết nối *",
                    "Name of the endpoint *",
                    "Chữ thường không dấu, số, gạch ngang: so-y-te. Không đổi về sau.",
                    "Lower-case letters, digits, hyphens: so-y-te. It stays for good.",
                )
                title = self._input(
                    "Tên hệ thống",
                    "Title",
                    "Tên phần mềm để người vận hành nhận ra.",
                    "By which operators know the software.",
                )
                kind = ui.select(kinds, label=say("Cách kết nối *", "Way to connect *"))
                kind.props("outlined dense").classes("field")
                place = ui.element("div").classes("stack")

                def draw() -> None:
                    place.clear()
                    with place:
                        self._form = ConfigForm(view, kind.value) if kind.value else None

                kind.on_value_change(draw)

            async def check() -> None:
                given = own.value == OWN
                draft.endpoint = _typed(endpoint) if given else ""
                draft.kind, draft.title = kind.value or "", _typed(title)
                draft.config = self._form.values() if given and self._form else {}
                if given:
                    draft.endpoint = draft.endpoint or "?"  # the model says what a name may be
                await self._holds_together(replace(draft, client="", follows=""))

            self._next(check, "access")

    def _access_step(self) -> None:
        view, say, draft = self._view, self._view.say, self._draft
        with ui.step("access", title=say("3. Quyền gọi trục", "3. Calling the bus")):
            told = say(
                "Hệ thống của cơ quan gọi trục để gửi, để lấy từ hộp thư và để tra cứu. Khóa được "
                "cấp và hiện một lần sau khi áp dụng.",
                "The agency's system calls the bus to send, to fetch from its mailbox and to ask. "
                "Its key is issued, and shown once, when everything is in force.",
            )
            view.html(tag("p", told, class_="help"))
            client = self._input(
                "Tên hệ thống gọi (client_id)",
                "Name of the caller (client_id)",
                "Để trống nếu hệ thống gọi bằng danh tính đã khai báo.",
                "Empty when its system calls with an identity that is declared already.",
            )
            below = ui.checkbox(
                say("Nói thay cả các cơ quan cấp dưới", "It speaks for the agencies below, too")
            )
            days = ui.number(say("Khóa dùng được (ngày)", "Key good for (days)"), value=365, min=1)
            days.props("outlined dense").classes("field")

            async def check() -> None:
                draft.client, draft.descendants = _typed(client), bool(below.value)
                draft.expires_days = days.value
                after(view, days.value)
                await self._holds_together(replace(draft, follows=""))

            self._next(check, "traffic")

    def _traffic_step(self) -> None:
        view, say, draft = self._view, self._view.say, self._draft
        with ui.step("traffic", title=say("4. Đường đi và đăng ký", "4. Routes, subscriptions")):
            told = say(
                "Văn bản tới cơ quan theo danh bạ, không cần quy tắc riêng. Hồ sơ thì không ghi "
                "nơi nhận: đăng ký ở đây nếu hệ thống này nhận hồ sơ của cơ quan khác.",
                "Documents find the agency by the directory, without a route. Dossiers name no "
                "receiver: subscribe here if this system gets those of other agencies.",
            )
            view.html(tag("p", told, class_="help"))
            follows = self._input(
                "Nhận hồ sơ của",
                "Gets dossiers of",
                "Mẫu mã cơ quan gửi: H99.*, *.H99 hoặc *. Để trống: không nhận.",
                "Pattern of senders' codes: H99.*, *.H99 or *. Empty: of nobody.",
            )

            async def check() -> None:
                draft.follows = _typed(follows).upper()
                await self._holds_together(draft)
                await self._review.show(draft.change)

            self._next(check, "review")

    async def _in_force(self, revision: int) -> None:
        view, draft = self._view, self._draft
        self._stepper.set_value("try")
        code = draft.agency().code
        with self._last:
            if (client := draft.caller()) is not None:
                view.heading("Khóa của hệ thống", "The system's key")
                await self._first_key(client, revision)
            view.heading("Gửi thử", "Test message")
            Trial(view, code, revision=revision)
            text = view.say("Mở trang của cơ quan", "Open the agency's page")
            view.html(tag("p", link(text, f"/agency/{code}")))

    async def _first_key(self, client: Client, revision: int) -> None:
        view = self._view
        ring = Keyring(view, client)

        async def work(visitor: Visitor) -> str:
            await trial.in_force(view.console.acceptor, revision)
            key, hint = await keys.issue(
                view.ledger,
                client.id,
                expires_at=after(view, self._draft.expires_days),
                actor=visitor.actor,
            )
            ring.shown_once(key, hint)
            return view.say(f"Đã cấp khóa {hint}.", f"Key {hint} is issued.")

        await view.act(Act.MANAGE_KEYS, work)
        await ring.show()


def _typed(field: ui.input) -> str:
    return (field.value or "").strip()


PAGE = Page(
    "/agencies/new",
    Text("Thêm cơ quan", "Connect an agency"),
    build,
    roles=frozenset({Role.ADMINISTRATOR}),
)
