"""Deliver: claims what the broker hands over, lets the adapter try, writes down what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from bus.broker.port import Broker, Work
from bus.engine.breaker import Breaker, Change, Permit
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.engine.national import Prepared, prepare
from bus.engine.observer import Observer
from bus.engine.retry import OWN_FAULT, judge, uses_up
from bus.engine.slots import Slots
from bus.engine.spans import spanning
from bus.ledger.handover import Place
from bus.ledger.ledger import Ledger
from bus.ledger.records import Claimed, Finish
from routing.decision import Decision
from schemas.adapter import Adapter, Addressed, OutboundDelivery, Outcome, Result
from schemas.delivery import TERMINAL, DeliveryState
from schemas.errors import LedgerUnavailable, NotFound, Unavailable
from schemas.province import Endpoint
from schemas.vietnam import day_of

log = structlog.get_logger(__name__)

RUN = 32
"""Deliveries of one order key that a task sends in a row before others get its place."""

ATTEMPT_SECONDS = 3_600.0
"""No attempt lasts longer, whatever an adapter thinks; adapters have limits of their own."""

_OURS = frozenset({OWN_FAULT, Unavailable.code})
"""Codes of outcomes whose cause is on this side: an adapter's fault, an unreadable original."""

PREFETCH = 4  # broker messages in hand per endpoint and lane

CreateAdapter = Callable[[Endpoint], Adapter]


class GiveBack(Exception):
    """The worker is stopping."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every runner of a worker shares."""

    ledger: Ledger
    broker: Broker
    states: EndpointStates
    create: CreateAdapter
    observer: Observer
    live: LiveConfig


class EndpointRunner:
    """Sends to one endpoint: its own places, its own breaker, its own adapter."""

    def __init__(self, context: Context, endpoint: Endpoint, *, places: int) -> None:
        self.endpoint = endpoint
        self._context = context
        self._adapter = context.create(endpoint)
        self._slots = Slots(places)
        self._breaker = Breaker(endpoint.breaker)
        self._telling = 0  # breaker changes on their way to the ledger
        self._draining = False
        self._in_hand: set[asyncio.Task[None]] = set()
        self._promised = 0  # places held for what is being committed
        self._kept = asyncio.Event()
        self._kept.set()

    async def start(self) -> None:
        await self._context.broker.consume(self.endpoint.name, self._handle, prefetch=PREFETCH)

    async def stop(self, grace: float) -> None:
        """Finish what is in hand for up to `grace` seconds; the rest is found again as unknown."""
        self._draining = True
        await self._context.broker.stop_consuming(self.endpoint.name, grace=grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._kept.wait()
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._adapter.close()

    def resize(self, places: int) -> None:
        self._slots.resize(places)

    def learn(self) -> None:
        """Take over what other workers found out about this endpoint."""
        if not self._telling:
            state = self._context.states.of(self.endpoint.name)
            self._breaker.learn(is_open=state.breaker == "open", probe_at=state.probe_at or 0)

    def reserve(self) -> Place | None:
        """A place for what is about to be committed; see bus.ledger.handover."""
        if self._draining or self._breaker.is_open or self._paused() or not self._slots.take():
            return None
        self._promised += 1
        self._kept.clear()
        return _Held(self)

    def keep(self, claimed: Claimed | None) -> None:
        """A place of `reserve` is filled, or given up."""
        self._promised -= 1
        if not self._promised:
            self._kept.set()
        if claimed is None:
            self._slots.release()
        else:
            self._begin(claimed, probe=False)

    async def _handle(self, work: Work) -> None:
        """Work from the broker: done when every delivery of it is written down, or not ours."""
        ids = list(work.ids)
        tasks: list[asyncio.Task[None]] = []
        while ids and not self._paused():
            got = await self._slots.acquire(len(ids), work.lane)
            if self._draining:
                self._slots.release(got)
                raise GiveBack
            permit = self._breaker.permit(self._context.ledger.clock())
            if permit is Permit.WAIT:  # still ready in the ledger; the dispatcher waits too
                self._slots.release(got)
                break
            if permit is Permit.PROBE:
                self._slots.release(got - 1)
                got = 1
            batch, ids = ids[:got], ids[got:]
            tasks += await self._take(batch, permit, work.trace)
        if tasks:
            await asyncio.wait(tasks)

    def _paused(self) -> bool:
        return self._context.states.of(self.endpoint.name).paused

    async def _take(self, batch: list[int], permit: Permit, trace: str) -> list[asyncio.Task[None]]:
        """Claim `batch`, for which places are held, and start sending what was got.

        `trace`: of the dispatch; a delivery of the same trace follows it.
        """
        probe = permit is Permit.PROBE
        try:
            claimed = [_following(each, trace) for each in await self._claim(batch)]
        except BaseException:
            self._slots.release(len(batch))
            self._breaker.probing = self._breaker.probing and not probe
            raise
        self._slots.release(len(batch) - len(claimed))
        if probe and not claimed:
            self._breaker.probing = False
        return [self._begin(each, probe=probe) for each in claimed]

    def _begin(self, claimed: Claimed, *, probe: bool) -> asyncio.Task[None]:
        """Send it, for which a place is held."""
        task = asyncio.create_task(self._run(claimed, probe=probe))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        return task

    async def _claim(self, batch: list[int]) -> list[Claimed]:
        """While the ledger is away the work stays in hand; so the broker does not spin."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(LedgerUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            stop=lambda _state: self._draining,
            reraise=True,
        ):
            with attempt:
                return await self._context.ledger.claim(batch)
        raise AssertionError  # AsyncRetrying returns or raises

    async def _run(self, first: Claimed, *, probe: bool) -> None:
        """Send a delivery, and then those behind it in its key, for a bounded run."""
        claimed: Claimed | None = first
        run = 0
        try:
            while claimed is not None:
                run += 1
                claimed = await self._send(claimed, probe=probe and run == 1, last=run >= RUN)
        finally:
            self._slots.release()

    async def _send(self, claimed: Claimed, *, probe: bool, last: bool) -> Claimed | None:
        """One attempt and its outcome; returns the next of the key if it was taken at once."""
        began = time.perf_counter()
        content: Prepared | None = None
        if claimed.record is not None:
            content = self._prepare(claimed)
            if content.held is not None:
                await self._hold(claimed, content.held, probe=probe)
                return None
        outcome = await self._traced(claimed, content)
        seconds = time.perf_counter() - began
        ledger, observer, name = self._context.ledger, self._context.observer, self.endpoint.name
        observer.attempted(name, outcome.result.value, seconds)
        now = ledger.clock()
        counts = not probe and not self._breaker.is_open
        self._tell(self._learn_from(claimed, outcome, now, probe=probe), outcome)
        verdict = judge(self.endpoint.retry, claimed, outcome, now, counts=counts)
        finish = Finish(
            claimed,
            verdict.state,
            outcome,
            verdict.next_attempt_at,
            uses_up(outcome, counts=counts),
            seconds,
        )
        goes_on = not (last or self._draining or self._breaker.is_open or self._paused())
        finished = await ledger.finish(finish, take_next=goes_on)
        if not finished.held:
            log.warning("deliver.taken_back_meanwhile", delivery=claimed.id, endpoint=name)
        elif verdict.state in TERMINAL or verdict.state is DeliveryState.DEAD:
            observer.finished(name, verdict.state.value, (now - claimed.accepted_at) / 1e6)
        return finished.next

    def _prepare(self, claimed: Claimed) -> Prepared:
        on = day_of(self._context.ledger.clock())
        return prepare(claimed, self._adapter.manifest, self._context.live.snapshot.mappings, on)

    async def _hold(self, claimed: Claimed, why: Outcome, *, probe: bool) -> None:
        """It cannot leave as it is; nothing is learnt about the partner."""
        if probe:
            self._breaker.probing = False
        finish = Finish(claimed, DeliveryState.HELD, why, counts=False)
        await self._context.ledger.finish(finish)

    async def _traced(self, claimed: Claimed, content: Prepared | None) -> Outcome:
        """The attempt as a span of the message's trace, in which the partner's own may follow."""
        spans = self._context.observer.spans
        if spans is None:
            return await self._attempt(claimed, content)
        with spanning(spans, f"deliver {self.endpoint.name}", "client", claimed.trace) as span:
            outcome = await self._attempt(replace(claimed, trace=span.trace), content)
            span.failed = outcome.result is not Result.DELIVERED
            span.facts |= {
                "lgsp.endpoint": self.endpoint.name,
                "lgsp.kind": self.endpoint.kind,
                "lgsp.delivery": claimed.id,
                "lgsp.attempt": claimed.attempt,
                "lgsp.result": outcome.result.value,
            }
        return outcome

    async def _attempt(self, claimed: Claimed, content: Prepared | None) -> Outcome:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._adapter.deliver(await self._outbound(claimed, content))
        except LedgerUnavailable:  # it was asked how the packet writes the receivers; nothing left
            detail = "The ledger did not say how the packet writes its receivers."
            return Outcome(Result.TRANSIENT, code=Unavailable.code, detail=detail)
        except Exception as error:
            log.exception("deliver.adapter_fault", delivery=claimed.id, kind=self.endpoint.kind)
            return Outcome(
                Result.UNKNOWN,
                code=OWN_FAULT,
                detail=f"the adapter {self.endpoint.kind} failed: {type(error).__name__}",
            )

    async def _outbound(self, claimed: Claimed, content: Prepared | None) -> OutboundDelivery:
        grouped = self._adapter.manifest.fan_out == "grouped"
        return OutboundDelivery(
            id=claimed.id,
            message_id=claimed.message_id,
            sender=claimed.sender,
            receivers=claimed.receivers,
            kind=claimed.kind,
            media_type=content.media_type if content else claimed.media_type,
            size=len(content.body) if content else claimed.size,
            sha256=content.sha256 if content else claimed.sha256,
            lane=claimed.lane,
            order_key=claimed.order_key,
            attempt=claimed.attempt,
            maybe_sent=claimed.maybe_sent,
            trace=claimed.trace,
            addressed=await self._addressed(claimed) if grouped else None,
            content=content.body if content else claimed.content,
            open_content=lambda: self._context.ledger.blobs.open(claimed.sha256),
        )

    async def _addressed(self, claimed: Claimed) -> Addressed:
        """The codes as the packet has them, from the decision stored with the message."""
        text = await self._context.ledger.queries.decision(claimed.message_id)
        if text is None:
            raise NotFound(f"no decision of message {claimed.message_id}")
        decision = Decision.from_json(text)
        ours = [each for each in decision.receivers if each.agency in claimed.receivers]
        codes = tuple(code for each in ours for code in (each.addressed, *each.also_addressed))
        return Addressed(decision.sender, codes, whole=len(ours) == len(decision.receivers))

    def _learn_from(self, claimed: Claimed, outcome: Outcome, now: int, *, probe: bool) -> Change:
        if outcome.code in _OURS:  # says nothing about the partner
            if probe:
                self._breaker.probing = False
            return Change.NONE
        if outcome.result in {Result.DELIVERED, Result.REJECTED}:
            return self._breaker.succeeded()
        blameless = outcome.result is Result.TRANSIENT
        return self._breaker.failed(claimed.id, now, probe=probe, blameless=blameless)

    def _tell(self, change: Change, outcome: Outcome) -> None:
        """Write a change of the breaker to the ledger, for the others and for operators."""
        if change is not Change.NONE:
            self._telling += 1
            task = asyncio.create_task(self._write_breaker(change, outcome))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)

    async def _write_breaker(self, change: Change, outcome: Outcome) -> None:
        ledger, name = self._context.ledger, self.endpoint.name
        opened = change is Change.OPENED
        self._context.observer.breaker(name, opened)
        log.info("breaker.opened" if opened else "breaker.closed", endpoint=name)
        try:
            with suppress(LedgerUnavailable):  # the next outcome will tell again
                if opened:
                    error = f"{outcome.code}: {outcome.detail}"
                    await ledger.open_breaker(name, probe_at=self._breaker.probe_at, error=error)
                else:
                    await ledger.close_breaker(name)
        finally:
            self._telling -= 1


@dataclass(frozen=True, slots=True)
class _Held:
    """One place of `EndpointRunner.reserve` (bus.ledger.handover.Place)."""

    runner: EndpointRunner

    @property
    def endpoint(self) -> str:
        return self.runner.endpoint.name

    def fill(self, claimed: Claimed) -> None:
        self.runner.keep(claimed)

    def give_up(self) -> None:
        self.runner.keep(None)


def _following(claimed: Claimed, trace: str) -> Claimed:
    if not trace:
        return claimed
    same = trace[:36] == claimed.trace[:36] and len(trace) == len(claimed.trace)
    return replace(claimed, trace=trace) if same else claimed
