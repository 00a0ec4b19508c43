"""Entries of the journal in words: what happened to a message, one line for each."""

from __future__ import annotations

from bus.console.marks import Tone
from bus.ledger.records import JournalRow
from schemas.errors import Text

Told = tuple[str, Tone, Text]
"""Sign, tone, sentence."""

_SENTENCES: dict[str, Told] = {
    "accepted": (
        "✓",
        "good",
        Text(
            "Trục tiếp nhận, sẽ chuyển tới {count} nơi", "The bus accepted it, for {count} places"
        ),
    ),
    "delivered": ("✓", "good", Text("{to} đã nhận{ref}", "{to} has it{ref}")),
    "rejected": ("✗", "bad", Text("{to} từ chối{why}", "{to} refused it{why}")),
    "waiting": (
        "…",
        "warn",
        Text(
            "Lần gửi {attempt} tới {to} không được{why}; trục tự gửi lại",
            "Attempt {attempt} to {to} failed{why}; the bus tries again",
        ),
    ),
    "dead": (
        "✗",
        "bad",
        Text(
            "Hết số lần gửi tới {to}{why}; chờ đơn vị vận hành",
            "No attempts to {to} are left{why}; the operator has to act",
        ),
    ),
    "held": ("‖", "warn", Text("Giữ lại, chưa gửi {to}{why}", "Held back from {to}{why}")),
    "queued": ("·", "busy", Text("Trở lại hàng chờ {to}{why}", "Back in the queue of {to}{why}")),
    "replayed": ("↻", "busy", Text("Cho gửi lại tới {to}{reason}", "Replayed to {to}{reason}")),
    "replay-undone": (
        "⏸",
        "bad",
        Text("Rút lại lệnh gửi lại tới {to}{reason}", "Replay to {to} undone{reason}"),
    ),
    "released": ("→", "busy", Text("Thôi giữ, gửi {to}{reason}", "Let go to {to}{reason}")),
    "sent-again": ("↻", "busy", Text("Gửi lần nữa tới {to}{reason}", "Sent again to {to}{reason}")),
    "redirected": (
        "↪",
        "busy",
        Text(
            "Đổi nơi nhận từ {to} sang {other}{reason}", "Redirected from {to} to {other}{reason}"
        ),
    ),
    "cancelled": ("–", "off", Text("Hủy gửi tới {to}{reason}", "Cancelled to {to}{reason}")),
    "expired": ("–", "off", Text("Hết hạn trước khi tới {to}", "Expired before {to} got it")),
    "endpoint-paused": ("‖", "warn", Text("Tạm dừng {to}{reason}", "Paused {to}{reason}")),
    "endpoint-resumed": ("→", "good", Text("Cho {to} chạy tiếp{reason}", "Resumed {to}{reason}")),
    "endpoint-tested": ("·", "off", Text("Thử kết nối {to}", "Tested the connection of {to}")),
    "breaker-opened": (
        "✗",
        "bad",
        Text("Ngắt mạch {to}: {error}", "The breaker of {to} opened: {error}"),
    ),
    "breaker-closed": ("✓", "good", Text("{to} thông lại", "{to} answers again")),
    "console-login": ("→", "off", Text("Đăng nhập từ {address}", "Logged in from {address}")),
    "console-login-refused": (
        "✗",
        "warn",
        Text(
            "Đăng nhập bị từ chối từ {address}: {account}",
            "Log-in refused from {address}: {account}",
        ),
    ),
    "console-logout": ("←", "off", Text("Đăng xuất", "Logged out")),
    "console-password-changed": ("·", "off", Text("Đổi mật khẩu", "Changed the password")),
    "console-act-refused": (
        "✗",
        "bad",
        Text("Bị từ chối: {act} với vai trò {role}", "Refused: {act} with role {role}"),
    ),
    "console-account-added": (
        "+",
        "off",
        Text("Tạo tài khoản {account}, vai trò {role}", "Account {account} made, role {role}"),
    ),
    "console-account-reset": (
        "·",
        "off",
        Text("Đặt lại mật khẩu của {account}", "Password of {account} reset"),
    ),
    "console-account-disabled": ("‖", "off", Text("Khóa {account}", "{account} was disabled")),
    "console-account-enabled": ("→", "off", Text("Mở lại {account}", "{account} was enabled")),
    "console-report-made": ("·", "off", Text("Lập báo cáo {period}", "Report of {period} made")),
    "client-key-added": (
        "+",
        "off",
        Text("Cấp khóa {hint} cho {client}", "Key {hint} issued to {client}"),
    ),
    "client-key-retired": (
        "–",
        "off",
        Text("Kết thúc khóa {hint} của {client}", "Key {hint} of {client} ended"),
    ),
    "configuration-changed": (
        "·",
        "off",
        Text(
            "Áp dụng cấu hình phiên bản {revision}{reason}", "Revision {revision} in force{reason}"
        ),
    ),
    "trial-sent": (
        "→",
        "off",
        Text("Gửi thử từ {sender} tới {receiver}", "Test message from {sender} to {receiver}"),
    ),
    "accesses-read": (
        "◉",
        "off",
        Text("Xem ai đã tra cứu dữ liệu cá nhân", "Looked up who asked for personal data"),
    ),
    "console-authenticator-added": (
        "·",
        "off",
        Text("Bật xác thực hai lớp", "Turned on the second factor"),
    ),
    "secret-made": ("+", "off", Text("Tạo bí mật {secret}", "Secret {secret} made")),
    "alert-raised": ("!", "warn", Text("Cảnh báo {key}", "Alert {key}")),
    "alert-resolved": ("✓", "good", Text("Hết cảnh báo {key}", "Alert {key} is over")),
    "alert-silenced": (
        "‖",
        "off",
        Text("Tắt tiếng cảnh báo {pattern}{reason}", "Alerts {pattern} silenced{reason}"),
    ),
    "alert-silence-ended": (
        "·",
        "off",
        Text("Cho báo lại {pattern}", "Alerts {pattern} are told again"),
    ),
    "process-started": ("→", "off", Text("Tiến trình khởi động: {roles}", "Started: {roles}")),
    "process-stopped": ("←", "off", Text("Tiến trình dừng", "The process stopped")),
    "process-lost": (
        "✗",
        "warn",
        Text("Tiến trình {process} không còn báo", "Process {process} stopped reporting"),
    ),
    "taken-back": (
        "↻",
        "warn",
        Text("Nhận lại {count} chuyển phát của {worker}", "Took {count} deliveries of {worker}"),
    ),
    "chain-started": ("·", "off", Text("Mở chuỗi nhật ký mới", "A chain of the journal began")),
    "journal-verified": ("·", "off", Text("Kiểm tra nhật ký", "Verified the journal")),
    "personal-data-revealed": (
        "◉",
        "off",
        Text("Mở dữ liệu bị che{reason}", "Masked data uncovered{reason}"),
    ),
    "original-downloaded": (
        "↓",
        "off",
        Text("Tải bản gốc{reason}", "Original downloaded{reason}"),
    ),
}

_NAMED = (
    *("error", "address", "account", "act", "role", "period"),
    *("hint", "client", "revision", "sender", "receiver"),
    *("secret", "key", "pattern", "roles", "process", "worker"),
)


def tell(entry: JournalRow) -> Told:
    """What nobody has put into words is told by its name."""
    plain = Text(entry.event, entry.event)
    sign, tone, sentence = _SENTENCES.get(entry.event, ("·", "off", plain))
    data = entry.data
    given = {
        "to": data.get("endpoint", ""),
        "other": data.get("to", ""),
        "count": len(data.get("deliveries", ())),
        "attempt": data.get("attempt", ""),
        **{name: data.get(name, "") for name in _NAMED},
        "ref": f" ({data['partnerRef']})" if data.get("partnerRef") else "",
        "reason": f": {data['reason']}" if data.get("reason") else "",
        "why": f": {data.get('detail') or data.get('code')}" if data.get("code") else "",
    }
    return sign, tone, Text(sentence.vi.format(**given), sentence.en.format(**given))
