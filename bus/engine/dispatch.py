"""Dispatch: hands to the broker what is due and at the head of its order key.

Nothing is written down about it: a delivery stays ready in the ledger until a worker claims it, so
whatever the broker loses is published again, and what it repeats is claimed only once.
Dispatchers share the endpoints among themselves; while they change hands two may publish the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import structlog

from bus.broker.port import Broker, Work
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.observer import Observer
from bus.engine.outlive import outliving
from bus.engine.spans import spanning
from bus.ledger.ledger import Ledger
from bus.ledger.records import Head
from schemas.errors import LedgerUnavailable
from schemas.instant import Instant
from schemas.message import Lane

log = structlog.get_logger(__name__)

WINDOW = 1_000
"""Deliveries of one endpoint and lane that may lie in the broker unclaimed; the rest waits in the
ledger, where urgent ones can overtake it."""

BATCH = 64  # delivery ids in one broker message, at most
SWEEP_SECONDS = 0.5  # how often the ledger is asked for all that is due
BUSY_SWEEP_SECONDS = 0.1  # and for endpoints whose window is full
LOST_AFTER = 5.0  # published so long ago, unclaimed, and the queue is empty: lost
PUBLISH_SECONDS = 5.0
PROBE_SECONDS = 1.0  # a probe that vanished with its worker is followed by another

Queue = tuple[str, Lane]


@dataclass(frozen=True, slots=True)
class _Published:
    at: float  # monotonic seconds
    clock: Instant  # by the ledger's clock


@dataclass(slots=True)
class _Outstanding:
    """Published and, as far as known, not claimed yet."""

    published: dict[int, _Published] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)

    @property
    def room(self) -> int:
        return WINDOW - len(self.published)


class Dispatcher:
    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        live: LiveConfig,
        states: EndpointStates,
        membership: Membership,
        *,
        pull_kinds: Collection[str],
        observer: Observer,
    ) -> None:
        """`pull_kinds` are the adapter kinds whose deliveries are fetched, never published."""
        self._ledger = ledger
        self._broker = broker
        self._live = live
        self._states = states
        self._membership = membership
        self._pull_kinds = frozenset(pull_kinds)
        self._observer = observer
        self._queues: dict[Queue, _Outstanding] = {}
        self._owned: dict[str, bool] = {}
        self._probed: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._membership.on_change(self._owned.clear)
        self._live.on_change(lambda _snapshot: self._owned.clear())
        await self._ledger.hear_heads(self._heard, self._mine)
        self._tasks = [
            outliving(self._publish_loop, name="dispatch-publish"),
            outliving(self._sweep_loop, name="dispatch-sweep"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- which endpoints are ours ---------------------------------------------------------------

    def _mine(self, endpoint: str) -> bool:
        """Rendezvous hashing over the live dispatchers: every one comes to the same answer."""
        mine = self._owned.get(endpoint)
        if mine is None:
            known = self._live.snapshot.endpoints.get(endpoint)
            mine = (
                known is not None
                and known.kind not in self._pull_kinds
                and self._owner(endpoint) == self._ledger.process
            )
            self._owned[endpoint] = mine
        return mine

    def _owner(self, endpoint: str) -> str:
        def weight(process: str) -> bytes:
            return hashlib.blake2b(f"{process}\0{endpoint}".encode(), digest_size=8).digest()

        return max(self._membership.having("dispatcher"), key=weight)

    # --- what becomes ready ---------------------------------------------------------------------

    def _heard(self, heads: list[Head]) -> None:
        """Just committed, here or elsewhere."""
        for head in heads:
            if self._mine(head.endpoint):
                self._offer(head)
        self._wake.set()

    def _offer(self, head: Head) -> None:
        outstanding = self._queues.setdefault((head.endpoint, head.lane), _Outstanding())
        if head.id not in outstanding.published and len(outstanding.waiting) < WINDOW:
            outstanding.waiting.append(head.id)

    async def _publish_loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            works = list(self._due_works())
            if works:
                await self._publish(works)

    def _due_works(self) -> Iterable[Work]:
        now = _Published(time.monotonic(), self._ledger.clock())
        for (endpoint, lane), outstanding in self._queues.items():
            if not outstanding.waiting or self._states.blocked(endpoint):
                continue
            ids: list[int] = []
            while outstanding.waiting and outstanding.room > 0:
                number = outstanding.waiting.popleft()
                if number not in outstanding.published:
                    outstanding.published[number] = now
                    ids.append(number)
            size = self._batch_size(endpoint, len(ids))
            for start in range(0, len(ids), size):
                yield Work(endpoint, lane, tuple(ids[start : start + size]))

    def _batch_size(self, endpoint: str, count: int) -> int:
        """As many as a worker sends at once, so that several workers share a backlog."""
        known = self._live.snapshot.endpoints.get(endpoint)
        at_once = known.concurrency if known is not None else 1
        return max(1, min(BATCH, at_once, count))

    async def _publish(self, works: list[Work]) -> None:
        if self._observer.spans is None:
            await self._hand_over(works)
            return
        with ExitStack() as stack:
            await self._hand_over([await self._traced(work, stack) for work in works])

    async def _traced(self, work: Work, stack: ExitStack) -> Work:
        """A span in each message's trace; a broker message with one delivery carries its own."""
        try:
            traces = await self._ledger.queries.traces(work.ids)
        except LedgerUnavailable:
            return work
        for number, trace in traces.items():
            span = stack.enter_context(
                spanning(self._observer.spans, "dispatch", "producer", trace)
            )
            span.facts |= {"lgsp.delivery": number, "lgsp.endpoint": work.endpoint}
            if len(work.ids) == 1:
                return replace(work, trace=span.trace)
        return work

    async def _hand_over(self, works: list[Work]) -> None:
        failed = await self._broker.publish(works, deadline=PUBLISH_SECONDS)
        for work in failed:  # still ready in the ledger: the next sweep finds them
            outstanding = self._queues.get((work.endpoint, work.lane), _Outstanding())
            for number in work.ids:
                outstanding.published.pop(number, None)
        lost = {id(work) for work in failed}
        for work in works:
            if id(work) not in lost:
                self._observer.published(work.endpoint, len(work.ids))

    # --- looking for what was not heard ---------------------------------------------------------

    async def _sweep_loop(self) -> None:
        full_at = 0.0
        while True:
            now = time.monotonic()
            try:
                if now >= full_at:
                    full_at = now + SWEEP_SECONDS
                    await self._sweep(self._all_mine())
                else:
                    await self._sweep(self._busy())
            except LedgerUnavailable as error:
                log.debug("dispatch.ledger_away", error=str(error))
            await asyncio.sleep(BUSY_SWEEP_SECONDS)

    def _all_mine(self) -> list[str]:
        return [name for name in self._live.snapshot.endpoints if self._mine(name)]

    def _busy(self) -> list[str]:
        return list(
            {
                endpoint
                for (endpoint, _), outstanding in self._queues.items()
                if outstanding.waiting or outstanding.room <= 0
            }
        )

    async def _sweep(self, endpoints: list[str]) -> None:
        free = [name for name in endpoints if not self._states.blocked(name)]
        for name in set(endpoints) - set(free):
            self._forget(name)
            await self._probe(name)
        if not free or not self._broker.connected:
            return
        asked_at = time.monotonic()
        found: dict[Queue, dict[int, Instant]] = {}
        for head in await self._ledger.read_heads(free, WINDOW):
            found.setdefault((head.endpoint, head.lane), {})[head.id] = head.due
        for name in free:
            for lane in Lane:
                await self._reconcile((name, lane), found.get((name, lane), {}), asked_at)
        self._wake.set()

    async def _reconcile(self, queue: Queue, ready: dict[int, Instant], asked_at: float) -> None:
        """Ready in the ledger and not published: publish. Not ready any more: claimed.

        Due only since it was published: claimed and failed in between, so it goes again.
        """
        outstanding = self._queues.get(queue)
        if outstanding is None:
            if not ready:
                return
            outstanding = self._queues[queue] = _Outstanding()
        published = outstanding.published
        for number, when in list(published.items()):
            due = ready.get(number)
            if when.at < asked_at and (due is None or due > when.clock):
                del published[number]
        await self._find_lost(queue, published)
        waiting = set(outstanding.waiting)
        outstanding.waiting.extend(n for n in ready if n not in published and n not in waiting)

    async def _find_lost(self, queue: Queue, published: dict[int, _Published]) -> None:
        """Old and unclaimed is lost only if the broker has nothing left in that queue."""
        old = [n for n, when in published.items() if time.monotonic() - when.at > LOST_AFTER]
        if not old:
            return
        depth = await self._broker.depth(*queue)
        for number in old:
            when = published.pop(number, None)
            if when is not None and depth != 0:  # None: publishing it again has failed meanwhile
                published[number] = replace(when, at=time.monotonic())
        if depth == 0:
            log.info("dispatch.lost", endpoint=queue[0], lane=queue[1], count=len(old))

    async def _probe(self, endpoint: str) -> None:
        """One delivery asks whether an endpoint left in peace is back."""
        now = time.monotonic()
        if self._states.probe_due(endpoint, self._ledger.clock()) and (
            now - self._probed.get(endpoint, -PROBE_SECONDS) >= PROBE_SECONDS
        ):
            self._probed[endpoint] = now
            head = await self._ledger.ready_probe(endpoint)
            if head is not None:
                await self._publish([Work(endpoint, head.lane, (head.id,))])

    def _forget(self, endpoint: str) -> None:
        """Workers drop what they get for a blocked endpoint: all of it is to be published anew."""
        for lane in Lane:
            self._queues.pop((endpoint, lane), None)
