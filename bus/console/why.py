"""Reasons on pages: our sentence, and below it what somebody else wrote, marked as quoted."""

from __future__ import annotations

from bus.console.html import Cell, Html, tag
from bus.console.words import Words
from bus.ops.reasons import Reason
from schemas.errors import Text


def why(say: Words, reason: Reason) -> Cell:
    """Empty where there is no reason."""
    if not reason.quoted.vi:
        return say.text(reason.said)
    return beneath(say, say.text(reason.said), reason.quoted)


def beneath(say: Words, said: str, quoted: Text) -> Html:
    """`said`, and `quoted` in a line of its own."""
    return tag("div", said or Html(""), as_written(say, quoted))


def as_written(say: Words, quoted: Text) -> Html:
    if not quoted.vi:
        return Html("")
    return tag("p", say("Nguyên văn", "As written"), ": ", say.text(quoted), class_="note")
