"""What a message to a channel says of the alerts it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bus.ledger.alerts import AlertRow, NoticeEvent
from schemas.errors import Text
from schemas.instant import Instant, to_datetime, to_iso
from schemas.vietnam import VIETNAM

_EVENTS: dict[NoticeEvent, Text] = {
    "raised": Text("CẢNH BÁO", "ALERT"),
    "reminded": Text("VẪN CÒN", "STILL THERE"),
    "resolved": Text("ĐÃ HẾT", "RESOLVED"),
}
SEVERITIES = {
    "critical": Text("nghiêm trọng", "critical"),
    "warning": Text("cần chú ý", "warning"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One alert, and what has become of it."""

    event: NoticeEvent
    alert: AlertRow


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to a channel. `id` is the same whenever the same is told again."""

    id: str
    culprit: str
    told: Sequence[Told]

    @property
    def subject(self) -> str:
        """One line, whatever the alert quotes."""
        newest = self.told[-1]
        more = f" (+{len(self.told) - 1})" if len(self.told) > 1 else ""
        line = f"[LGSP] {_EVENTS[newest.event].vi}: {newest.alert.what.vi}{more}"
        return " ".join(line.split())[:200]

    @property
    def text(self) -> str:
        """Vietnamese first, then English."""
        parts = [_in_vietnamese(each) for each in self.told]
        parts += [_in_english(each) for each in self.told]
        return "\n\n".join(parts) + "\n"

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "type": "lgsp.alerts",
            "culprit": self.culprit,
            "alerts": [as_json(each.alert) | {"event": each.event} for each in self.told],
        }


def as_json(alert: AlertRow) -> dict[str, Any]:
    return {
        "id": alert.id,
        "key": alert.key,
        "rule": alert.rule,
        "culprit": alert.culprit,
        "severity": alert.severity,
        "what": alert.what._asdict(),
        "cause": alert.cause._asdict(),
        "step": alert.step._asdict(),
        "since": to_iso(alert.since),
        "raisedAt": to_iso(alert.raised_at),
        "resolvedAt": to_iso(alert.resolved_at),
    }


def _in_vietnamese(told: Told) -> str:
    alert = told.alert
    lines = [
        f"{_EVENTS[told.event].vi} ({SEVERITIES[alert.severity].vi}): {alert.what.vi}",
        f"  Từ: {_local(alert.since)}",
        f"  Có thể do: {alert.cause.vi}",
        f"  Việc cần làm: {alert.step.vi}",
        f"  Chi tiết: {_more(alert)}",
    ]
    if alert.resolved_at is not None and told.event == "resolved":
        lines[3:] = [f"  Hết lúc: {_local(alert.resolved_at)}", lines[-1]]
    return "\n".join(lines)


def _in_english(told: Told) -> str:
    alert = told.alert
    lines = [
        f"{_EVENTS[told.event].en} ({SEVERITIES[alert.severity].en}): {alert.what.en}",
        f"  Since: {_local(alert.since)}",
        f"  Likely cause: {alert.cause.en}",
        f"  Next step: {alert.step.en}",
        f"  More: {_more(alert)}",
    ]
    if alert.resolved_at is not None and told.event == "resolved":
        lines[3:] = [f"  Over at: {_local(alert.resolved_at)}", lines[-1]]
    return "\n".join(lines)


def _more(alert: AlertRow) -> str:
    """One that is not in the ledger (the ledger is away) has no number."""
    return f"lgsp alert show {alert.id}" if alert.id else "lgsp health"


def _local(at: Instant) -> str:
    return to_datetime(at).astimezone(VIETNAM).strftime("%H:%M:%S %d/%m/%Y")
