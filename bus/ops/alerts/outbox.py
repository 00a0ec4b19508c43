"""Tells the channels what the ledger says they have not been told, until they have it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence

import structlog

from bus.ledger import alerts
from bus.ledger.alerts import Notice
from bus.ledger.ledger import Ledger
from bus.ops.alerts.channels import Channel, NotTold
from bus.ops.alerts.wording import Letter, Told
from schemas.instant import SECOND, Instant

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds after a channel did not take something, doubling; it is never given up."""

Observe = Callable[[str, bool], None]
"""Hears of each attempt: channel, and whether it took it."""


class Outbox:
    """One process at a time. What a killed process told without writing it down is told again,
    under the same id.
    """

    def __init__(
        self,
        ledger: Ledger,
        channels: Collection[Channel],
        *,
        group_seconds: float,
        observe: Observe = lambda _channel, _taken: None,
    ) -> None:
        self._ledger = ledger
        self._channels = channels
        self._group = int(group_seconds * SECOND)
        self._observe = observe

    async def round(self) -> None:
        """Tells what is due. Raises LedgerUnavailable."""
        for channel in self._channels:
            groups: dict[str, list[Notice]] = {}
            for notice in await self._ledger.alerts.due_notices(channel.name):
                groups.setdefault(notice.alert.culprit, []).append(notice)
            for culprit, notices in groups.items():
                if await self._is_due(channel.name, culprit, notices):
                    await self._tell(channel, culprit, notices)

    async def _is_due(self, channel: str, culprit: str, notices: Sequence[Notice]) -> bool:
        """The first news of a culprit goes at once; what follows is gathered for a while."""
        now = self._ledger.clock()
        if notices[0].next_attempt_at > now:
            return False
        last = await self._ledger.alerts.told_at(channel, culprit)
        return last is None or now - last >= self._group

    async def _tell(self, channel: Channel, culprit: str, notices: Sequence[Notice]) -> None:
        numbers = [each.id for each in notices]
        told = [Told(each.event, each.alert) for each in notices]
        letter = Letter(_id_of(notices), culprit, told)
        try:
            await channel.tell(letter)
        except NotTold as error:
            self._observe(channel.name, False)
            again_at = self._ledger.clock() + _pause(notices)
            said = str(error)[:300]
            log.warning("alerts.not_told", channel=channel.name, error=said)
            await self._ledger.act(
                lambda tx, chain, now: alerts.unsent(
                    tx, chain, now, numbers, again_at=again_at, error=said
                )
            )
        else:
            self._observe(channel.name, True)
            await self._ledger.act(lambda tx, chain, now: alerts.sent(tx, chain, now, numbers))


def _id_of(notices: Sequence[Notice]) -> str:
    """Made of the notices, so that the same letter has the same id after a restart."""
    made = " ".join(f"{each.id}@{each.at}" for each in notices)
    return f"alert-{notices[0].id}-{hashlib.sha256(made.encode()).hexdigest()[:16]}"


def _pause(notices: Sequence[Notice]) -> Instant:
    tries = max(each.attempts for each in notices)
    return int(min(FIRST_PAUSE * 2.0 ** min(tries, 10), LONGEST_PAUSE) * SECOND)
