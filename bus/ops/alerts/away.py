"""The one alert that the ledger cannot keep while it is there: that the ledger itself is away.

Every process looks; of those on one machine, whichever holds a file's lock tells, straight to the
channels. The file has what was told, so that neither a restart during the outage nor the death of
the process that told repeats or forgets it. Each machine tells for itself: which of them still
reach the ledger is half of the answer.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog

from bus.ledger.alerts import AlertRow, Finding, NoticeEvent
from bus.ops.alerts.channels import Channel, NotTold
from bus.ops.alerts.wording import Letter, Told
from schemas.errors import Text
from schemas.instant import SECOND, Clock, Instant

log = structlog.get_logger(__name__)

RULE = "ledger-away"
CULPRIT = "bus:ledger"
FILE = "ledger-away.json"


@dataclass(frozen=True, slots=True)
class Outage:
    """Of the ledger, as one machine saw it; it is over."""

    finding: Finding
    raised_at: Instant
    ended_at: Instant


class LedgerAway:
    """`seen` and `over` say what each look found."""

    def __init__(
        self, channels: Sequence[Channel], clock: Clock, seconds: float, *, folder: Path, host: str
    ) -> None:
        """`seconds` it must be away before anybody is told; `folder`: of this machine alone."""
        self._channels = channels
        self._clock = clock
        self._patience = int(seconds * SECOND)
        self._host = host
        self._desk = _Desk(folder / FILE)
        self._since: Instant | None = None

    async def seen(self) -> None:
        """It did not answer."""
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since < self._patience or not self._desk.take():
            return
        note = self._desk.note
        if note is None:
            note = self._desk.write(_Note(self._since, now, ()))
        for channel in self._channels:
            if channel.name not in note.told and await self._tell(channel, "raised", note):
                note = self._desk.write(_Note(note.since, note.raised, (*note.told, channel.name)))

    async def over(self) -> Outage | None:
        """It answers. What was an outage is returned once, when all who know of it know its end."""
        self._since = None
        if not self._desk.has_something() or not self._desk.take():
            return None
        note = self._desk.note
        if note is None:
            self._desk.leave()
            return None
        now = self._clock()
        for channel in self._channels:
            if channel.name in note.told and await self._tell(channel, "resolved", note):
                told = tuple(name for name in note.told if name != channel.name)
                note = self._desk.write(_Note(note.since, note.raised, told))
        if {each.name for each in self._channels}.intersection(note.told):
            return None
        self._desk.clear()
        return Outage(_finding(self._host, note.since), note.raised, now)

    def close(self) -> None:
        """Another process of this machine may tell from now on."""
        self._desk.leave()

    async def _tell(self, channel: Channel, event: NoticeEvent, note: _Note) -> bool:
        now = self._clock()
        finding = _finding(self._host, note.since)
        alert = _alert(finding, note.raised, now, over=event == "resolved")
        letter = Letter(f"{RULE}-{self._host}-{note.since}-{event}", CULPRIT, [Told(event, alert)])
        try:
            await channel.tell(letter)
        except NotTold as error:
            log.warning("alerts.not_told", channel=channel.name, error=str(error))
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Note:
    since: Instant
    raised: Instant
    told: tuple[str, ...]  # names of channels that know of it, and not of its end


class _Desk:
    """The note, for whoever of the machine's processes sits at it. A killed process is up at once:
    the kernel takes its lock away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self.note: _Note | None = None

    def has_something(self) -> bool:
        """Somebody of this machine has written, or we could not."""
        try:
            return self.note is not None or self._path.stat().st_size > 0
        except OSError:
            return False

    def take(self) -> bool:
        """False: another process sits there. Where no file can be made, each tells for itself:
        twice is better than never.
        """
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            log.warning("alerts.no_note", error=type(error).__name__)
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        self.note = _read(file) or self.note
        return True

    def write(self, note: _Note) -> _Note:
        """Kept in memory, too: a full disk may be why the ledger is away."""
        self.note = note
        body = {"since": note.since, "raised": note.raised, "told": note.told}
        self._put(orjson.dumps(body))
        return note

    def clear(self) -> None:
        """Nothing is left to be told."""
        self.note = None
        self._put(b"")
        self.leave()

    def leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _put(self, body: bytes) -> None:
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, body, 0)
        except OSError as error:
            log.warning("alerts.no_note", error=type(error).__name__)


def _read(file: int) -> _Note | None:
    """What was cut off by a full disk is as if it were not there."""
    try:
        body = orjson.loads(os.pread(file, 10_000, 0))
        return _Note(int(body["since"]), int(body["raised"]), tuple(map(str, body["told"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _finding(host: str, since: Instant) -> Finding:
    return Finding(
        RULE,
        host,
        CULPRIT,
        "critical",
        Text(
            f"Sổ cái không phản hồi (nhìn từ {host}); trục từ chối nhận (503), không mất gì đã"
            " nhận",
            f"The ledger does not answer (seen from {host}); the bus refuses (503), nothing"
            " accepted is lost",
        ),
        Text(
            "PostgreSQL đã dừng, đầy, hoặc mạng đứt",
            "PostgreSQL has stopped or is full, or the network is cut",
        ),
        Text("Khởi động PostgreSQL; rồi lgsp health", "Start PostgreSQL; then lgsp health"),
        since,
    )


def _alert(finding: Finding, raised_at: Instant, now: Instant, *, over: bool) -> AlertRow:
    return AlertRow(
        id=0,
        key=finding.key,
        rule=finding.rule,
        culprit=finding.culprit,
        severity=finding.severity,
        what=finding.what,
        cause=finding.cause,
        step=finding.step,
        since=finding.since,
        seen_at=now,
        raised_at=raised_at,
        told_at=now,
        resolved_at=now if over else None,
    )
