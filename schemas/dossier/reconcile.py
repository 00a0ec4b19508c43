"""Reconciliation (đối soát): one-stop list, ledger and portal held against each other. Pure.

Each side is judged by the one before it: the ledger by the one-stop system, the portal by the
ledger.  What is on its way, or changed while the lists were taken, is no discrepancy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schemas.dossier.life import DossierStatus, leads_to
from schemas.dossier.moments import Form


@dataclass(frozen=True, slots=True)
class Seen:
    """A dossier as one side tells it. None: this side does not tell."""

    status: DossierStatus | None = None
    changed: datetime | None = None  # moment of the last step
    steps: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)  # by field name: procedure, due, …
    pending: bool = False  # deliveries of it are on their way
    timeline: tuple[str, ...] | None = None  # each step in few words, in order


class Side(StrEnum):
    """Who is wrong."""

    LEDGER = "ledger"
    PORTAL = "portal"


class Fault(StrEnum):
    MISSING = "missing"  # thiếu
    STALE = "stale"  # cũ: behind, but nothing in it is wrong
    EXTRA = "extra"  # thừa: nobody before has it
    DIFFERING = "differing"  # khác


class Remedy(StrEnum):
    FETCH = "fetch"  # the one-stop system is asked for it again
    SEND = "send"  # the bus sends it again, the normal way
    REPORT = "report"  # a person decides


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    side: Side
    fault: Fault
    remedy: Remedy
    fields: tuple[str, ...] = ()  # that differ


def row_facts(*, procedure: str, received: datetime | None, due: datetime | None) -> dict[str, str]:
    """Facts that the lists of one-stop systems and the ledger tell of a dossier, in one spelling:
    local codes, times of Vietnam; what is not told is left out.
    """
    told = {
        "procedure": procedure,
        "received": Form.COMPACT.write(received),
        "due": Form.COMPACT.write(due),
    }
    return {name: text for name, text in told.items() if text}


def reconcile(
    source: Mapping[str, Seen] | None,
    ledger: Mapping[str, Seen],
    portal: Mapping[str, Seen] | None,
    *,
    as_of: datetime,
) -> Iterator[Finding]:
    """Findings by dossier code.

    `source`, `portal` None: it was not asked. `as_of`: when the first of the lists was begun;
    dossiers that changed since then are left for the next time.
    """
    for code in sorted({*(source or {}), *ledger, *(portal or {})}):
        there, here = (source or {}).get(code), ledger.get(code)
        beyond = portal.get(code) if portal is not None else None
        if any(_moving(seen, as_of) for seen in (there, here, beyond)):
            continue
        asked = source is not None and (there or here)
        if asked and (found := _judge(code, Side.LEDGER, there, here)):
            yield found
            if found.remedy is Remedy.FETCH:  # the portal follows by itself
                continue
        if portal is not None and (found := _judge(code, Side.PORTAL, here or there, beyond)):
            yield found


def _moving(seen: Seen | None, as_of: datetime) -> bool:
    if seen is None:
        return False
    return seen.pending or (seen.changed is not None and seen.changed >= as_of)


_HISTORY = frozenset({"status", "changed", "steps", "timeline"})


def _judge(code: str, side: Side, before: Seen | None, behind: Seen | None) -> Finding | None:
    heals = Remedy.FETCH if side is Side.LEDGER else Remedy.SEND
    if before is None:
        return Finding(code, side, Fault.EXTRA, Remedy.REPORT)
    if behind is None:
        return Finding(code, side, Fault.MISSING, heals)
    if _behind(before, behind):
        return Finding(code, side, Fault.STALE, heals)
    if fields := _differing(before, behind):
        # of history, sending again would double or contradict what is there
        remedy = Remedy.REPORT if _HISTORY & set(fields) else heals
        return Finding(code, side, Fault.DIFFERING, remedy, fields)
    return None


def _behind(before: Seen, behind: Seen) -> bool:
    """What it tells is true, and something after it is not told."""
    newer = False
    if before.status is not None and behind.status is not None and before.status != behind.status:
        if not leads_to(behind.status, before.status):
            return False
        newer = True
    if before.timeline is not None and behind.timeline is not None:
        begins = before.timeline[: len(behind.timeline)] == behind.timeline
        return begins and (newer or before.timeline != behind.timeline)
    if before.changed is not None and behind.changed is not None:
        fewer = before.steps is None or behind.steps is None or behind.steps < before.steps
        return behind.changed < before.changed and fewer
    return newer


def _differing(before: Seen, behind: Seen) -> tuple[str, ...]:
    """Names of what both sides tell, and tell differently."""
    told = [
        (name, getattr(before, name), getattr(behind, name))
        for name in ("status", "changed", "steps", "timeline")
    ]
    fields = [name for name, a, b in told if a is not None and b is not None and a != b]
    common = sorted(before.facts.keys() & behind.facts.keys())
    return (*fields, *(name for name in common if before.facts[name] != behind.facts[name]))
