"""The console's only door: every request and every WebSocket passes here before anything is built.

- Who: a session, or one of the few open paths. NiceGUI is never reached without a session.
- Whence: what changes something, and every live connection, comes from the console's own pages
  (Origin, else Fetch Metadata): no other site can act for a person who is logged in.
- A live connection belongs to the session that opened its page.
- Headers: a Content-Security-Policy under which nothing is loaded from, or sent to, elsewhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.console.desk import Desk
from bus.console.settings import ConsoleSettings
from bus.console.visitor import Visitor, visitor_of
from bus.console.words import Lang, Words
from bus.engine.live import LiveConfig
from bus.ledger.accounts import Stage
from schemas.errors import LedgerUnavailable

VISITOR = "lgsp.visitor"
"""Key of the scope under which pages find who looks."""

NONCE = "lgsp.nonce"
LANGUAGE, THEME = "lgsp_lang", "lgsp_theme"
SOCKET = "/_nicegui_ws/"
OPEN = ("/login", "/static/", "/favicon.ico")
SAFE = frozenset({"GET", "HEAD"})
MAX_FORM = 16 * 1024  # bytes
AWAY = (
    "Sổ cái không phản hồi; đơn vị vận hành kiểm tra cơ sở dữ liệu.\n"
    "The ledger does not answer; the operator checks the database."
)

_SCRIPT = re.compile(rb"<script(?=[\s>])")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with `no-referrer` forms would say Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


def policy(nonce: str) -> str:
    """What NiceGUI permits: Vue compiles templates in the browser, which needs `unsafe-eval`, and
    Quasar sets styles. Scripts of the page itself need the nonce of this one answer.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Door:
    def __init__(
        self, app: ASGIApp, desk: Desk, live: LiveConfig, settings: ConsoleSettings
    ) -> None:
        self._app = app
        self._desk = desk
        self._live = live
        self._settings = settings
        self.owns_client: Callable[[str, bytes], bool] = lambda _client_id, _session: True
        """Replace it: whether a page's live connection belongs to a session."""

    @property
    def cookie(self) -> str:
        """Under `__Host-` no other host of the domain can set it (RFC 6265bis, section 4.1.3)."""
        return "__Host-lgsp" if self._settings.secure else "lgsp_console"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        _drop(scope, b"x-forwarded-prefix")  # NiceGUI would build addresses from it
        headers = Headers(scope=scope)
        scope[NONCE] = nonce = secrets.token_urlsafe(16)
        guarded = _Guarded(send, nonce) if scope["type"] == "http" else None
        refusal = await self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, receive, guarded or send, refusal)
            return
        visitor: Visitor | None = scope.get(VISITOR)
        if guarded is None:
            watched = self._watched(receive, visitor) if visitor is not None else receive
            await self._app(scope, watched, send)
            return
        if visitor is not None and not scope["path"].startswith("/_nicegui"):
            await self._desk.used(visitor.session)
        await self._app(scope, receive, guarded)

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """None: come in."""
        path: str = scope["path"]
        live = path.startswith(SOCKET)
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        if (unsafe or live) and not self._from_here(headers, scope):
            return PlainTextResponse("from another site", 403)
        if unsafe and scope["type"] == "http" and not live and not _small(headers):
            return PlainTextResponse("too large", 413)
        try:
            scope[VISITOR] = await self._visitor(headers)
        except LedgerUnavailable:
            return PlainTextResponse(AWAY, 503, {"Retry-After": "5"})
        return None if path.startswith(OPEN) else self._stranger(scope, live=live)

    def _stranger(self, scope: Scope, *, live: bool) -> Response | None:
        visitor: Visitor | None = scope[VISITOR]
        if visitor is None or visitor.session.stage is not Stage.FULL:
            return self._to_login(scope, live=live)
        if live and not self._owns(scope, visitor):
            return PlainTextResponse("another session's page", 403)
        return None

    def _to_login(self, scope: Scope, *, live: bool) -> Response:
        path: str = scope["path"]
        if scope["type"] == "websocket" or live or path.startswith("/_nicegui"):
            return PlainTextResponse("log in first", 401)
        query = scope["query_string"].decode("latin-1")
        wanted = path + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)

    def _owns(self, scope: Scope, visitor: Visitor) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("client_id", [""])
        return self.owns_client(given[0], visitor.session.hash)

    def _from_here(self, headers: Headers, scope: Scope) -> bool:
        """Browsers send Origin with every WebSocket and every POST; what is old and sends none
        must at least say Sec-Fetch-Site.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") == "same-origin"
        if self._settings.public_url is not None:
            wanted = urlsplit(self._settings.public_url)
            return origin == f"{wanted.scheme}://{wanted.netloc}"
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin == f"{scheme}://{headers.get('host', '')}"

    async def _visitor(self, headers: Headers) -> Visitor | None:
        cookies = _cookies(headers)
        found = await self._desk.who(cookies.get(self.cookie, ""))
        if found is None:
            return None
        session, account = found
        return visitor_of(
            session,
            account,
            self._live.snapshot,
            words=Words(language_of(headers)),
            dark=cookies.get(THEME) == "dark",
        )

    def _watched(self, receive: Receive, visitor: Visitor) -> Receive:
        """What a person does on a page keeps the session from becoming idle; answers do not."""

        async def watching() -> Message:
            message = await receive()
            if (message.get("text") or "").startswith('42["event"'):
                await self._desk.used(visitor.session)
            return message

        return watching


class _Guarded:
    """Adds the headers to every answer."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send = send
        self._nonce = nonce

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = policy(self._nonce)
            if "cache-control" not in headers:
                headers["Cache-Control"] = "no-store"
        await self._send(message)


class Nonced:
    """Gives the scripts of a page the nonce of this answer; holds the page back until it is whole.

    What a page shows is no script: NiceGUI escapes every `<` of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        page = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None:
                await send(message)
            else:
                page.extend(message.get("body", b""))

        await self._app(scope, receive, hold)
        if start is not None:
            body = _SCRIPT.sub(b'<script nonce="' + scope[NONCE].encode() + b'"', bytes(page))
            MutableHeaders(scope=start)["Content-Length"] = str(len(body))
            await send(start)
            await send({"type": "http.response.body", "body": body})


def _is_page(message: Message) -> bool:
    return MutableHeaders(scope=message).get("x-nicegui-content") == "page"


def language_of(headers: Headers) -> Lang:
    """As chosen, else English where the browser puts it first, else Vietnamese."""
    chosen = _cookies(headers).get(LANGUAGE, "")
    if chosen in {"vi", "en"}:
        return "vi" if chosen == "vi" else "en"
    return "en" if headers.get("accept-language", "").lower().startswith("en") else "vi"


def theme_of(headers: Headers) -> Literal["dark", "light", ""]:
    chosen = _cookies(headers).get(THEME, "")
    return "dark" if chosen == "dark" else "light" if chosen == "light" else ""


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        parsed = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in parsed.items()}


def _small(headers: Headers) -> bool:
    """Forms of the console are small, and say how large they are."""
    length = headers.get("content-length", "")
    return length.isdigit() and int(length) <= MAX_FORM


def _drop(scope: Scope, name: bytes) -> None:
    scope["headers"] = [(key, value) for key, value in scope["headers"] if key != name]


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403})
    else:
        await response(scope, receive, send)
