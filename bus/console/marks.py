"""States as sign, word and colour: never by colour alone."""

from __future__ import annotations

from bus.console.html import Html, tag
from bus.console.words import Words
from bus.ops import wording
from bus.ops.wording import BRIEF, KINDS, Tone
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.exchange import ExchangeState

S = DeliveryState

STATES: dict[DeliveryState, tuple[str, Tone, Text]] = {
    S.QUEUED: ("·", "busy", BRIEF[S.QUEUED]),
    S.SENDING: ("→", "busy", BRIEF[S.SENDING]),
    S.WAITING: ("…", "warn", BRIEF[S.WAITING]),
    S.HELD: ("‖", "warn", BRIEF[S.HELD]),
    S.DELIVERED: ("✓", "good", BRIEF[S.DELIVERED]),
    S.REJECTED: ("✗", "bad", BRIEF[S.REJECTED]),
    S.DEAD: ("✗", "bad", BRIEF[S.DEAD]),
    S.CANCELLED: ("–", "off", BRIEF[S.CANCELLED]),
    S.EXPIRED: ("–", "off", BRIEF[S.EXPIRED]),
}


def mark(sign: str, tone: Tone, text: str, *, title: str | None = None) -> Html:
    """`title` is seen under the pointer: the name that programs use."""
    sign_ = tag("span", sign, aria_hidden="true")
    return tag("span", sign_, " ", text, class_=f"mark {tone}", title=title)


def state_mark(words: Words, state: DeliveryState) -> Html:
    sign, tone, text = STATES[state]
    return mark(sign, tone, words.text(text))


def kind_word(words: Words, kind: str) -> str:
    text = KINDS.get(kind)
    return kind if text is None else words.text(text)


X = ExchangeState
EXCHANGE: dict[ExchangeState, tuple[str, Tone]] = {
    X.SENT: ("·", "busy"),
    X.ARRIVED: ("✓", "busy"),
    X.REFUSED: ("✗", "bad"),
    X.ACCEPTED: ("✓", "good"),
    X.ASSIGNED: ("✓", "good"),
    X.PROCESSING: ("✓", "good"),
    X.FINISHED: ("✓", "good"),
    X.RECALLED: ("–", "off"),
    X.CANCELLED: ("–", "off"),
    X.REPLACED: ("–", "off"),
    X.UNDELIVERED: ("✗", "bad"),
}

EVENTS: dict[str, Text] = {
    "delivered": Text("hệ thống nhận đã có", "the receiving system has it"),
    "undeliverable": Text("không chuyển được", "could not be delivered"),
    "withdrawn": Text("thu hồi trước khi gửi", "taken back before it left"),
    "01": Text("01 đã đến", "01 arrived"),
    "02": Text("02 từ chối tiếp nhận", "02 refused"),
    "03": Text("03 đã tiếp nhận", "03 accepted"),
    "04": Text("04 đã phân công", "04 assigned"),
    "05": Text("05 đang xử lý", "05 being processed"),
    "06": Text("06 hoàn thành", "06 finished"),
    "13": Text("13 bên gửi xin lấy lại", "13 the sender asks for it back"),
    "15": Text("15 đồng ý lấy lại", "15 agreed to give it back"),
    "16": Text("16 không đồng ý lấy lại", "16 keeps it"),
    "update": Text("bên gửi cập nhật", "updated by the sender"),
    "replacement": Text("có văn bản thay thế", "another document replaces it"),
}
"""Of schemas.exchange.Event."""


def exchange_mark(words: Words, state: ExchangeState) -> Html:
    sign, tone = EXCHANGE[state]
    return mark(sign, tone, words.text(wording.EXCHANGE[state]))
