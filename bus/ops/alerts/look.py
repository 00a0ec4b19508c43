"""What one round of the rules looks at, read once, so that the rules are plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bus.engine.live import Snapshot
from bus.ledger.alerts import OpenDossiers, Tally
from bus.ledger.queries import ProcessRow
from bus.ledger.records import Backlog, EndpointState, Poll
from bus.ops.alerts.policy import Thresholds
from schemas.errors import Text
from schemas.instant import SECOND, Instant, to_datetime
from schemas.maintenance import away


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends on a day."""

    name: str
    culprit: str
    at: Instant
    what: Text
    step: Text


@dataclass(frozen=True, slots=True)
class Waiting:
    """A channel of alerts that has not been told everything."""

    count: int
    since: Instant
    error: str | None


@dataclass(frozen=True, slots=True)
class Look:
    now: Instant
    limits: Thresholds
    snapshot: Snapshot
    states: Mapping[str, EndpointState]
    polls: Mapping[str, Poll]
    backlog: Sequence[Backlog]
    tallies: Sequence[Tally]
    dossiers: Sequence[OpenDossiers]
    memory: Mapping[str, Any]
    pull_kinds: frozenset[str] = frozenset()
    roles: Mapping[str, int] = field(default_factory=dict)  # live processes of each role
    processes: Sequence[ProcessRow] = ()  # registered, whether or not they beat
    beating: frozenset[str] = frozenset()  # ids
    lost: frozenset[str] = frozenset()  # ids of those that nobody has buried yet
    here: str = ""  # the process that looks, as own.place has it
    broker_up: bool = True
    expiries: Sequence[Expiry] = ()
    journal_problems: Sequence[str] = ()
    channels: Mapping[str, Waiting] = field(default_factory=dict)

    def recent(self, seconds: float) -> list[Tally]:
        """Counted in the last `seconds`."""
        since = self.now - int(seconds * SECOND)
        return [each for each in self.tallies if each.at >= since]

    def name(self, agency: str) -> str:
        """Its code, with the name where the directory has one."""
        known = self.snapshot.directory.get(agency)
        return f"{known.name} ({agency})" if known is not None and known.name else agency

    def rests(self, endpoint: str) -> bool:
        """Somebody has paused it, or announced that it is away now: its silence is no trouble."""
        state, declared = self.states.get(endpoint), self.snapshot.endpoints.get(endpoint)
        if state is not None and state.paused:
            return True
        now = to_datetime(self.now)
        return declared is not None and away(declared.maintenance, now) is not None

    def ago(self, seconds: float) -> Instant:
        return self.now - int(seconds * SECOND)


def span(seconds: float) -> Text:
    """A length of time as people say it."""
    for size, vi, en in ((86_400, "ngày", "d"), (3_600, "giờ", "h"), (60, "phút", "min")):
        if seconds >= 2 * size:
            return Text(f"{seconds / size:.0f} {vi}", f"{seconds / size:.0f} {en}")
    return Text(f"{seconds:.0f} giây", f"{seconds:.0f} s")
