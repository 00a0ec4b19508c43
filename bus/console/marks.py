"""States as sign, word and colour: never by colour alone."""

from __future__ import annotations

from typing import Literal

from bus.console.html import Html, tag
from bus.console.words import Words
from bus.ops import wording
from bus.ops.wording import KINDS
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.exchange import ExchangeState

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


def mark(sign: str, tone: Tone, text: str) -> Html:
    return tag("span", tag("span", sign, aria_hidden="true"), " ", text, class_=f"mark {tone}")


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
