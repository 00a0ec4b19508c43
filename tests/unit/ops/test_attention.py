"""What needs a person now: what the alerts add to what is looked at this moment."""

from __future__ import annotations

from bus.ledger.alerts import AlertRow
from bus.ops.attention import of_alerts
from schemas.errors import Text


def alert(rule: str, *, severity: str = "critical", raised: bool = True) -> AlertRow:
    return AlertRow(
        id=1,
        key=f"{rule}:x",
        rule=rule,
        culprit="endpoint:x",
        severity="critical" if severity == "critical" else "warning",
        what=Text(f"{rule} vi", rule),
        cause=Text("do đối tác", "the partner"),
        step=Text("xem: lgsp health", "see: lgsp health"),
        since=1,
        seen_at=2,
        raised_at=2 if raised else None,
        told_at=None,
        resolved_at=None,
    )


def test_an_alert_says_what_and_the_next_step() -> None:
    (found,) = of_alerts([alert("disk")])
    assert (found.level, found.text.en) == ("problem", "disk; see: lgsp health")
    (found,) = of_alerts([alert("expiry", severity="warning")])
    assert found.level == "notice"


def test_what_is_not_raised_yet_or_told_by_other_findings_is_left_out() -> None:
    some = [alert("disk", raised=False), alert("deliveries-dead"), alert("breaker-open")]
    assert list(of_alerts(some)) == []
