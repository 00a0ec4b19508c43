"""Where is it, who holds it, what now: the state of a message in one sentence for each delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus.ledger.records import DeliveryRow, EndpointState
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.instant import Instant, to_datetime
from schemas.vietnam import VIETNAM

S = DeliveryState
_NOWHERE = Text(
    "Trục đã tiếp nhận nhưng không chuyển cho ai; xem lý do ở phần Định tuyến.",
    "The bus accepted it and delivers it to nobody; the reason is under Routing.",
)


def of_message(deliveries: Sequence[DeliveryRow], states: Mapping[str, EndpointState]) -> Text:
    """The delivery that most needs somebody speaks first; the others are counted."""
    if not deliveries:
        return _NOWHERE
    first = min(deliveries, key=lambda each: _URGENCY.index(each.state))
    said = of_delivery(first, states.get(first.endpoint))
    others = len(deliveries) - 1
    if not others:
        return said
    done = sum(each.state is S.DELIVERED for each in deliveries)
    total = len(deliveries)
    return Text(
        f"{said.vi} Tất cả {total} nơi nhận: {done} đã nhận.",
        f"{said.en} Of {total} receiving systems {done} have it.",
    )


_URGENCY = (
    S.DEAD,
    S.HELD,
    S.REJECTED,
    S.EXPIRED,
    S.WAITING,
    S.SENDING,
    S.QUEUED,
    S.CANCELLED,
    S.DELIVERED,
)


_ENDED: dict[DeliveryState, Text] = {
    S.DELIVERED: Text(
        "{to} đã nhận lúc {at}{ref}; không ai phải làm gì.",
        "{to} has had it since {at}{ref}; nobody has to do anything.",
    ),
    S.REJECTED: Text(
        "{to} từ chối{why}; bên gửi sửa nội dung và gửi thông điệp mới.",
        "{to} refused it{why}; the sender corrects it and sends a new message.",
    ),
    S.DEAD: Text(
        "Trục giữ, chưa tới {to}{why}; đơn vị vận hành xử lý nguyên nhân rồi cho gửi lại.",
        "The bus holds it, {to} does not have it{why}; the operator mends the cause, then "
        "replays it.",
    ),
    S.HELD: Text(
        "Trục đang giữ, chưa gửi tới {to}{why}; quản trị trục quyết định.",
        "The bus holds it back from {to}{why}; the administrator of the bus decides.",
    ),
    S.SENDING: Text(
        "Đang gửi tới {to} ngay lúc này; chờ kết quả.",
        "It is being sent to {to} just now; wait for the outcome.",
    ),
    S.CANCELLED: Text(
        "Đã thu lại trước khi tới {to}{why}; không gửi nữa.",
        "It was withdrawn before {to} got it{why}; it does not go any more.",
    ),
    S.EXPIRED: Text(
        "Hết hạn trước khi tới {to}; bên gửi gửi lại nếu còn cần.",
        "Its time ran out before {to} got it; the sender sends it anew if it is needed.",
    ),
}


def of_delivery(row: DeliveryRow, state: EndpointState | None) -> Text:
    """Where it is, who holds it, what now."""
    why = f" ({row.detail or row.code})" if row.detail or row.code else ""
    sentence = _ENDED.get(row.state)
    if sentence is None:
        return _before(row, state, why)
    ref = f" ({row.partner_ref})" if row.partner_ref else ""
    given = {"to": row.endpoint, "why": why, "at": _at(row.finished_at), "ref": ref}
    return Text(sentence.vi.format(**given), sentence.en.format(**given))


def _before(row: DeliveryRow, state: EndpointState | None, why: str) -> Text:
    to = row.endpoint
    if row.pull:
        return Text(
            f"Trong hộp thư chờ {to} lấy về; bên nhận kết nối và lấy.",
            f"It waits in the mailbox of {to}; the receiver connects and fetches it.",
        )
    if state is not None and state.paused:
        reason = state.pause_reason or "—"
        return Text(
            f"Trục giữ vì {to} đang tạm dừng ({reason}); đơn vị vận hành mở lại.",
            f"The bus holds it since {to} is paused ({reason}); the operator resumes it.",
        )
    if state is not None and state.breaker == "open":
        error = state.last_error or "—"
        return Text(
            f"Trục giữ vì {to} không trả lời ({error}); đối tác kiểm tra, trục tự gửi khi thông.",
            f"The bus holds it since {to} does not answer ({error}); the partner looks into it, "
            "the bus sends by itself once it does.",
        )
    if row.state is S.WAITING:
        at = _at(row.next_attempt_at)
        return Text(
            f"Trục giữ, đã thử {row.attempts} lần{why}; tự gửi lại tới {to} lúc {at}.",
            f"The bus holds it after {row.attempts} attempts{why}; it tries {to} again at {at}.",
        )
    if not row.head:
        return Text(
            f"Trục giữ sau thông điệp trước cùng văn bản, hồ sơ tới {to}; không ai phải làm gì.",
            f"The bus holds it behind an earlier one of the same document or dossier to {to}; "
            "nobody has to do anything.",
        )
    return Text(
        f"Trục giữ, sắp gửi tới {to}; không ai phải làm gì.",
        f"The bus holds it and sends it to {to} soon; nobody has to do anything.",
    )


def _at(at: Instant | None) -> str:
    """By Vietnam's clock."""
    return "—" if at is None else f"{to_datetime(at).astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}"
