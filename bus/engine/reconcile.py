"""Reconcile (đối soát): what every reconciliation of an endpoint has in common.

What may be healed is healed the normal way: a one-stop system is asked to tell a dossier again, or
the messages a portal lacks become deliveries once more, which look before they send.  Whatever is
on its way is left for the next time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bus.engine.live import Snapshot
from bus.ledger.ledger import Ledger
from bus.ledger.reconcile_queries import CHUNK
from schemas.adapter import DossierLookup, DossierSource, Manifest, Reconciling
from schemas.dossier.reconcile import Finding
from schemas.errors import ConfigurationError
from schemas.instant import SECOND, Instant
from schemas.province import Endpoint

log = structlog.get_logger(__name__)

GIVE_UP = 20
"""Calls in a row that got no answer: the partner is away, and the rest is not asked."""

DAY: Instant = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at."""

    since: Instant
    senders: frozenset[str] | None = None  # own codes of agencies; None: all
    codes: tuple[str, ...] = ()  # dossiers to look up beside, wherever they are known


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A finding, and what was done about it."""

    endpoint: str
    agency: str  # that handles the dossier, where it is known
    finding: Finding
    done: str = ""  # "sent", "asked"; empty: nothing
    why: str = ""  # when something that could be healed was not


@dataclass(slots=True)
class Report:
    """One endpoint reconciled."""

    endpoint: str
    began_at: Instant
    dry_run: bool
    finished_at: Instant = 0
    compared: int = 0  # dossiers
    on_their_way: int = 0  # left for the next time
    unanswered: int = 0  # the partner gave no answer about them
    trouble: str = ""  # why not, of the first of them
    discrepancies: list[Discrepancy] = field(default_factory=list)

    @property
    def healed(self) -> int:
        return sum(bool(each.done) for each in self.discrepancies)

    @property
    def left(self) -> int:
        """Discrepancies about which nothing was done."""
        return len(self.discrepancies) - self.healed

    def totals(self) -> dict[str, int]:
        """Without the list, for the journal."""
        found: dict[str, int] = {}
        for each in self.discrepancies:
            name = f"{each.finding.side}-{each.finding.fault}"
            found[name] = found.get(name, 0) + 1
        return found | {
            "compared": self.compared,
            "onTheirWay": self.on_their_way,
            "unanswered": self.unanswered,
            "healed": self.healed,
        }


class Caller:
    """Calls to one partner: so many a second, again when not answered, and no more when it is
    away.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = 0.0
        self._failures = 0  # in a row

    @property
    def away(self) -> bool:
        return self._failures >= GIVE_UP

    async def turn(self) -> None:
        """Waits until one more call may go."""
        now = time.monotonic()
        self._next = max(self._next, now) + self._interval
        await asyncio.sleep(self._next - self._interval - now)

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1


@dataclass(frozen=True, slots=True)
class Desk:
    """What every reconciliation works with."""

    ledger: Ledger
    snapshot: Snapshot
    manifests: Mapping[str, Manifest]
    actor: str
    dry_run: bool = False
    advance: Callable[[int], None] = lambda _done: None  # dossiers done


def policy_of(endpoint: Endpoint, adapter: DossierLookup | DossierSource) -> Reconciling:
    policy = adapter.reconciling
    if policy is None:
        raise ConfigurationError(
            f"endpoint {endpoint.name} is configured without an address to look up or list"
            " dossiers: the administrator adds it",
            vi=f"Điểm kết nối {endpoint.name} chưa khai báo địa chỉ tra cứu hoặc liệt kê hồ sơ:"
            " quản trị bổ sung",
        )
    return policy


async def finished(desk: Desk, report: Report) -> Report:
    report.finished_at = desk.ledger.clock()
    data = {"endpoint": report.endpoint, "dryRun": report.dry_run, **report.totals()}
    await desk.ledger.note("reconciled", actor=desk.actor, data=data)
    log.info("reconcile.finished", **data)
    return report


def pieces(codes: Sequence[str]) -> Iterable[Sequence[str]]:
    return (codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK))
