"""What a round of findings means for the alerts that are there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bus.ledger.alerts import AlertRow, Finding, Settled, Silence
from bus.ops.alerts.policy import AlertPolicy
from schemas.instant import SECOND, Instant

_EXPLAINED_BY_BREAKER = frozenset({"backlog-age", "error-rate"})
_EXPLAINED_BY_BUS = frozenset({"backlog-age"})
_BUS = frozenset({"role-missing", "broker-away"})


def separate(findings: Iterable[Finding]) -> tuple[list[Finding], frozenset[str]]:
    """Causes, and keys of what they explain: nobody is called twice for one trouble.

    A breaker explains the backlog and the errors of its endpoint; a bus that does not run explains
    every backlog.
    """
    found = list(findings)
    open_ = {each.culprit for each in found if each.rule == "breaker-open"}
    bus = any(each.rule in _BUS for each in found)
    explained = {
        each.key
        for each in found
        if (each.rule in _EXPLAINED_BY_BREAKER and each.culprit in open_)
        or (each.rule in _EXPLAINED_BY_BUS and bus)
    }
    return [each for each in found if each.key not in explained], frozenset(explained)


def settle(
    rows: Sequence[AlertRow],
    findings: Iterable[Finding],
    silences: Sequence[Silence],
    policy: AlertPolicy,
    now: Instant,
) -> Settled:
    causes, explained = separate(findings)
    open_ = {row.key: row for row in rows}
    raised, told, reminded = set(), set(), set()
    for finding in causes:
        row = open_.get(finding.key)
        is_raised = row is not None and row.raised_at is not None
        if not is_raised and _lasted(finding, row, now):
            raised.add(finding.key)
            is_raised = True
        if not is_raised or is_silenced(finding.key, silences, now):
            continue
        if row is None or row.told_at is None:
            told.add(finding.key)
        elif now - row.told_at >= policy.remind_every * SECOND:
            reminded.add(finding.key)
    present = {finding.key for finding in causes}
    gone = [
        row
        for row in rows
        if row.key not in present | explained
        and (row.raised_at is None or now - row.seen_at >= policy.resolve_after * SECOND)
    ]
    return Settled(
        found=causes,
        raised=frozenset(raised),
        told=frozenset(told),
        reminded=frozenset(reminded),
        kept=explained & open_.keys(),
        resolved=frozenset(row.key for row in gone if row.raised_at is not None),
        dropped=frozenset(row.key for row in gone if row.raised_at is None),
    )


def _lasted(finding: Finding, row: AlertRow | None, now: Instant) -> bool:
    """By when the trouble says it began, or by when it was first found, whichever is earlier."""
    since = finding.since if row is None else min(finding.since, row.since)
    return now - since >= finding.lasts * SECOND


def is_silenced(key: str, silences: Iterable[Silence], now: Instant) -> bool:
    return any(each.until > now and fnmatchcase(key, each.pattern) for each in silences)
