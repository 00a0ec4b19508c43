"""Pages without NiceGUI: what people see before they are logged in. No script but one line."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse

from bus.console.door import NONCE, language_of, theme_of
from bus.console.words import Words


def page(request: Request, words: Words, title: str, body: str, status: int = 200) -> HTMLResponse:
    theme = theme_of(request.headers)
    follow = (
        ""
        if theme
        else '<script nonce="' + request.scope[NONCE] + '">'
        "if(matchMedia('(prefers-color-scheme: dark)').matches){"
        "document.cookie='lgsp_theme=dark;path=/;max-age=31536000;samesite=lax';"
        "document.documentElement.classList.add('dark')}</script>"
    )
    here = escape(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    other = "en" if words.lang == "vi" else "vi"
    switch = "English" if words.lang == "vi" else "Tiếng Việt"
    return HTMLResponse(
        f'<!doctype html><html lang="{words.lang}" class="{theme}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · LGSP</title>"
        f'<link rel="icon" href="/static/mark.svg">'
        f'<link rel="stylesheet" href="/static/plain.css">{follow}</head><body>'
        f'<a class="skip" href="#main">{words("Tới nội dung", "Skip to content")}</a>'
        f'<header><p class="brand"><img src="/static/mark.svg" alt="" width="28" height="28">'
        f"{words('Trục tích hợp liên thông', 'Interoperability bus')}</p>"
        f'<a href="/login/language?lang={other}&amp;back={here}" lang="{other}">{switch}</a>'
        f'</header><main id="main" tabindex="-1"><h1>{escape(title)}</h1>{body}</main>'
        f"</body></html>",
        status,
    )


def form(action: str, fields: Iterable[str], button: str) -> str:
    inside = "".join(fields)
    return (
        f'<form method="post" action="{escape(action)}">{inside}'
        f'<button type="submit">{escape(button)}</button></form>'
    )


def field(name: str, label: str, *, kind: str = "text", complete: str = "", hint: str = "") -> str:
    described = f' aria-describedby="{name}-hint"' if hint else ""
    below = f'<p class="hint" id="{name}-hint">{escape(hint)}</p>' if hint else ""
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" required autocomplete="{complete}"'
        f' spellcheck="false" autocapitalize="none"{described}>{below}'
    )


def hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def words_of(request: Request) -> Words:
    return Words(language_of(request.headers))
