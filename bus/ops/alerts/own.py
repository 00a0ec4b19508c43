"""Rules about the bus itself: processes, broker, disk, journal, what expires, alert channels."""

from __future__ import annotations

from collections.abc import Iterator

from bus.ledger.alerts import Finding
from bus.ops.alerts.look import Look, span
from schemas.errors import Text
from schemas.instant import SECOND, Instant

ROLES = ("gateway", "dispatcher", "worker")
DISK = "disk"
PER_MILLE = 1_000
"""Free space is tallied in thousandths of the disk."""

_DAY = 86_400 * SECOND


def roles(look: Look) -> Iterator[Finding]:
    for role in ROLES:
        if look.roles.get(role, 0):
            continue
        yield Finding(
            "role-missing",
            role,
            f"bus:{role}",
            "critical",
            Text(f"Không còn tiến trình {role} nào chạy", f"No process with role {role} is alive"),
            Text(f"Trục: tiến trình {role} đã dừng", f"The bus: its {role} has stopped"),
            Text(f"Khởi động: lgsp {role}; rồi lgsp health", f"Start: lgsp {role}; lgsp health"),
            look.now,
            look.limits.role_seconds,
        )


def broker(look: Look) -> Iterator[Finding]:
    if not look.broker_up:
        yield Finding(
            "broker-away",
            "rabbitmq",
            "bus:rabbitmq",
            "critical",
            Text(
                "RabbitMQ không kết nối được; tiếp nhận vẫn chạy, chưa chuyển đi",
                "RabbitMQ is not reached; accepting goes on, nothing leaves",
            ),
            Text("RabbitMQ đã dừng hoặc mạng đứt", "RabbitMQ has stopped, or the network is cut"),
            Text("Khởi động RabbitMQ; rồi lgsp health", "Start RabbitMQ; then lgsp health"),
            look.now,
            look.limits.broker_seconds,
        )


def disks(look: Look) -> Iterator[Finding]:
    """Each process tells of its own disk."""
    newest: dict[str, tuple[Instant, float]] = {}
    for each in look.recent(look.limits.window):
        if each.kind == DISK and each.low is not None:
            newest[each.subject] = max(
                newest.get(each.subject, (0, 1.0)), (each.at, each.low / PER_MILLE)
            )
    for place, (at, free) in newest.items():
        if free >= look.limits.disk_share:
            continue
        host, _, path = place.partition(":")
        yield Finding(
            "disk",
            place,
            f"bus:disk:{place}",
            "critical" if free < look.limits.disk_critical_share else "warning",
            Text(
                f"Đĩa của {host} ({path}) chỉ còn trống {free:.1%}",
                f"The disk of {host} ({path}) has only {free:.1%} left",
            ),
            Text(
                f"Đĩa chứa sổ cái hoặc tệp gốc trên {host} sắp đầy; đầy thì trục trả lời 503",
                f"The disk with the ledger or originals on {host} fills up; full, the bus answers"
                " 503",
            ),
            Text(f"Mở rộng đĩa: df -h {path}", f"Enlarge the disk: df -h {path}"),
            at,
        )


def journal(look: Look) -> Iterator[Finding]:
    if not look.journal_problems:
        return
    first, count = look.journal_problems[0], len(look.journal_problems)
    yield Finding(
        "journal-break",
        "journal",
        "bus:journal",
        "critical",
        Text(
            f"Nhật ký đã bị thay đổi: {count} chỗ, đầu tiên: {first}",
            f"The journal was changed: {count} places, the first: {first}",
        ),
        Text(
            "Có người sửa cơ sở dữ liệu của sổ cái ngoài trục",
            "Somebody changed the ledger's database from outside the bus",
        ),
        Text(
            "Giữ nguyên máy, báo an toàn thông tin: lgsp journal verify",
            "Keep the machine as it is, tell security: lgsp journal verify",
        ),
        look.now,
    )


def expiries(look: Look) -> Iterator[Finding]:
    for each in look.expiries:
        left = (each.at - look.now) / _DAY
        if left >= look.limits.expiry_days:
            continue
        when = span(abs(each.at - look.now) / SECOND)
        over = left < 0
        yield Finding(
            "expiry",
            each.name,
            each.culprit,
            "critical" if left < look.limits.expiry_critical_days else "warning",
            Text(
                f"{each.what.vi} {'đã hết hạn' if over else 'còn hạn'} {when.vi}",
                f"{each.what.en} {'expired' if over else 'expires in'} {when.en}"
                f"{' ago' if over else ''}",
            ),
            each.what,
            each.step,
            each.at - int(look.limits.expiry_days * _DAY),
        )


def channels(look: Look) -> Iterator[Finding]:
    """A channel of alerts that takes nothing: the others are told."""
    for name, waiting in look.channels.items():
        if (look.now - waiting.since) / SECOND < look.limits.channel_seconds or not waiting.error:
            continue
        yield Finding(
            "channel-failing",
            name,
            f"bus:alerts:{name}",
            "critical",
            Text(
                f"Kênh cảnh báo {name} không nhận: còn {waiting.count} tin chờ",
                f"Alert channel {name} takes nothing: {waiting.count} notices wait",
            ),
            Text(f"Kênh {name}: {waiting.error}", f"Channel {name}: {waiting.error}"),
            Text("lgsp alert test", "lgsp alert test"),
            waiting.since,
        )
