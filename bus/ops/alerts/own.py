"""Rules about the bus itself: processes, broker, disk, journal, what expires, alert channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bus.ledger.alerts import Finding, Tally
from bus.ops.alerts.look import Look, span
from schemas.errors import Text
from schemas.instant import SECOND, Instant

ROLES = ("gateway", "dispatcher", "worker")
DISK = "disk"
PER_MILLE = 1_000
"""Free space is tallied in thousandths of the disk."""

BROKER = "broker"
"""Each process tallies whether it reaches the broker: 1 or 0."""

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
    """Away for every process, or for some of them, which is another trouble."""
    newest: dict[str, Tally] = {}
    for each in look.recent(look.limits.window):
        if each.kind == BROKER and each.at >= newest.get(each.subject, each).at:
            newest[each.subject] = each
    cut = {where for where, each in newest.items() if each.low == 0}
    living = {place(row.host, row.roles) for row in look.processes if row.id in look.beating}
    if not look.broker_up and not living - cut - {look.here}:
        yield _broker_away(look)
    else:
        yield from (_broker_cut(look, where) for where in sorted(cut & living))


def _broker_away(look: Look) -> Finding:
    return Finding(
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


def _broker_cut(look: Look, where: str) -> Finding:
    host, _, roles = where.partition("/")
    return Finding(
        "broker-cut",
        where,
        f"bus:{where}",
        "critical",
        Text(
            f"Tiến trình {roles} trên {host} không tới được RabbitMQ; nơi khác vẫn tới được",
            f"Process {roles} on {host} does not reach RabbitMQ; others do",
        ),
        Text(
            f"Mạng hoặc tường lửa giữa {host} và RabbitMQ, hoặc broker_url sai",
            f"Network or firewall between {host} and RabbitMQ, or a wrong broker_url",
        ),
        Text(
            f"Trên {host}: xem broker_url (lgsp settings show), thử kết nối tới cổng đó",
            f"On {host}: look at broker_url (lgsp settings show), try to connect to that port",
        ),
        look.now,
        look.limits.broker_seconds,
    )


def place(host: str, roles: Iterable[str]) -> str:
    """What tells processes apart for an operator: where it runs and what it does."""
    return f"{host}/{'+'.join(sorted(roles))}"


def disks(look: Look) -> Iterator[Finding]:
    """Each process tells of its own disk."""
    newest: dict[str, tuple[Instant, float]] = {}
    for each in look.recent(look.limits.window):
        if each.kind == DISK and each.low is not None:
            newest[each.subject] = max(
                newest.get(each.subject, (0, 1.0)), (each.at, each.low / PER_MILLE)
            )
    for place, (at, free) in newest.items():
        host, _, path = place.partition(":")
        least = look.limits.disks.get(Path(path))
        if free >= (look.limits.disk_share if least is None else least):
            continue
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
            )
            if least is None
            else Text(
                f"Đĩa chứa {path} trên {host} sắp đầy, hoặc ổ của nó không còn được gắn vào",
                f"The disk with {path} on {host} fills up, or its volume is not mounted any more",
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
