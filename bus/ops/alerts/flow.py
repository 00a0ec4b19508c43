"""Rules about what flows through the bus: backlog, errors, breakers, dead deliveries, dossiers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bus.ledger.alerts import Finding
from bus.ops.alerts.look import Look, span
from bus.ops.reasons import last_error
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.instant import SECOND, Instant
from schemas.message import Lane

_MOVING = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.WAITING})


def breakers(look: Look) -> Iterator[Finding]:
    """A partner that is left in peace because it fails."""
    for name, state in look.states.items():
        if state.breaker != "open" or look.rests(name) or name not in look.snapshot.endpoints:
            continue
        error = last_error(state.last_error)
        yield Finding(
            "breaker-open",
            name,
            f"endpoint:{name}",
            "critical",
            Text(
                f"Điểm kết nối {name} đang ngắt mạch; trục tự thử lại",
                f"Endpoint {name}: breaker open; the bus probes by itself",
            ),
            Text(
                f"Hệ thống của đối tác tại {name} không nhận; lỗi gần nhất: {error.vi}",
                f"The partner's system at {name} does not take anything; last error: {error.en}",
            ),
            Text(
                f"Gọi đơn vị vận hành hệ thống đó; xem: lgsp delivery list --endpoint {name}",
                f"Call whoever runs that system; look: lgsp delivery list --endpoint {name}",
            ),
            state.opened_at or look.now,
            look.limits.breaker_seconds,
        )


def backlog(look: Look) -> Iterator[Finding]:
    """Deliveries that should have left long ago."""
    oldest: dict[tuple[str, Lane], tuple[int, Instant]] = {}
    for row in look.backlog:
        if row.state in _MOVING:
            count, since = oldest.get((row.endpoint, row.lane), (0, row.oldest))
            oldest[row.endpoint, row.lane] = (count + row.count, min(since, row.oldest))
    for (name, lane), (count, since) in oldest.items():
        if look.rests(name):
            continue
        age = (look.now - since) / SECOND
        if age < _patience(look, name, lane):
            continue
        told = span(age)
        yield Finding(
            "backlog-age",
            f"{name}/{lane.value}",
            f"endpoint:{name}",
            "critical" if lane is Lane.URGENT else "warning",
            Text(
                f"{name}: {count} chuyển phát ({lane.value}) còn chờ, cũ nhất {told.vi}",
                f"{name}: {count} deliveries ({lane.value}) wait, the oldest for {told.en}",
            ),
            _slow(look, name),
            Text(f"lgsp delivery list --endpoint {name}", f"lgsp delivery list --endpoint {name}"),
            since,
        )


def _patience(look: Look, name: str, lane: Lane) -> float:
    endpoint = look.snapshot.endpoints.get(name)
    if endpoint is not None and endpoint.kind in look.pull_kinds:
        return look.limits.backlog_pull
    return look.limits.backlog_urgent if lane is Lane.URGENT else look.limits.backlog_normal


def _slow(look: Look, name: str) -> Text:
    endpoint = look.snapshot.endpoints.get(name)
    if endpoint is None:
        return Text(f"{name} chưa được khai báo", f"{name} is not declared")
    if endpoint.kind in look.pull_kinds:
        return Text(
            f"Hệ thống của đơn vị không đến lấy từ hộp thư {name}",
            f"The agency's system does not fetch from mailbox {name}",
        )
    return Text(
        f"Hệ thống của đối tác tại {name} nhận chậm hoặc không nhận",
        f"The partner's system at {name} is slow, or takes nothing",
    )


def errors(look: Look) -> Iterator[Finding]:
    """Attempts and calls that fail, or that partners refuse, more often than they should."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    first: dict[tuple[str, str], Instant] = {}
    going_on: set[tuple[str, str]] = set()
    limits = look.limits
    for each in look.recent(limits.window):
        key = (each.subject, each.kind)
        counts[each.subject][each.kind] += each.count
        first[key] = min(first.get(key, each.at), each.at)
        if each.at >= look.ago(limits.window / 5):
            going_on.add(key)
    for name, counted in counts.items():
        of = defaultdict(int, counted)
        for kind in ("attempt-failed", "attempt-rejected", "call-failed"):
            if (name, kind) not in going_on:  # it is over: nobody need be called
                of[kind] = 0
        attempts = of["attempt-good"] + of["attempt-failed"] + of["attempt-rejected"]
        calls = of["call-good"] + of["call-failed"]
        if _many(of["attempt-failed"], attempts, limits.errors_share, limits.errors_least):
            since = first[name, "attempt-failed"]
            yield _failing(name, of["attempt-failed"], attempts, since)
        if _many(of["attempt-rejected"], attempts, limits.rejected_share, limits.errors_least):
            since = first[name, "attempt-rejected"]
            yield _refusing(name, of["attempt-rejected"], attempts, since)
        if _many(of["call-failed"], calls, limits.errors_share, limits.errors_least):
            yield _service(name, of["call-failed"], calls, first[name, "call-failed"])


def _many(some: int, of_all: int, share: float, least: int) -> bool:
    return some >= least and some >= share * of_all


def _failing(name: str, failed: int, attempts: int, since: Instant) -> Finding:
    return Finding(
        "error-rate",
        name,
        f"endpoint:{name}",
        "warning",
        Text(
            f"{name}: {failed} trong {attempts} lần gửi gần đây không xong",
            f"{name}: {failed} of {attempts} recent attempts failed",
        ),
        Text(
            f"Hệ thống của đối tác tại {name} hoặc đường truyền tới đó chập chờn",
            f"The partner's system at {name}, or the way to it, is unsteady",
        ),
        Text(
            f"lgsp delivery list --endpoint {name} --state waiting",
            f"lgsp delivery list --endpoint {name} --state waiting",
        ),
        since,
    )


def _refusing(name: str, refused: int, attempts: int, since: Instant) -> Finding:
    return Finding(
        "refusals",
        name,
        f"endpoint:{name}",
        "warning",
        Text(
            f"{name}: đối tác từ chối {refused} trong {attempts} lần gửi gần đây",
            f"{name}: the partner refused {refused} of {attempts} recent attempts",
        ),
        Text(
            f"Quy tắc kiểm tra của hệ thống tại {name} đã đổi, hoặc nơi gửi gửi sai",
            f"The checks of the system at {name} have changed, or senders send what is wrong",
        ),
        Text(
            f"Xem lời của đối tác: lgsp delivery list --endpoint {name} --state rejected",
            f"Read the partner's words: lgsp delivery list --endpoint {name} --state rejected",
        ),
        since,
    )


def _service(name: str, failed: int, calls: int, since: Instant) -> Finding:
    return Finding(
        "error-rate",
        name,
        f"service:{name}",
        "warning",
        Text(
            f"Dịch vụ {name}: {failed} trong {calls} lần gọi gần đây không xong",
            f"Service {name}: {failed} of {calls} recent calls failed",
        ),
        Text(
            f"Hệ thống cung cấp dịch vụ {name} không trả lời hoặc trả lời sai",
            f"The system behind service {name} does not answer, or not as its contract says",
        ),
        Text("lgsp service list", "lgsp service list"),
        since,
    )


def dead(look: Look) -> Iterator[Finding]:
    """Deliveries that wait for a person."""
    for row in _dead(look):
        look_at = f"lgsp delivery list --state dead --endpoint {row[0]}"
        yield Finding(
            "deliveries-dead",
            row[0],
            f"endpoint:{row[0]}",
            "critical",
            Text(f"{row[0]}: {row[1]} chuyển phát hỏng", f"{row[0]}: {row[1]} dead deliveries"),
            Text(
                f"{row[0]}: hết lượt gửi mà không rõ đối tác đã nhận chưa, hoặc lỗi của trục",
                f"{row[0]}: attempts used up without a clear answer, or a fault of the bus",
            ),
            Text(f"{look_at}; rồi lgsp delivery replay", f"{look_at}; then lgsp delivery replay"),
            row[2],
        )


def _dead(look: Look) -> Iterable[tuple[str, int, Instant]]:
    found: dict[str, tuple[int, Instant]] = {}
    for row in look.backlog:
        if row.state is DeliveryState.DEAD:
            count, since = found.get(row.endpoint, (0, row.oldest))
            found[row.endpoint] = (count + row.count, min(since, row.oldest))
    return ((name, count, since) for name, (count, since) in found.items())


def dossiers(look: Look) -> Iterator[Finding]:
    """Agencies of whose open dossiers too many are past the day they are due."""
    for row in look.dossiers:
        if not _many(row.late, row.unfinished, look.limits.dossiers_share, 1):
            continue
        if row.late < look.limits.dossiers_least:
            continue
        name = look.name(row.agency)
        yield Finding(
            "dossiers-late",
            row.agency,
            f"agency:{row.agency}",
            "warning",
            Text(
                f"{name}: {row.late} trong {row.unfinished} hồ sơ đang giải quyết đã quá hạn",
                f"{name}: {row.late} of {row.unfinished} open dossiers are overdue",
            ),
            Text(
                f"{name} giải quyết chậm, hoặc phần mềm một cửa không báo kết quả",
                f"{name} is slow, or its one-stop software does not tell what is finished",
            ),
            Text(
                f"lgsp dossier list --sender {row.agency}",
                f"lgsp dossier list --sender {row.agency}",
            ),
            row.oldest_due or look.now,
        )
