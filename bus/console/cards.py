"""Errors as people see them: what happened, who must act, what to do next."""

from __future__ import annotations

from bus.console.html import Html, tag
from bus.console.words import Words
from schemas.errors import LgspError, Text

WHO: dict[str, Text] = {
    "sender": Text("người gửi yêu cầu", "whoever sent the request"),
    "operator": Text("đơn vị vận hành trục", "the operator of the bus"),
    "partner": Text("đối tác", "the partner"),
    "administrator": Text("quản trị trục", "the administrator of the bus"),
}
"""Of `LgspError.actor`."""


def error_card(words: Words, error: LgspError) -> Html:
    who = f"{words('Ai xử lý', 'Who must act')}: {words.text(WHO[error.actor])}"
    following = f"{words('Bước tiếp theo', 'Next step')}: {words.text(error.advice)}"
    return tag(
        "div",
        tag("p", tag("strong", f"✗ {words.text(error.title)}")),
        tag("p", words.text(error.detail)),
        tag("p", who),
        tag("p", following),
        class_="error-card",
        role="alert",
    )
