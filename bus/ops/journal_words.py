"""Entries of the journal in words: what happened, one line for each.

Every event that the code writes has its line here and nowhere else; console and command line both
read it.  In a line stand `{names}`: members of the entry's data, and those of `_also`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bus.ledger.records import JournalRow
from bus.ops.reasons import Reason, quote, reason_in, reason_of
from bus.ops.wording import Tone
from schemas.errors import Text

_NOTHING = Text("", "")


class Line(NamedTuple):
    """What an event is called; `sign` and `tone` say the same to who does not read.

    `quoted`: what a partner's system wrote about it, marked as quoted, or nothing.
    """

    sign: str
    tone: Tone
    text: Text
    quoted: Text = _NOTHING


def _line(mark: tuple[str, Tone], vi: str, en: str) -> Line:
    return Line(*mark, Text(vi, en))


_MESSAGES = {
    "accepted": _line(
        ("✓", "good"),
        "Trục tiếp nhận, sẽ chuyển tới {count} nơi",
        "The bus accepted it, for {count} places",
    ),
    "collected": _line(
        ("↓", "good"),
        "Trục lấy gói tin {ref} về từ {to}{again}",
        "The bus fetched packet {ref} from {to}{again}",
    ),
    "collect-refused": _line(
        ("✗", "bad"),
        "Không tiếp nhận gói tin {ref} lấy từ {to}{why}",
        "Packet {ref} fetched from {to} was not accepted{why}",
    ),
    "trial-sent": _line(
        ("→", "off"),
        "Gửi thử từ {sender} tới {receiver}",
        "Test message from {sender} to {receiver}",
    ),
    "personal-data-revealed": _line(
        ("◉", "off"), "Mở dữ liệu bị che{reason}", "Masked data uncovered{reason}"
    ),
    "original-downloaded": _line(
        ("↓", "off"), "Tải bản gốc{reason}", "Original downloaded{reason}"
    ),
    "file-kept": _line(
        ("+", "off"),
        "Lưu tệp của hồ sơ {code}, cơ quan {sender}",
        "A file of dossier {code} of {sender} was kept",
    ),
    "inquired": _line(
        ("◉", "off"),
        "Tra cứu {subject} của hồ sơ {code}",
        "Looked up {subject} of dossier {code}",
    ),
}

_DELIVERIES = {
    "queued": _line(("·", "busy"), "Trở lại hàng chờ {to}{why}", "Back in the queue of {to}{why}"),
    "sending": _line(("→", "busy"), "Đang gửi tới {to}", "Being sent to {to}"),
    "waiting": _line(
        ("…", "warn"),
        "Lần gửi {attempt} tới {to} không được{why}; trục tự gửi lại",
        "Attempt {attempt} to {to} failed{why}; the bus tries again",
    ),
    "held": _line(("‖", "warn"), "Giữ lại, chưa gửi {to}{why}", "Held back from {to}{why}"),
    "fetched": _line(
        ("↓", "good"),
        "Hệ thống của {receivers} lấy nội dung về",
        "The system of {receivers} fetched the content",
    ),
    "delivered": _line(("✓", "good"), "{to} đã nhận{proof}", "{to} has it{proof}"),
    "rejected": _line(("✗", "bad"), "{to} từ chối{why}", "{to} refused it{why}"),
    "dead": _line(
        ("✗", "bad"),
        "Hết số lần gửi tới {to}{why}; chờ đơn vị vận hành",
        "No attempts to {to} are left{why}; the operator has to act",
    ),
    "cancelled": _line(("–", "off"), "Hủy gửi tới {to}{reason}", "Cancelled to {to}{reason}"),
    "expired": _line(("–", "off"), "Hết hạn trước khi tới {to}", "Expired before {to} got it"),
    "replayed": _line(("↻", "busy"), "Cho gửi lại tới {to}{reason}", "Replayed to {to}{reason}"),
    "replay-undone": _line(
        ("⏸", "bad"),
        "Rút lại lệnh gửi lại tới {to}{reason}",
        "Replay to {to} undone{reason}",
    ),
    "released": _line(("→", "busy"), "Thôi giữ, gửi {to}{reason}", "Let go to {to}{reason}"),
    "sent-again": _line(
        ("↻", "busy"), "Gửi lần nữa tới {to}{reason}", "Sent again to {to}{reason}"
    ),
    "redirected": _line(
        ("↪", "busy"),
        "Đổi nơi nhận từ {to} sang {other}{reason}",
        "Redirected from {to} to {other}{reason}",
    ),
}

_ENDPOINTS = {
    "endpoint-paused": _line(("‖", "warn"), "Tạm dừng {to}{reason}", "Paused {to}{reason}"),
    "endpoint-resumed": _line(("→", "good"), "Cho {to} chạy tiếp{reason}", "Resumed {to}{reason}"),
    "endpoint-tested": _line(("·", "off"), "Thử kết nối {to}", "Tested the connection of {to}"),
    "endpoint-mended": _line(
        ("↻", "warn"),
        "Sửa hàng chờ của {to} theo khai báo mới: {turned} chuyển phát, {heads} lượt",
        "The queue of {to} made fit its declaration: {turned} deliveries, {heads} turns",
    ),
    "breaker-opened": _line(("✗", "bad"), "Ngắt mạch {to}{why}", "The breaker of {to} opened{why}"),
    "breaker-closed": _line(("✓", "good"), "{to} thông lại", "{to} answers again"),
    "reconciled": _line(
        ("✓", "off"),
        "Đối soát hồ sơ với {to}{trial}: so {compared}, bổ sung {healed}, chưa trả lời "
        "{unanswered}",
        "Dossiers reconciled with {to}{trial}: {compared} compared, {healed} healed, "
        "{unanswered} unanswered",
    ),
    "directory-read": _line(
        ("↓", "off"),
        "Đọc danh bạ từ {to}: {rows} dòng, {changes} thay đổi, phiên bản {revision}",
        "Directory of {to} read: {rows} rows, {changes} changes, revision {revision}",
    ),
    "agency-registered": _line(
        ("+", "off"), "Đăng ký cơ quan {agency} tại {to}", "{agency} registered at {to}"
    ),
    "agency-unregistered": _line(
        ("–", "off"), "Hủy đăng ký cơ quan {agency} tại {to}", "{agency} unregistered at {to}"
    ),
}

_SERVICES = {
    "service-asked": _line(
        ("◉", "off"),
        "Tra cứu dữ liệu cá nhân: {service}, thao tác {operation}, cán bộ {officer} của {agency}, "
        "mục đích: {purpose}",
        "Personal data asked for: {service}, operation {operation}, officer {officer} of {agency}, "
        "purpose: {purpose}",
    ),
    "service-answered": _line(
        ("◉", "off"),
        "Trả kết quả tra cứu dữ liệu cá nhân: {outcome}",
        "Personal data answered: {outcome}",
    ),
    "accesses-read": _line(
        ("◉", "off"),
        "Xem ai đã tra cứu dữ liệu cá nhân",
        "Looked up who asked for personal data",
    ),
    "service-job-accepted": _line(
        ("✓", "off"),
        "Nhận lô {questions} câu hỏi tới {service}, thao tác {operation}, của {agency}",
        "Job of {questions} questions to {service}, operation {operation}, of {agency} accepted",
    ),
    "service-job-done": _line(
        ("✓", "good"),
        "Xong lô câu hỏi: {answered} có trả lời, {failed} không được",
        "Job of questions done: {answered} answered, {failed} failed",
    ),
    "service-job-cancelled": _line(
        ("–", "off"), "Hủy lô câu hỏi{reason}", "Job of questions cancelled{reason}"
    ),
    "service-job-removed": _line(
        ("–", "off"),
        "Xóa kết quả của lô câu hỏi đã hết hạn lưu",
        "Results of a job of questions removed, as their time is over",
    ),
}

_PEOPLE = {
    "console-login": _line(("→", "off"), "Đăng nhập từ {address}", "Logged in from {address}"),
    "console-login-refused": _line(
        ("✗", "warn"),
        "Đăng nhập bị từ chối từ {address}{who}",
        "Log-in refused from {address}{who}",
    ),
    "console-logout": _line(("←", "off"), "Đăng xuất", "Logged out"),
    "console-password-changed": _line(("·", "off"), "Đổi mật khẩu", "Changed the password"),
    "console-authenticator-added": _line(
        ("·", "off"), "Bật xác thực hai lớp", "Turned on the second factor"
    ),
    "console-act-refused": _line(
        ("✗", "bad"),
        "Bị từ chối: {act} với vai trò {role}",
        "Refused: {act} with role {role}",
    ),
    "console-account-added": _line(
        ("+", "off"),
        "Tạo tài khoản {account}, vai trò {role}",
        "Account {account} made, role {role}",
    ),
    "console-account-reset": _line(
        ("·", "off"), "Đặt lại mật khẩu của {account}", "Password of {account} reset"
    ),
    "console-account-disabled": _line(("‖", "off"), "Khóa {account}", "{account} was disabled"),
    "console-account-enabled": _line(("→", "off"), "Mở lại {account}", "{account} was enabled"),
    "console-report-made": _line(("·", "off"), "Lập báo cáo {period}", "Report of {period} made"),
    "client-key-added": _line(
        ("+", "off"), "Cấp khóa {hint} cho {client}", "Key {hint} issued to {client}"
    ),
    "client-key-retired": _line(
        ("–", "off"), "Kết thúc khóa {hint} của {client}", "Key {hint} of {client} ended"
    ),
    "secret-made": _line(("+", "off"), "Tạo bí mật {secret}", "Secret {secret} made"),
    "configuration-changed": _line(
        ("·", "off"),
        "Áp dụng cấu hình phiên bản {revision}{reason}",
        "Revision {revision} in force{reason}",
    ),
    "journal-verified": _line(("·", "off"), "Kiểm tra nhật ký", "Verified the journal"),
}

_BUS = {
    "alert-raised": _line(("!", "warn"), "Cảnh báo {key}", "Alert {key}"),
    "alert-resolved": _line(("✓", "good"), "Hết cảnh báo {key}", "Alert {key} is over"),
    "alert-silenced": _line(
        ("‖", "off"),
        "Tắt tiếng cảnh báo {pattern}{reason}",
        "Alerts {pattern} silenced{reason}",
    ),
    "alert-silence-ended": _line(
        ("·", "off"), "Cho báo lại {pattern}", "Alerts {pattern} are told again"
    ),
    "process-started": _line(("→", "off"), "Tiến trình khởi động: {roles}", "Started: {roles}"),
    "process-stopped": _line(("←", "off"), "Tiến trình dừng", "The process stopped"),
    "process-lost": _line(
        ("✗", "warn"),
        "Tiến trình {process} không còn báo",
        "Process {process} stopped reporting",
    ),
    "taken-back": _line(
        ("↻", "warn"),
        "Nhận lại {count} chuyển phát của {worker}",
        "Took {count} deliveries of {worker} back",
    ),
    "clock-set-back": _line(
        ("!", "warn"),
        "Đồng hồ của máy đã chạy nhanh {seconds} giây; cho {freed} chuyển phát đi sớm",
        "A clock had been {seconds} s ahead; {freed} deliveries may leave early",
    ),
    "chain-started": _line(("·", "off"), "Mở chuỗi nhật ký mới", "A chain of the journal began"),
    "restored": _line(
        ("↻", "warn"),
        "Phục hồi sổ cái từ bản sao; {open} chuyển phát chưa xong sẽ được hỏi lại đối tác",
        "The ledger was restored from a copy; partners are asked about {open} open deliveries",
    ),
}

LINES: Mapping[str, Line] = _MESSAGES | _DELIVERIES | _ENDPOINTS | _SERVICES | _PEOPLE | _BUS
"""By event."""

_SUBJECTS = {
    "payment": Text("thanh toán", "the payment"),
    "tracking": Text("đơn bưu chính", "the postal order"),
}


def tell(entry: JournalRow) -> Line:
    """An event of a newer version of the bus, which has no words here, is told by its name."""
    line = LINES.get(entry.event)
    if line is None:
        return Line("·", "off", Text(entry.event, entry.event))
    reason = _reason(entry.data)
    also = _also(entry.data) | {"why": reason.clause()}
    vi = line.text.vi.format_map(_Given(entry.data, {k: text.vi for k, text in also.items()}))
    en = line.text.en.format_map(_Given(entry.data, {k: text.en for k, text in also.items()}))
    told = "{why}" in line.text.vi
    return line._replace(text=Text(vi, en), quoted=reason.quoted if told else _NOTHING)


class _Given(dict[str, Any]):
    """A dash for what the entry does not say: older versions wrote less."""

    def __init__(self, data: Mapping[str, Any], also: Mapping[str, str]) -> None:
        super().__init__(data)
        self.update(also)

    def __missing__(self, name: str) -> str:
        return "—"


def _reason(data: Mapping[str, Any]) -> Reason:
    """Deliveries keep code and detail, refused packets code and reason, breakers both in error."""
    if code := data.get("code"):
        return reason_of(str(code), str(data.get("detail") or data.get("reason") or ""))
    return reason_in(str(data.get("error") or ""))


def _also(data: Mapping[str, Any]) -> dict[str, Text]:
    """What is said of an entry only when it is there, or in other words than it has."""
    outcome, reason = str(data.get("outcome", "")), data.get("reason")
    proof = data.get("partnerRef")
    again = Text(" (đã có từ trước)", " (known before)")
    return {
        "to": _same(data.get("endpoint") or "—"),
        "other": _same(data.get("to") or "—"),
        "count": _same(len(data.get("deliveries", ()))),
        "proof": _same(f" ({proof})") if proof else _NOTHING,
        "reason": _same(f": {quote(reason)}") if reason else _NOTHING,
        "outcome": reason_of(outcome, "").said,
        "who": _same(f": {data['account']}") if data.get("account") else _NOTHING,
        "subject": _SUBJECTS.get(str(data.get("subject")), _same(data.get("subject") or "—")),
        "again": again if data.get("duplicate") else _NOTHING,
        "trial": Text(" (chạy thử)", " (dry run)") if data.get("dryRun") else _NOTHING,
    }


def _same(value: object) -> Text:
    return Text(str(value), str(value))
