"""Why something failed, in words: the code of the error says it, what the other side wrote is
quoted apart and never taken into a sentence of ours.
"""

from __future__ import annotations

from typing import NamedTuple

from bus.engine.national import UNMAPPED
from bus.engine.retry import OWN_FAULT
from schemas.errors import PartnerLacksDossier, Text, by_code

_NOTHING = Text("", "")
_OWN: dict[str, Text] = {
    "answered": Text("Đã trả lời", "Answered"),
    "internal-error": Text("Lỗi của trục", "A fault of the bus"),
    OWN_FAULT: Text(
        "Phần kết nối của trục gặp lỗi; đơn vị vận hành báo cho bên làm trục",
        "The bus's adapter failed; the operator tells the makers of the bus",
    ),
    UNMAPPED: Text(
        "Mã chưa có ánh xạ quốc gia; quản trị trục khai báo ánh xạ",
        "A code has no national one; the administrator of the bus declares the mapping",
    ),
    PartnerLacksDossier.code: Text(
        "Cổng chưa có hồ sơ của bước này; tự gửi khi cổng có hồ sơ",
        "The portal does not have the step's dossier; it goes by itself once it has",
    ),
}
"""Codes that are no errors', or whose title says too little of what comes next."""


class Reason(NamedTuple):
    """`said` in our words, or nothing; `quoted` as it was written down, or nothing."""

    said: Text
    quoted: Text

    def inline(self) -> Text:
        """Both in one line: Đối tác không trả lời kịp « no answer »."""
        return Text(*(_joined(*parts) for parts in zip(self.said, self.quoted, strict=True)))

    def clause(self) -> Text:
        """Only our words, in brackets within a sentence."""
        return Text(*(f" ({_lowered(text)})" if text else "" for text in self.said))


def reason_of(code: str | None, detail: str | None = "") -> Reason:
    """Of what is kept with a delivery. A detail without a known code is somebody's words."""
    code, detail = code or "", (detail or "").strip()
    said = title_of(code) if code else _NOTHING
    return Reason(said, _NOTHING if detail in said else _quoted(code, detail))


def reason_in(stored: str | None) -> Reason:
    """Of what is kept with an endpoint: `code: detail`."""
    stored = (stored or "").strip()
    code, _, detail = stored.partition(":")
    if _known(code.strip()) is None:
        return reason_of("", stored)
    return reason_of(code.strip(), detail)


def last_error(stored: str | None) -> Text:
    """The same in one line; a dash where none is known."""
    return reason_in(stored).inline() if stored else Text("—", "—")


def title_of(code: str) -> Text:
    """The title of the error with that code; the code itself where it is nobody's."""
    return _known(code) or Text(code, code)


def quote(text: str) -> str:
    """Marked as words that are not ours."""
    return f"« {text} »"


def _known(code: str) -> Text | None:
    own = _OWN.get(code)
    if own is not None:
        return own
    kind = by_code(code)
    return None if kind is None else kind.title


def _quoted(code: str, detail: str) -> Text:
    if not detail:
        return _NOTHING
    if code == UNMAPPED and detail.count(" / ") == 1:  # national.py writes both languages
        return Text(*map(quote, detail.split(" / ")))
    return Text(quote(detail), quote(detail))


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _lowered(text: str) -> str:
    """As it is written within a sentence; names and abbreviations stay."""
    first = text.split(" ", 1)[0]
    return text if any(c.isupper() for c in first[1:]) else text[:1].lower() + text[1:]
