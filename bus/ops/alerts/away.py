"""The one alert that the ledger cannot keep: that the ledger itself is away."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bus.ledger.alerts import AlertRow, NoticeEvent
from bus.ops.alerts.channels import Channel, NotTold
from bus.ops.alerts.wording import Letter, Told
from schemas.errors import Text
from schemas.instant import SECOND, Clock, Instant

log = structlog.get_logger(__name__)

KEY = "ledger-away:ledger"
CULPRIT = "bus:ledger"


class LedgerAway:
    """Told straight to the channels by the process that looked last. A restart forgets it."""

    def __init__(self, channels: Sequence[Channel], clock: Clock, seconds: float) -> None:
        """`seconds` it must be away before anybody is told."""
        self._channels = channels
        self._clock = clock
        self._patience = int(seconds * SECOND)
        self._since: Instant | None = None
        self._told: set[str] = set()  # names of channels

    async def seen(self) -> None:
        """It did not answer in this round."""
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since < self._patience:
            return
        for channel in self._channels:
            if channel.name not in self._told and await self._tell(channel, "raised", now):
                self._told.add(channel.name)

    async def over(self) -> None:
        """It answers."""
        for channel in self._channels:
            if channel.name in self._told and await self._tell(channel, "resolved", self._clock()):
                self._told.discard(channel.name)
        if not self._told:
            self._since = None

    async def _tell(self, channel: Channel, event: NoticeEvent, now: Instant) -> bool:
        assert self._since is not None, "seen() comes first"  # noqa: S101
        alert = _alert(self._since, now, over=event == "resolved")
        letter = Letter(f"ledger-away-{self._since}-{event}", CULPRIT, [Told(event, alert)])
        try:
            await channel.tell(letter)
        except NotTold as error:
            log.warning("alerts.not_told", channel=channel.name, error=str(error))
            return False
        return True


def _alert(since: Instant, now: Instant, *, over: bool) -> AlertRow:
    return AlertRow(
        id=0,
        key=KEY,
        rule="ledger-away",
        culprit=CULPRIT,
        severity="critical",
        what=Text(
            "Sổ cái không phản hồi; trục từ chối nhận (503), không mất gì đã nhận",
            "The ledger does not answer; the bus refuses (503), nothing accepted is lost",
        ),
        cause=Text(
            "PostgreSQL đã dừng, đầy, hoặc mạng đứt",
            "PostgreSQL has stopped or is full, or the network is cut",
        ),
        step=Text("Khởi động PostgreSQL; rồi lgsp health", "Start PostgreSQL; then lgsp health"),
        since=since,
        seen_at=now,
        raised_at=now,
        told_at=now,
        resolved_at=now if over else None,
    )
