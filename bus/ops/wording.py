"""States of a delivery in the words of the people who wait for it."""

from __future__ import annotations

from schemas.delivery import DeliveryState
from schemas.errors import Text

S = DeliveryState

STATES: dict[DeliveryState, Text] = {
    S.QUEUED: Text(
        "Đã tiếp nhận, chờ đến lượt chuyển hoặc chờ cơ quan nhận lấy về",
        "Accepted; waits for its turn, or for the receiver to fetch it",
    ),
    S.SENDING: Text("Đang chuyển tới hệ thống nhận", "Being handed to the receiving system"),
    S.WAITING: Text(
        "Hệ thống nhận chưa nhận được, trục tự chuyển lại",
        "The receiving system could not take it yet; the bus tries again by itself",
    ),
    S.HELD: Text(
        "Tạm giữ, chờ quản trị trục xử lý", "Held until the administrator of the bus decides"
    ),
    S.DELIVERED: Text("Hệ thống nhận đã nhận", "The receiving system has it"),
    S.REJECTED: Text("Hệ thống nhận từ chối, xem lý do", "The receiving system refused; see why"),
    S.DEAD: Text(
        "Chưa chuyển được sau nhiều lần, đơn vị vận hành trục đang xử lý",
        "Could not be delivered; the operator of the bus has to act",
    ),
    S.CANCELLED: Text("Đã thu lại trước khi chuyển đi", "Withdrawn before it left"),
    S.EXPIRED: Text("Hết hạn trước khi chuyển được", "Its time ran out before it could leave"),
}
