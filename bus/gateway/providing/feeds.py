"""Feeds: the bus asks registers what changed, and pushes each change to who subscribed.

Each change is a message of its own, accepted like any other: delivered in order and exactly once in
effect, at the agency's endpoint, whatever kind it is.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Literal

import orjson
import structlog

from bus.engine.accept import Acceptor, Letter
from bus.engine.outlive import outliving
from bus.gateway.access import today
from bus.gateway.calling.policy import Asking
from bus.gateway.providing.changes import Changed, ask_changes, offered
from bus.gateway.providing.jobs import Desk
from bus.ledger.data_feeds import ORDER_KEY, FeedState
from bus.ledger.records import Acceptance
from bus.ops import tracing
from schemas.data_change import KIND, DataChange
from schemas.errors import LedgerUnavailable, LgspError
from schemas.instant import SECOND, Instant
from schemas.message import ItemBody, Lane
from schemas.service import Feed

log = structlog.get_logger("gateway")

LOOK_SECONDS = 1.0
AT_ONCE = 4
"""Feeds that are asked together by one process."""

GRACE = 5.0
"""Seconds beyond the service's own, after which another process asks in place of one that died."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3_600.0
"""Seconds after a failure, doubling; never longer than the feed's own pause, if that is longer."""

BUCKETS = 256
"""Order keys of one feed: changes of one item share one, and the locks of a commit are few."""


class FeedRunner:
    """One per gateway process; the ledger says whose turn it is. `start`, then `close`."""

    def __init__(self, desk: Desk, acceptor: Acceptor) -> None:
        self._desk = desk
        self._acceptor = acceptor
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._due: dict[str, tuple[Feed, Instant]] = {}  # when it is worth asking the ledger
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = outliving(self._look, name="data-feeds")

    async def close(self) -> None:
        """What is under way is asked again after the next start: no cursor has moved."""
        tasks = [*self._running.values(), *filter(None, (self._task,))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            now = self._desk.ledger.clock()
            for feed in self._desk.live.snapshot.feeds.values():
                known, due = self._due.get(feed.name, (None, 0))
                late = known != feed or due <= now
                if late and not feed.suspended and feed.name not in self._running:
                    self._begin(feed)
            await asyncio.sleep(LOOK_SECONDS)

    def _begin(self, feed: Feed) -> None:
        task = asyncio.create_task(self._turn(feed), name=f"data-feed {feed.name}")
        self._running[feed.name] = task
        task.add_done_callback(lambda _: self._running.pop(feed.name, None))

    async def _turn(self, feed: Feed) -> None:
        """Raises nothing: others must have theirs."""
        try:
            async with self._places:
                while await self._round(feed):
                    pass
        except LedgerUnavailable as error:
            log.debug("feeds.ledger_away", error=str(error))
        except Exception:
            log.exception("feed_failed", feed=feed.name)
            self._due[feed.name] = (feed, self._desk.ledger.clock() + _micro(LONGEST_PAUSE))

    async def _round(self, feed: Feed) -> bool:
        """One question, if the feed is due; True: there may be more at once."""
        ledger = self._desk.ledger
        lease = GRACE + self._timeout(feed)
        state = await ledger.take_feed(feed.name, lease=_micro(lease))
        now = ledger.clock()
        if state.due_at > now:
            self._due[feed.name] = (feed, min(state.due_at, now + _micro(lease)))
            return False
        try:
            async with asyncio.timeout(lease):
                found = await self._ask(feed, state.cursor)
                acceptances = await self._letters(feed, state.cursor, found)
        except LedgerUnavailable:
            raise
        except (LgspError, TimeoutError) as error:
            await self._failed(feed, state, error)
            return False
        more = bool(acceptances) and found.cursor != state.cursor
        due = now if more else now + _micro(feed.every)
        done = await ledger.advance_feed(
            state, cursor=found.cursor, due_at=due, acceptances=acceptances
        )
        self._due[feed.name] = (feed, due)
        if done and acceptances:
            log.info("feed_handed_on", feed=feed.name, changes=len(acceptances))
        return done and more

    async def _failed(self, feed: Feed, state: FeedState, error: Exception) -> None:
        code = error.code if isinstance(error, LgspError) else "partner-timeout"
        pause = min(FIRST_PAUSE * 2.0 ** min(state.failures, 12), max(LONGEST_PAUSE, feed.every))
        due = self._desk.ledger.clock() + _micro(pause)
        log.warning("feed_failing", feed=feed.name, times=state.failures + 1, code=code)
        text = f"{code}: {error}"[:500]
        await self._desk.ledger.fail_feed(state, due_at=due, error=text)
        self._due[feed.name] = (feed, due)

    def _timeout(self, feed: Feed) -> float:
        try:
            return self._desk.catalogue.declared(feed.service).timeout
        except LgspError:  # told when it is asked
            return 0.0

    async def _ask(self, feed: Feed, cursor: str) -> Changed:
        desk = self._desk
        served = await desk.catalogue.find(feed.service)
        snapshot = desk.live.snapshot
        agency = snapshot.directory.resolve(feed.agency, today()).agency
        own = agency.code if agency else feed.agency
        asking = Asking(f"feed:{feed.name}", (own,), own, feed.officer, feed.purpose)
        trace = tracing.start()
        asker = desk.rights.asker(asking, snapshot, served.service, feed.operation, trace=trace)
        return await ask_changes(desk.calls, served, feed.operation, feed.request, cursor, asker)

    async def _letters(self, feed: Feed, cursor: str, found: Changed) -> list[Acceptance]:
        """A message for each change, ready to be committed.

        Its id is made of the cursor it was asked with and of what it says: a register that tells
        the same again under the same cursor tells nothing new.
        """
        service = self._desk.catalogue.declared(feed.service)
        served = await self._desk.catalogue.find(service.id)
        key = offered(served.service, feed.operation).key
        trace = tracing.start()
        told = [
            DataChange(
                feed=feed.name,
                service=service.id,
                operation=feed.operation,
                change=change,
                item=item,
            )
            for change, items in _both(found)
            for item in items
        ]
        return [
            await self._acceptance(feed, cursor, each, _key(each.item, key), trace) for each in told
        ]

    async def _acceptance(
        self, feed: Feed, cursor: str, told: DataChange, key: str, trace: str
    ) -> Acceptance:
        text = told.model_dump_json(by_alias=True)
        identity = hashlib.sha256(f"{cursor}\n{text}".encode()).hexdigest()
        bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % BUCKETS
        letter = Letter(
            ItemBody(kind=KIND, code=feed.name, identity=identity),
            feed.agency,
            (feed.agency,),
            f"{ORDER_KEY}{feed.name}:{bucket}" if key else f"{ORDER_KEY}{feed.name}",
            Lane.NORMAL,
            "application/json",
            record=text,
        )
        return await self._acceptor.prepare(
            letter,
            original=text.encode(),
            client=f"feed:{feed.name}",
            sender_ref=f"feed:{feed.name}:{identity}",
            trace=trace,
        )


def _both(found: Changed) -> tuple[tuple[Literal["changed", "removed"], tuple[Any, ...]], ...]:
    return ("changed", found.changed), ("removed", found.removed)


def _key(item: Any, path: str | None) -> str:
    """What the item is known by; one that was removed may be told by that alone."""
    if path is None:
        return ""
    for step in path.split("/"):
        if not isinstance(item, dict):
            break
        item = item.get(step)
    return item if isinstance(item, str) else orjson.dumps(item).decode()


def _micro(seconds: float) -> Instant:
    return int(seconds * SECOND)
