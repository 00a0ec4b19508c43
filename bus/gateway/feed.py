"""The line of dossier events, for those who pull it and those who hold a stream open.

A cursor is a position in the line (bus.ledger.dossier_events), good at every gateway and after any
restart.  However many streams a process has, one task reads the ledger for them; what it reads
stays in memory for a while, and only who is further behind reads for itself.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import orjson
import structlog

from bus.ledger.dossier_events import CHUNK
from bus.ledger.event_queries import Place, Said
from bus.ledger.ledger import Ledger
from schemas.dossier.progress import progress
from schemas.errors import InvalidRequest, LedgerUnavailable, Unavailable
from schemas.instant import to_iso

log = structlog.get_logger("gateway")

SCAN = 2000
"""Events looked through at once for a subscriber who may see few of them."""

BATCH = 200
"""Events read and told at once; what a stream holds in memory."""

KEPT = 2000
"""Events kept for the streams of this process."""

POLL = 0.5  # seconds between looks at the ledger while there are streams
CATCHING_UP = 4  # streams that read the ledger for themselves at the same time

Follows = Callable[[str], bool]
"""Whether a subscriber may see the events of that agency."""


class Event(NamedTuple):
    position: int
    sender: str
    kind: str
    content: bytes  # JSON


class Batch(NamedTuple):
    """Events for one subscriber; everything up to `last` has been looked through."""

    events: list[Event]
    last: int
    more: bool  # there may be more right behind


class Feed:
    """One per gateway process."""

    def __init__(self, ledger: Ledger, *, max_streams: int) -> None:
        self._ledger = ledger
        self._max_streams = max_streams
        self._streams = 0
        self._numbering = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._watch: asyncio.Task[None] | None = None
        self._kept: list[Event] = []
        self._complete_from: int | None = None  # every event behind this position is kept
        self._news = asyncio.Event()  # replaced by a new one whenever it is set
        self.closing = False

    async def close(self) -> None:
        """Ends the streams: whoever held one goes on at another process, or here later."""
        self.closing = True
        self._tell()

    async def start(self, cursor: str | None) -> int:
        """The position that a subscriber's cursor stands for; `now` is the newest.

        Raises InvalidRequest, LedgerUnavailable.
        """
        if cursor is None:
            return 0
        await self._number()
        newest = await self._ledger.events.newest()
        if cursor == "now":
            return newest
        if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
            raise InvalidRequest("unknown cursor", vi="Con trỏ không hợp lệ", field="after")
        if int(cursor) > newest:
            raise InvalidRequest(
                f"the cursor is ahead of the newest event, {newest}: the ledger was restored from "
                "a copy. Compare what you have, then go on from there",
                vi=f"Con trỏ vượt quá sự kiện mới nhất, {newest}: sổ đã được khôi phục từ bản sao. "
                "Đối chiếu dữ liệu đang có rồi tiếp tục từ đó",
                field="after",
            )
        return int(cursor)

    async def pull(self, after: int, limit: int, follows: Follows) -> Batch:
        """Raises LedgerUnavailable."""
        await self._number()
        return await self._read(after, limit, follows)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A place among the streams. Raises Unavailable when there is none."""
        if self._streams >= self._max_streams or self.closing:
            raise Unavailable(
                "too many streams at once", vi="Quá nhiều luồng sự kiện cùng lúc", retry_after=5
            )
        self._streams += 1
        if self._watch is None:
            self._watch = asyncio.create_task(self._look(), name="dossier-feed")
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams and self._watch is not None:
                self._watch.cancel()
                self._watch, self._kept, self._complete_from = None, [], None

    async def batches(
        self, after: int, follows: Callable[[], Follows | None], *, silence: float
    ) -> AsyncIterator[Batch]:
        """What comes behind `after`, as it comes; an empty batch after `silence` seconds.

        Ends when the process closes, or when `follows` gives nothing any more.
        """
        loop = asyncio.get_running_loop()
        told = loop.time()
        while not self.closing and (judge := follows()) is not None:
            news = self._news
            batch = await self._next(after, judge)
            after = batch.last
            if batch.events or loop.time() - told >= silence:
                yield batch
                told = loop.time()
            elif not batch.more:
                try:
                    async with asyncio.timeout(max(told + silence - loop.time(), 0.0)):
                        await news.wait()
                except TimeoutError:
                    pass

    async def _next(self, after: int, follows: Follows) -> Batch:
        """From what is kept; from the ledger for who is further behind."""
        if self._complete_from is None:  # nothing was read yet
            return Batch([], after, more=False)
        if after < self._complete_from:
            async with self._catching_up:
                try:
                    return await self._read(after, BATCH, follows)
                except LedgerUnavailable:
                    await asyncio.sleep(POLL)
                    return Batch([], after, more=True)
        first = bisect_right(self._kept, after, key=lambda event: event.position)
        looked = self._kept[first : first + BATCH]
        last = looked[-1].position if looked else after
        return Batch([each for each in looked if follows(each.sender)], last, bool(looked))

    async def _look(self) -> None:
        """Reads the ledger for all streams, until it is cancelled."""
        after: int | None = None
        while True:
            try:
                await self._number()
                if after is None:
                    after = self._complete_from = await self._ledger.events.newest()
                    self._tell()
                while places := await self._ledger.events.after(after, BATCH):
                    self._keep(await self._events(places))
                    after = places[-1].position
                    self._tell()
            except LedgerUnavailable:
                log.debug("feed.ledger_away")
            except Exception:
                log.exception("feed.failed")
            await asyncio.sleep(POLL)

    def _keep(self, events: list[Event]) -> None:
        self._kept += events
        if len(self._kept) > 2 * KEPT:
            self._complete_from = self._kept[-KEPT - 1].position
            del self._kept[:-KEPT]

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _number(self) -> None:
        """Gives positions to what has none; one at a time, for all that ask."""
        async with self._numbering:
            if await self._ledger.events.unnumbered():
                while await self._ledger.number_events() == CHUNK:
                    pass

    async def _read(self, after: int, limit: int, follows: Follows) -> Batch:
        places = await self._ledger.events.after(after, SCAN)
        fitting = [place for place in places if follows(place.sender)]
        wanted = fitting[:limit]
        if len(fitting) > limit:
            return Batch(await self._events(wanted), wanted[-1].position, more=True)
        last = places[-1].position if places else after
        return Batch(await self._events(wanted), last, more=len(places) == SCAN)

    async def _events(self, places: list[Place]) -> list[Event]:
        said = await self._ledger.events.said([place.message_id for place in places])
        return [
            Event(each.position, each.sender, each.kind, _told(each, said[each.message_id]))
            for each in places
        ]


def _told(place: Place, said: Said) -> bytes:
    """An event on the wire: nothing personal is in it."""
    return orjson.dumps(
        {
            "cursor": str(place.position),
            "id": place.message_id,
            "kind": place.kind,
            "code": place.code,
            "agency": place.sender,
            "acceptedAt": to_iso(said.accepted_at),
            "data": progress(place.kind, orjson.loads(said.record)),
        }
    )
