"""The frame of the profile exchange, which one-stop software and portals speak: list, detail, ack.

Each partner's adapter reads what stands in a detail; here is what is the same for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from schemas.errors import PartnerError, PartnerGarbage

log = structlog.get_logger(__name__)

LIST, DETAIL = "profileReceivers", "profileOutmodel"

PATIENCE = 3
"""Rounds that an item which the partner cannot give may end; from then on others pass it by."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list."""

    id: str
    created: str  # `yyyy/MM/dd HH:mm:ss`, which sorts as text

    @property
    def order(self) -> tuple[str, int, str]:
        """Oldest first; within a second by number."""
        return self.created, len(self.id), self.id


def read_list(body: bytes) -> list[Listed]:
    """What waits, oldest first, whatever order it is told in. Raises PartnerGarbage."""
    rows = read_reply(body, LIST)
    if not isinstance(rows, list):
        raise garbage("the list of what waits is no list")
    found = []
    for row in rows:
        told = text_of(row.get("profileId")) if isinstance(row, dict) else ""
        if not told:
            raise garbage("a row of the list has no profileId")
        found.append(Listed(told, text_of(row.get("createTime"))))
    return sorted(found, key=lambda each: each.order)


def read_reply(body: bytes, key: str) -> Any:
    """Raises PartnerGarbage."""
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise garbage("the answer is not JSON") from None
    if not isinstance(reply, Mapping) or key not in reply:
        raise garbage(f"the answer has no {key}")
    return reply[key]


def garbage(en: str) -> PartnerGarbage:
    return PartnerGarbage(en, vi="Hệ thống kết nối trả lời không đúng giao thức")


def text_of(value: Any) -> str:
    return "" if value is None else str(value).strip()


class Rounds:
    """Fetching of what one partner lists.

    The partner's own list is the cursor: what was not acknowledged is listed again, so that a crash
    or a lost acknowledgement makes a repeat, never a gap.
    """

    def __init__(self, waiting: Callable[[], Awaitable[list[Listed]]]) -> None:
        """`waiting` raises PartnerError."""
        self._waiting = waiting
        self._failed: dict[str, int] = {}  # rounds that an item ended, by its id

    async def round(self, take: Callable[[Listed], Awaitable[None]]) -> int:
        """One round, oldest first, until nothing new waits; how many were taken.

        `take` returns once the item is durable and acknowledged, and raises PartnerError.
        An item that does not come ends the round, for the next one may be of the same dossier.
        Raises what ends a round that took nothing.
        """
        taken, seen = 0, set[str]()
        while rows := [row for row in await self._waiting() if row.id not in seen]:
            for row in rows:
                seen.add(row.id)
                try:
                    await take(row)
                except PartnerError as error:
                    if self._passed_by(row, error):
                        continue
                    if not taken:
                        raise
                    return taken
                self._failed.pop(row.id, None)
                taken += 1
        return taken

    def _passed_by(self, row: Listed, error: PartnerError) -> bool:
        """Whether the round may go on: an item that the partner answered wrongly too often."""
        log.warning("profiles.item_not_fetched", profile_id=row.id, code=error.code)
        if not isinstance(error, PartnerGarbage):
            return False
        self._failed[row.id] = self._failed.get(row.id, 0) + 1
        return self._failed[row.id] > PATIENCE
