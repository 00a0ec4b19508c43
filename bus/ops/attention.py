"""Does everything run, and does anything wait for a person?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bus.ledger.alerts import AlertRow
from bus.ops.endpoints import EndpointView
from bus.ops.reasons import last_error
from schemas.delivery import DeliveryState
from schemas.errors import Text
from schemas.instant import Instant, to_datetime

Level = Literal["ok", "notice", "problem"]
Subject = Literal["ledger", "broker", "process", "endpoint", "alert"]
ROLES = ("gateway", "dispatcher", "worker")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `problem`: a person is needed."""

    subject: Subject
    level: Level
    what: Text
    command: Text | None = None  # of the command line: how to see more, or to mend it
    endpoint: str = ""
    state: DeliveryState | None = None  # of the deliveries it is about

    @property
    def text(self) -> Text:
        if self.command is None:
            return self.what
        return Text(f"{self.what.vi}; {self.command.vi}", f"{self.what.en}; {self.command.en}")


def of_processes(alive: Mapping[str, int], *, lost: int = 0) -> Iterator[Finding]:
    """`alive`: how many processes have each role."""
    for role in ROLES:
        count = alive.get(role, 0)
        what = Text(f"Tiến trình {role}: {count}", f"Processes with role {role}: {count}")
        start = Text(f"khởi động lại: lgsp {role}", f"start one: lgsp {role}")
        if count:
            yield Finding("process", "ok", what)
        else:
            yield Finding("process", "problem", what, start)
    if lost:
        vi = f"{lost} tiến trình ngừng báo; việc của nó tự được nhận lại"
        en = f"{lost} processes stopped reporting; their work is taken back by itself"
        yield Finding("process", "notice", Text(vi, en))


def of_endpoints(
    found: Iterable[EndpointView], now: Instant, polled: Iterable[str]
) -> Iterator[Finding]:
    """Silence means that all is well. `polled`: kinds of endpoints from which the bus fetches."""
    kinds = frozenset(polled)
    views = list(found)
    for view in views:
        yield from _waiting(view)
        yield from _said(view)
    for view in views:
        if view.declared is not None and view.declared.kind in kinds:
            yield from _silent(view, now)


_LOOKED_AT = frozenset(
    {"breaker-open", "broker-away", "deliveries-dead", "fetch-failing", "role-missing"}
)
"""Rules of alerts about what the other findings tell as it is at this moment."""


def of_alerts(unresolved: Iterable[AlertRow]) -> Iterator[Finding]:
    """What the bus has told its operators of and is not over: with the next step."""
    for alert in unresolved:
        if alert.raised_at is not None and alert.rule not in _LOOKED_AT:
            level: Level = "problem" if alert.severity == "critical" else "notice"
            yield Finding("alert", level, alert.what, alert.step)


def _waiting(view: EndpointView) -> Iterator[Finding]:
    name, counts = view.name, view.counts
    if dead := counts.get(DeliveryState.DEAD, 0):
        what = Text(f"{name}: {dead} chuyển phát hỏng", f"{name}: {dead} dead")
        yield Finding("endpoint", "problem", what, _look("dead", name), name, DeliveryState.DEAD)
    if held := counts.get(DeliveryState.HELD, 0):
        what = Text(f"{name}: {held} chuyển phát bị giữ", f"{name}: {held} held")
        yield Finding("endpoint", "problem", what, _look("held", name), name, DeliveryState.HELD)
    if view.declared is None and counts:
        what = Text(
            f"{name}: còn chuyển phát nhưng chưa khai báo",
            f"{name}: has deliveries but is not declared",
        )
        mend = Text("khai báo rồi lgsp apply", "declare it, then lgsp apply")
        yield Finding("endpoint", "problem", what, mend, name)


def _look(state: str, endpoint: str) -> Text:
    command = f"lgsp delivery list --state {state} --endpoint {endpoint}"
    return Text(f"xem: {command}", f"see: {command}")


def _said(view: EndpointView) -> Iterator[Finding]:
    name, state = view.name, view.state
    if state is not None and view.broken:
        error = last_error(state.last_error)
        vi = f"{name}: ngắt mạch, tự thử lại; lỗi gần nhất: {error.vi}"
        en = f"{name}: breaker open, probes by itself; last error: {error.en}"
        yield Finding("endpoint", "notice", Text(vi, en), endpoint=name)
    if state is not None and view.paused:
        reason = state.pause_reason or "—"
        what = Text(f"{name}: tạm dừng ({reason})", f"{name}: paused ({reason})")
        command = f"lgsp endpoint resume {name}"
        mend = Text(f"gửi tiếp: {command}", f"go on: {command}")
        yield Finding("endpoint", "notice", what, mend, name)


def _silent(view: EndpointView, now: Instant) -> Iterator[Finding]:
    """Nothing comes from it any more: nobody else would notice."""
    poll = view.poll
    if poll is None or poll.due_at > now or view.paused or view.away(now):
        return
    error, since = last_error(poll.error), _moment(poll.good_at)
    vi = f"không lấy được gì từ {since}" if since else "chưa lần nào lấy được"
    en = f"silent since {since}" if since else "nothing was ever fetched"
    text = Text(
        f"{view.name}: {vi}; lỗi gần nhất: {error.vi};"
        " đơn vị vận hành kiểm tra kết nối, địa chỉ và khóa, rồi hỏi đối tác",
        f"{view.name}: {en}; last error: {error.en};"
        " the operator checks connection, address and secret, then asks the partner",
    )
    yield Finding("endpoint", "problem", text, endpoint=view.name)


def _moment(at: Instant | None) -> str:
    """In the zone of this machine."""
    return "" if at is None else to_datetime(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
