"""The pages before the console: log-in, code, own password, identity provider, log-out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bus.console import oidc, plain
from bus.console.cards import error_card
from bus.console.desk import Desk, Entered
from bus.console.door import LANGUAGE, THEME, VISITOR
from bus.console.passwords import LEAST
from bus.console.settings import ConsoleSettings
from bus.console.visitor import Visitor
from bus.console.words import Words
from bus.ledger.accounts import Stage
from schemas.errors import LgspError, NotFound, Unauthenticated

YEAR = 365 * 86_400
_FLOW = "lgsp_flow"  # cookie of a log-in that is away at the identity provider


@dataclass(frozen=True, slots=True)
class LogIn:
    desk: Desk
    settings: ConsoleSettings
    cookie: str
    provider: oidc.Client | None

    def routes(self) -> list[Route]:
        return [
            Route("/login", self._told(self.show)),
            Route("/login/language", self.choose_language),
            Route("/login/enter", self._told(self.enter), methods=["POST"]),
            Route("/login/code", self._told(self.code), methods=["POST"]),
            Route("/login/password", self._told(self.password), methods=["POST"]),
            Route("/login/provider", self._told(self.go_to_provider)),
            Route("/login/callback", self._told(self.callback)),
            Route("/login/out", self._told(self.leave), methods=["POST"]),
        ]

    def _told(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Errors are told on the form that they belong to."""

        async def told(request: Request) -> Response:
            try:
                return await answer(request)
            except LgspError as error:
                given = await request.form() if request.method == "POST" else request.query_params
                return self._form(request, str(given.get("next", "")), error)

        return told

    async def show(self, request: Request) -> Response:
        visitor = _visitor(request)
        if visitor is not None and visitor.session.stage is Stage.FULL:
            return RedirectResponse(_safe(request.query_params.get("next", "")), 303)
        return self._form(request, request.query_params.get("next", ""))

    async def enter(self, request: Request) -> Response:
        given = await request.form()
        entered = await self.desk.log_in(
            str(given.get("name", "")), str(given.get("password", "")), address=_address(request)
        )
        return self._go_on(entered, str(given.get("next", "")))

    async def code(self, request: Request) -> Response:
        visitor, given = _pending(request, Stage.TOTP), await request.form()
        entered = await self.desk.confirm(
            visitor.session, visitor.account, str(given.get("code", "")), _address(request)
        )
        return self._go_on(entered, str(given.get("next", "")))

    async def password(self, request: Request) -> Response:
        visitor, given = _pending(request, Stage.PASSWORD), await request.form()
        entered = await self.desk.choose_password(
            visitor.account,
            old=str(given.get("old", "")),
            new=str(given.get("new", "")),
            again=str(given.get("again", "")),
            address=_address(request),
        )
        return self._go_on(entered, str(given.get("next", "")))

    async def leave(self, request: Request) -> Response:
        visitor = _visitor(request)
        if visitor is not None:
            await self.desk.log_out(visitor.session, visitor.account)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(self.cookie, secure=self.settings.secure, httponly=True)
        return answer

    async def choose_language(self, request: Request) -> Response:
        """And light or dark. Changes nothing but how things look."""
        answer = RedirectResponse(_safe(request.query_params.get("back", "")), 303)
        for name, parameter, known in (
            (LANGUAGE, "lang", {"vi", "en"}),
            (THEME, "theme", {"light", "dark"}),
        ):
            if (chosen := request.query_params.get(parameter)) in known:
                answer.set_cookie(name, str(chosen), max_age=YEAR, samesite="lax")
        return answer

    # --- the identity provider -------------------------------------------------------------------

    async def go_to_provider(self, request: Request) -> Response:
        flow = oidc.Flow.new(_safe(request.query_params.get("next", "")))
        address = await self._provider().authorization(flow, self._callback_url(request))
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            _FLOW,
            flow.as_cookie(),
            max_age=600,
            secure=self.settings.secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def callback(self, request: Request) -> Response:
        flow = oidc.Flow.of_cookie(request.cookies.get(_FLOW, ""))
        subject = await self._provider().subject(
            flow, dict(request.query_params), self._callback_url(request)
        )
        entered = await self.desk.log_in_as(subject, address=_address(request))
        answer = self._go_on(entered, flow.wanted)
        answer.delete_cookie(_FLOW, secure=self.settings.secure, httponly=True)
        return answer

    def _provider(self) -> oidc.Client:
        if self.provider is None:
            raise NotFound("no identity provider", vi="Chưa nối với đơn vị cấp định danh")
        return self.provider

    def _callback_url(self, request: Request) -> str:
        base = self.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return f"{base.rstrip('/')}/login/callback"

    # --- forms -----------------------------------------------------------------------------------

    def _go_on(self, entered: Entered, wanted: str) -> Response:
        target = _safe(wanted)
        if entered.stage is not Stage.FULL:
            target = f"/login?{urlencode({'next': target})}"
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            self.cookie,
            entered.token,
            secure=self.settings.secure,
            httponly=True,
            samesite="lax",
            path="/",
        )
        return answer

    def _form(self, request: Request, wanted: str, error: LgspError | None = None) -> Response:
        words = plain.words_of(request)
        told = "" if error is None else error_card(words, error)
        visitor = _visitor(request)
        stage = None if visitor is None else visitor.session.stage
        following = plain.hidden("next", _safe(wanted))
        match stage:
            case Stage.TOTP:
                title, body = _code_form(words, following)
            case Stage.PASSWORD:
                title, body = _password_form(words, following)
            case _:
                title, body = self._name_form(words, following)
        status = 200 if error is None else error.http_status
        return plain.page(request, words, title, told + body, status)

    def _name_form(self, words: Words, wanted: str) -> tuple[str, str]:
        fields = (
            wanted,
            plain.field("name", words("Tên tài khoản", "Account"), complete="username"),
            plain.field(
                "password",
                words("Mật khẩu", "Password"),
                kind="password",
                complete="current-password",
            ),
        )
        body = plain.form("/login/enter", fields, words("Đăng nhập", "Log in"))
        if self.provider is not None:
            text = words(
                "Đăng nhập bằng tài khoản định danh của tỉnh", "Log in with single sign-on"
            )
            body += f'<p class="or"><a class="button" href="/login/provider">{text}</a></p>'
        return words("Đăng nhập", "Log in"), body


def _code_form(words: Words, wanted: str) -> tuple[str, str]:
    hint = words("6 chữ số trong ứng dụng xác thực", "the 6 digits in your authenticator")
    fields = (
        wanted,
        plain.field("code", words("Mã xác thực", "Code"), complete="one-time-code", hint=hint),
    )
    body = plain.form("/login/code", fields, words("Tiếp tục", "Continue"))
    return words("Xác thực hai lớp", "Second factor"), body + _other_account(words)


def _password_form(words: Words, wanted: str) -> tuple[str, str]:
    hint = words(
        f"ít nhất {LEAST} ký tự; một câu dễ nhớ là tốt nhất",
        f"at least {LEAST} characters; a sentence you remember is best",
    )
    new = {"kind": "password", "complete": "new-password"}
    fields = (
        wanted,
        plain.field(
            "old",
            words("Mật khẩu hiện tại", "Present password"),
            kind="password",
            complete="current-password",
        ),
        plain.field("new", words("Mật khẩu mới", "New password"), hint=hint, **new),
        plain.field("again", words("Nhập lại mật khẩu mới", "New password again"), **new),
    )
    body = plain.form("/login/password", fields, words("Đặt mật khẩu", "Set password"))
    return words("Đặt mật khẩu của bạn", "Choose your password"), body + _other_account(words)


def _other_account(words: Words) -> str:
    return plain.form("/login/out", (), words("Dùng tài khoản khác", "Use another account"))


def _visitor(request: Request) -> Visitor | None:
    found: Visitor | None = request.scope.get(VISITOR)
    return found


def _pending(request: Request, stage: Stage) -> Visitor:
    visitor = _visitor(request)
    if visitor is None or visitor.session.stage is not stage:
        raise Unauthenticated("log in first", vi="hãy đăng nhập trước")
    return visitor


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _safe(target: str) -> str:
    """A page of this console and nothing else."""
    inside = target.startswith("/") and not target.startswith(("//", "/login"))
    return target if inside and target.isprintable() and "\\" not in target else "/"
