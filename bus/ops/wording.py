"""States and kinds in the words of the people who deal with them."""

from __future__ import annotations

from typing import Literal

from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.exchange import ExchangeState

S = DeliveryState
Tone = Literal["good", "busy", "warn", "bad", "off"]
"""How good or bad the news is."""

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

BRIEF: dict[DeliveryState, Text] = {
    S.QUEUED: Text("chờ đến lượt", "queued"),
    S.SENDING: Text("đang gửi", "sending"),
    S.WAITING: Text("chờ gửi lại", "waiting"),
    S.HELD: Text("bị giữ", "held"),
    S.DELIVERED: Text("đã nhận", "delivered"),
    S.REJECTED: Text("bị từ chối", "rejected"),
    S.DEAD: Text("hỏng, chờ xử lý", "dead"),
    S.CANCELLED: Text("đã hủy", "cancelled"),
    S.EXPIRED: Text("hết hạn", "expired"),
}
"""The same in a word or two."""

DECLARED = {
    "agency": Text("cơ quan", "agency"),
    "endpoint": Text("điểm kết nối", "endpoint"),
    "route": Text("quy tắc", "route"),
    "subscription": Text("đăng ký nhận", "subscription"),
    "mapping": Text("ánh xạ mã", "mapping"),
    "procedure": Text("thủ tục", "procedure"),
    "holidays": Text("ngày nghỉ", "holidays"),
    "service": Text("dịch vụ", "service"),
    "grant": Text("cấp quyền", "grant"),
    "feed": Text("nhận thay đổi", "feed"),
    "client": Text("hệ thống", "client"),
}

KINDS: dict[str, Text] = {
    "document": Text("Văn bản", "Document"),
    "status": Text("Trạng thái", "Status"),
    "dossier": Text("Hồ sơ", "Dossier"),
    "step": Text("Bước xử lý", "Step"),
    "rating": Text("Đánh giá", "Rating"),
    "submission": Text("Hồ sơ nộp trực tuyến", "Submission"),
    "question": Text("Câu hỏi", "Question"),
    "answer": Text("Trả lời", "Answer"),
    "postal-order": Text("Đơn bưu chính", "Postal order"),
    "evaluation": Text("Tổng hợp đánh giá", "Evaluation"),
    "statistics": Text("Thống kê", "Statistics"),
    "change": Text("Thay đổi dữ liệu", "Change of a register"),
}

X = ExchangeState
EXCHANGE: dict[ExchangeState, Text] = {
    X.SENT: Text("đã gửi, chưa đến", "sent, not there yet"),
    X.ARRIVED: Text("đã đến", "arrived"),
    X.REFUSED: Text("từ chối tiếp nhận", "refused"),
    X.ACCEPTED: Text("đã tiếp nhận", "accepted"),
    X.ASSIGNED: Text("đã phân công", "assigned"),
    X.PROCESSING: Text("đang xử lý", "being processed"),
    X.FINISHED: Text("hoàn thành", "finished"),
    X.RECALLED: Text("đã lấy lại", "taken back"),
    X.CANCELLED: Text("thu hồi trước khi gửi", "recalled before it left"),
    X.REPLACED: Text("đã được thay thế", "replaced"),
    X.UNDELIVERED: Text("không chuyển được", "could not be delivered"),
}
"""Where a document stands at one receiver."""
