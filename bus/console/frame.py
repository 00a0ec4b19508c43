"""What every page has: its place in the menu, header, language, errors told in one way."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import structlog
from fastapi import Request
from nicegui import Client, ui
from nicegui.elements.button import Button

from bus.console.authority import Authority
from bus.console.cards import error_card
from bus.console.desk import Desk
from bus.console.door import VISITOR
from bus.console.downloads import Downloads
from bus.console.html import Html, tag
from bus.console.jobs import Jobs
from bus.console.reports import Reports
from bus.console.rights import EVERYBODY, ROLES, Act, Role
from bus.console.shared import Shared
from bus.console.visitor import Visitor
from bus.console.words import Words
from bus.engine.accept import Acceptor
from bus.engine.live import LiveConfig, Snapshot
from bus.ledger.ledger import Ledger
from bus.ops.alerts.policy import AlertPolicy
from bus.ops.granted_operations import Operations
from bus.ops.pulse import Pulse
from schemas.errors import Forbidden, LgspError, Text, Unauthenticated

log = structlog.get_logger(__name__)

BUILD_SECONDS = 30.0
REFRESH_SECONDS = 5.0
PRIMARY, PRIMARY_DARK = "#0b5c8e", "#7cc4f5"


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages of one process share."""

    ledger: Ledger
    live: LiveConfig
    desk: Desk
    authority: Authority
    pulse: Pulse
    shared: Shared
    downloads: Downloads
    jobs: Jobs
    reports: Reports
    polled: frozenset[str]  # kinds of endpoints from which the bus fetches
    running: Callable[[], Mapping[str, int]]  # processes alive, by role
    broker_up: Callable[[], bool]
    acceptor: Acceptor  # for messages that try a connection
    secret: Callable[[str], bytes]  # raises ConfigurationError when there is none of that name
    secrets_dir: Path | None  # where secrets made here are put
    alerts: AlertPolicy
    operations: Operations  # those that a contract has


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its address, who sees it, and what it shows."""

    path: str
    title: Text
    build: Callable[[View], Awaitable[None]]
    icon: str = ""  # of Material Icons; none: not in the menu
    roles: frozenset[Role] = EVERYBODY


class View:
    """One page as one person has it open."""

    def __init__(self, console: Console, visitor: Visitor, request: Request) -> None:
        self.console = console
        self.visitor = visitor
        self.request = request
        self.say: Words = visitor.words

    @property
    def ledger(self) -> Ledger:
        return self.console.ledger

    @property
    def snapshot(self) -> Snapshot:
        return self.console.live.snapshot

    def given(self, name: str) -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, "").strip()[:500]

    def agency(self, code: str) -> str:
        """Its name with its code, for people."""
        found = self.snapshot.directory.get(code)
        return f"{found.name} ({code})" if found is not None else code

    def remember(self, **parameters: str) -> None:
        """Puts what is chosen into the address, so that it can be kept and shared."""
        chosen = {name: value for name, value in parameters.items() if value}
        query = f"?{urlencode(chosen)}" if chosen else ""
        ui.navigate.history.replace(f"{self.request.url.path}{query}")

    # --- pieces ----------------------------------------------------------------------------------

    def html(self, content: Html) -> ui.html:
        """Built by bus.console.html, which has escaped what came from outside."""
        return ui.html(content, sanitize=False)

    def heading(self, vi: str, en: str) -> None:
        self.html(tag("h2", self.say(vi, en)))

    def button(
        self,
        vi: str,
        en: str,
        on_click: Callable[[], object],
        *,
        kind: str = "plain",
        icon: str | None = None,
    ) -> Button:
        """`kind`: main, plain or danger."""
        made = ui.button(self.say(vi, en), on_click=on_click, color=None, icon=icon)
        return made.props("unelevated no-caps").classes(f"act {kind}")

    def card(self, error: LgspError) -> None:
        """What happened, who must act, what to do next."""
        self.html(error_card(self.say, error))

    # --- acting ----------------------------------------------------------------------------------

    async def act(
        self,
        right: Act,
        work: Callable[[Visitor], Awaitable[str]],
        *,
        agencies: tuple[str, ...] = (),
    ) -> bool:
        """Does it, if the person may; says what came of it. Whether it was done.

        `work` gets the visitor as the ledger has it now, whose `actor` the journal is to name, and
        returns the sentence to show, if any.
        """
        try:
            now = await self.console.authority.require(self.visitor, right, *agencies)
            told = await work(now)
        except LgspError as error:
            self.tell(error)
            return False
        self.visitor = now
        if told:
            ui.notify(f"✓ {told}", position="top", timeout=6000, classes="noted", color="")
        return True

    def tell(self, error: LgspError) -> None:
        """An error, in a dialog that stays until it is read."""
        with ui.dialog(value=True) as dialog, ui.card().classes("told"):
            self.card(error)
            self.button("Đóng", "Close", dialog.close)
        if isinstance(error, Unauthenticated):
            ui.navigate.to(f"/login?next={quote(self.request.url.path)}")

    def fresh(self, read: Callable[[], Awaitable[None]], seconds: float = REFRESH_SECONDS) -> None:
        """Calls `read` again and again while the page is open; tells when the ledger is away."""
        banner = ui.element("div").classes("banner").props('role="status"')
        running = False

        async def again() -> None:
            nonlocal running
            if running:
                return
            running = True
            try:
                await read()
            except LgspError as error:
                banner.clear()
                with banner:
                    self.card(error)
            else:
                banner.clear()
            finally:
                running = False

        ui.timer(seconds, again, immediate=False)


def install(console: Console, pages: tuple[Page, ...]) -> None:
    """Registers the pages with NiceGUI."""
    for page in pages:
        _register(console, page, pages)


def _register(console: Console, page: Page, pages: tuple[Page, ...]) -> None:
    async def show(request: Request, client: Client) -> None:
        visitor: Visitor = request.scope[VISITOR]
        view = View(console, visitor, request)
        _dress(client, view, page)
        with _frame(view, page, pages):
            try:
                _let_in(visitor, page)
                await page.build(view)
            except LgspError as error:
                client.status_code = error.http_status
                view.card(error)
            except Exception as error:
                log.exception("console.page_failed", page=page.path)
                client.status_code = 500
                view.card(_Unforeseen(type(error).__name__))

    # FastAPI reads the annotations, which are text here
    show.__annotations__ = {"request": Request, "client": Client}
    ui.page(page.path, response_timeout=BUILD_SECONDS)(show)


def _let_in(visitor: Visitor, page: Page) -> None:
    role = visitor.role.value
    if visitor.role not in page.roles:
        raise Forbidden(
            f"role {role} does not see this page", vi=f"vai trò {role} không xem được trang này"
        )


class _Unforeseen(LgspError):
    code = "internal-error"
    title = Text("Trang gặp lỗi", "The page failed")


def _dress(client: Client, view: View, page: Page) -> None:
    """Language and light or dark of this one answer; NiceGUI has them for a page as a whole."""
    client.page = copy.copy(client.page)
    client.page.dark = view.visitor.dark
    client.page.language = "vi" if view.say.lang == "vi" else "en-US"
    client.title = f"{view.say.text(page.title)} · LGSP"
    ui.colors(primary=PRIMARY_DARK if view.visitor.dark else PRIMARY)
    ui.add_head_html('<link rel="stylesheet" href="/static/console.css">')
    skip = view.say("Tới nội dung", "Skip to content")
    ui.add_body_html(f'<a class="skip" href="#main">{skip}</a>')


@contextmanager
def _frame(view: View, page: Page, pages: tuple[Page, ...]) -> Iterator[None]:
    say = view.say
    drawer = ui.left_drawer(value=None, fixed=True).props("width=220 breakpoint=900 bordered")
    with drawer.classes("menu"), ui.element("nav").props(f'aria-label="{say("Trang", "Pages")}"'):
        view.html(_menu(view, page, pages))
    with ui.header().classes("top"):
        menu = ui.button(icon="menu", on_click=drawer.toggle, color=None).props("flat round dense")
        menu.props(f'aria-label="{say("Đóng, mở danh mục trang", "Show or hide the menu")}"')
        view.html(_brand(view)).classes("grow")
        view.html(_who(view))
    with ui.element("main").props('id="main" tabindex="-1"').classes("page"):
        view.html(tag("h1", say.text(page.title)))
        yield


def _menu(view: View, page: Page, pages: tuple[Page, ...]) -> Html:
    items = [
        tag(
            "li",
            tag(
                "a",
                tag("i", each.icon, class_="material-icons", aria_hidden="true"),
                view.say.text(each.title),
                href=each.path,
                aria_current="page" if each is page else None,
            ),
        )
        for each in pages
        if each.icon and view.visitor.role in each.roles
    ]
    return tag("ul", *items)


def _brand(view: View) -> Html:
    mark = Html('<img src="/static/mark.svg" alt="" width="28" height="28">')
    name = view.say("Trục tích hợp liên thông", "Interoperability bus")
    return tag("a", mark, tag("span", name), href="/", class_="brand")


def _who(view: View) -> Html:
    """Language, light or dark, the person, and the way out: links and a form, without script."""
    say, visitor = view.say, view.visitor
    query = f"?{view.request.url.query}" if view.request.url.query else ""
    back = quote(view.request.url.path + query, safe="")
    lang = "en" if say.lang == "vi" else "vi"
    theme = "light" if visitor.dark else "dark"
    leave = Html(
        '<form method="post" action="/login/out">'
        + tag("button", say("Đăng xuất", "Log out"), type="submit")
        + "</form>"
    )
    role = say.text(ROLES[visitor.role])
    return tag(
        "div",
        tag(
            "a",
            say("English", "Tiếng Việt"),
            href=f"/login/language?lang={lang}&back={back}",
            lang=lang,
        ),
        tag(
            "a",
            say("Sáng", "Light") if visitor.dark else say("Tối", "Dark"),
            href=f"/login/language?theme={theme}&back={back}",
        ),
        tag("a", f"{visitor.account.title} · {role}", href="/account"),
        leave,
        class_="who",
    )
