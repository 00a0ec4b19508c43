"""States as sign, word and colour: never by colour alone."""

from __future__ import annotations

from typing import Literal

from bus.console.html import Html, tag
from bus.console.words import Words
from schemas.delivery import DeliveryState
from schemas.errors import Text

S = DeliveryState
Tone = Literal["good", "busy", "warn", "bad", "off"]

STATES: dict[DeliveryState, tuple[str, Tone, Text]] = {
    S.QUEUED: ("·", "busy", Text("chờ đến lượt", "queued")),
    S.SENDING: ("→", "busy", Text("đang gửi", "sending")),
    S.WAITING: ("…", "warn", Text("chờ gửi lại", "waiting")),
    S.HELD: ("‖", "warn", Text("bị giữ", "held")),
    S.DELIVERED: ("✓", "good", Text("đã nhận", "delivered")),
    S.REJECTED: ("✗", "bad", Text("bị từ chối", "rejected")),
    S.DEAD: ("✗", "bad", Text("hỏng, chờ xử lý", "dead")),
    S.CANCELLED: ("–", "off", Text("đã hủy", "cancelled")),
    S.EXPIRED: ("–", "off", Text("hết hạn", "expired")),
}

KINDS: dict[str, Text] = {
    "document": Text("Văn bản", "Document"),
    "status": Text("Trạng thái", "Status"),
    "dossier": Text("Hồ sơ", "Dossier"),
    "step": Text("Bước xử lý", "Step"),
    "rating": Text("Đánh giá", "Rating"),
    "submission": Text("Hồ sơ nộp trực tuyến", "Submission"),
    "supplement": Text("Bổ sung hồ sơ", "Supplement"),
    "evaluation": Text("Tổng hợp đánh giá", "Evaluation"),
    "statistics": Text("Thống kê", "Statistics"),
}


def mark(sign: str, tone: Tone, text: str) -> Html:
    return tag("span", tag("span", sign, aria_hidden="true"), " ", text, class_=f"mark {tone}")


def state_mark(words: Words, state: DeliveryState) -> Html:
    sign, tone, text = STATES[state]
    return mark(sign, tone, words.text(text))


def kind_word(words: Words, kind: str) -> str:
    text = KINDS.get(kind)
    return kind if text is None else words.text(text)
