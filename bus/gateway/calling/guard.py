"""What keeps one service from being overrun, and a sick one from holding its callers up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from bus.engine.breaker import Breaker, Change, Permit
from bus.gateway.calling.fair_slots import FairSlots
from bus.ops.rates import Buckets
from schemas import instant
from schemas.errors import (
    PartnerError,
    PartnerRefused,
    PartnerUnavailable,
    RateLimited,
    Unavailable,
)
from schemas.instant import SECOND, Clock
from schemas.service import Service

log = structlog.get_logger(__name__)


class Guard:
    """Places, breaker and allowances of one service in this process."""

    def __init__(self, service: Service, clock: Clock = instant.now) -> None:
        self._service = service
        self._clock = clock
        self._slots = FairSlots(service.concurrency)
        self._breaker = Breaker(service.breaker)
        self._buckets = Buckets()
        self._number = itertools.count(1)

    def follow(self, service: Service) -> None:
        """Takes changed settings over."""
        if service is not self._service:
            self._service = service
            self._slots.resize(service.concurrency)
            self._breaker.policy = service.breaker

    def spend(self, caller: str) -> None:
        """Takes one call from the caller's allowance and the service's. Raises RateLimited."""
        service = self._service
        wait = self._take(caller, service.caller_rate)
        if not wait and service.rate is not None:
            wait = self._take("", service.rate)
            if wait:
                self._buckets.give_back(caller)
        if wait:
            raise RateLimited(
                f"more calls of {service.name} than its allowance",
                vi=f"Vượt quá số lời gọi cho phép của dịch vụ {service.name}",
                retry_after=wait,
            )

    def _take(self, key: str, rate: float) -> float:
        return self._buckets.take(key, rate=rate, burst=max(1, int(rate * 2)))

    @asynccontextmanager
    async def place(self, caller: str, deadline: float) -> AsyncIterator[None]:
        """One of the places, held while inside. `deadline`: of the event loop's clock.

        Raises RateLimited, Unavailable when none was free in time.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire(caller)
        except TimeoutError:
            raise Unavailable(
                f"{self._service.name} is busy: no place was free in time",
                vi=f"Dịch vụ {self._service.name} đang bận, chưa đến lượt",
                retry_after=1,
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def watched(self, *, hurried: bool) -> Iterator[None]:
        """Around one attempt: failures in a row open the breaker.

        `hurried`: the caller waits less than the service may take, so its impatience says nothing
        about the service. Raises PartnerUnavailable while the breaker is open.
        """
        permit = self._breaker.permit(self._clock())
        if permit is Permit.WAIT:
            wait = max(self._breaker.probe_at - self._clock(), 0) / SECOND
            raise PartnerUnavailable(
                f"{self._service.name} failed again and again and is left in peace",
                vi=f"Dịch vụ {self._service.name} lỗi liên tục, trục tạm ngừng gọi",
                retry_after=max(wait, 1),
            )
        probe = permit is Permit.PROBE
        try:
            yield
        except PartnerRefused:
            self._succeeded()  # it said no, so it is there
            raise
        except PartnerError:
            if probe or not hurried:
                self._failed(probe=probe)
            raise
        except BaseException:
            if probe:  # nothing was learnt: somebody must ask again
                self._failed(probe=True)
            raise
        else:
            self._succeeded()

    def _succeeded(self) -> None:
        if self._breaker.succeeded() is Change.CLOSED:
            log.info("service_answers_again", service=self._service.id)

    def _failed(self, *, probe: bool) -> None:
        change = self._breaker.failed(next(self._number), self._clock(), probe=probe)
        if change is Change.OPENED and not probe:
            log.warning("service_left_in_peace", service=self._service.id)


class Guards:
    """A guard for each version of a service."""

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = {}

    def of(self, service: Service) -> Guard:
        guard = self._guards.get(service.id)
        if guard is None:
            guard = self._guards[service.id] = Guard(service)
        guard.follow(service)
        return guard
