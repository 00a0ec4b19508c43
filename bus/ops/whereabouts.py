"""Where is it, who holds it, what now: the state of a message in one sentence for each delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bus.ledger.records import DeliveryRow, EndpointState
from bus.ops.reasons import Reason, quote, reason_in, reason_of
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.instant import Instant, to_datetime
from schemas.vietnam import VIETNAM

S = DeliveryState
_NOTHING = Text("", "")


class Where(NamedTuple):
    """A sentence of ours; and what somebody else wrote about it, marked as quoted, or nothing."""

    said: Text
    quoted: Text = _NOTHING


_NOWHERE = Where(
    Text(
        "Trục đã tiếp nhận nhưng không chuyển cho ai; xem lý do ở phần Định tuyến.",
        "The bus accepted it and delivers it to nobody; the reason is under Routing.",
    )
)


def of_message(deliveries: Sequence[DeliveryRow], states: Mapping[str, EndpointState]) -> Where:
    """The delivery that most needs somebody speaks first; the others are counted."""
    if not deliveries:
        return _NOWHERE
    first = min(deliveries, key=lambda each: _URGENCY.index(each.state))
    where = of_delivery(first, states.get(first.endpoint))
    others = len(deliveries) - 1
    if not others:
        return where
    said = where.said
    done = sum(each.state is S.DELIVERED for each in deliveries)
    total = len(deliveries)
    counted = Text(
        f"{said.vi} Tất cả {total} nơi nhận: {done} đã nhận.",
        f"{said.en} Of {total} receiving systems {done} have it.",
    )
    return Where(counted, where.quoted)


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


def of_delivery(row: DeliveryRow, state: EndpointState | None) -> Where:
    """Where it is, who holds it, what now."""
    reason = reason_of(row.code, row.detail)
    sentence = _ENDED.get(row.state)
    if sentence is None:
        return _before(row, state, reason)
    because = reason.clause()
    ref = f" ({row.partner_ref})" if row.partner_ref else ""
    given = {"to": row.endpoint, "at": _at(row.finished_at), "ref": ref}
    said = Text(
        sentence.vi.format(**given, why=because.vi), sentence.en.format(**given, why=because.en)
    )
    return Where(said, reason.quoted if "{why}" in sentence.vi else _NOTHING)


def _before(row: DeliveryRow, state: EndpointState | None, reason: Reason) -> Where:
    to = row.endpoint
    if row.pull:
        said = Text(
            f"Trong hộp thư chờ {to} lấy về; bên nhận kết nối và lấy.",
            f"It waits in the mailbox of {to}; the receiver connects and fetches it.",
        )
        return Where(said)
    if state is not None and state.paused:
        said = Text(
            f"Trục giữ vì {to} đang tạm dừng; đơn vị vận hành mở lại.",
            f"The bus holds it since {to} is paused; the operator resumes it.",
        )
        paused = quote(state.pause_reason) if state.pause_reason else ""
        return Where(said, Text(paused, paused))
    if state is not None and state.breaker == "open":
        last = reason_in(state.last_error)
        why = last.clause()
        said = Text(
            f"Trục giữ vì {to} không nhận{why.vi}; đối tác kiểm tra, trục tự gửi khi thông.",
            f"The bus holds it since {to} takes nothing{why.en}; the partner looks into it, "
            "the bus sends by itself once it does.",
        )
        return Where(said, last.quoted)
    if row.state is S.WAITING:
        at, why = _at(row.next_attempt_at), reason.clause()
        said = Text(
            f"Trục giữ, đã thử {row.attempts} lần{why.vi}; tự gửi lại tới {to} lúc {at}.",
            f"The bus holds it after {row.attempts} attempts{why.en}; it tries {to} again at {at}.",
        )
        return Where(said, reason.quoted)
    return Where(_in_line(row))


def _in_line(row: DeliveryRow) -> Text:
    to = row.endpoint
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
