"""A call from beginning to end: rules, translation, the partner, and what is written down."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
import structlog
import uuid_utils
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from bus.engine.spans import Span, Spans, spanning
from bus.gateway.calling.asker import Asker
from bus.gateway.calling.catalogue import Served
from bus.gateway.calling.guard import Guard, Guards
from bus.gateway.calling.partner import Partners
from bus.gateway.calling.replies import Replies
from bus.gateway.calling.strangers import without_strangers
from bus.gateway.calling.withhold import seen, values_at, withhold
from bus.gateway.translate import Operation, ServiceFault, Wire
from bus.ledger.accesses import ANSWERED, SUBJECT_KEY, Access, subject_hash
from bus.ledger.ledger import Ledger
from schemas.errors import (
    ConfigurationError,
    LgspError,
    PartnerGarbage,
    PartnerTimeout,
    PartnerUnavailable,
    ServiceInMaintenance,
    ServiceSuspended,
)
from schemas.service import ALL, OperationSettings, Personal, Service
from schemas.vietnam import VIETNAM

log = structlog.get_logger("gateway")

MAX_SUBJECTS = 1_000
"""People of one reply that are written down one by one."""

_AGAIN = (PartnerUnavailable, PartnerTimeout, PartnerGarbage)


class CallMetrics(Protocol):
    """What calls report (bus.ops.metrics.Metrics)."""

    @property
    def spans(self) -> Spans | None: ...

    def service_called(
        self, service: str, operation: str, outcome: str, seconds: float
    ) -> None: ...
    def translated(self, direction: str, seconds: float) -> None: ...


class Calls:
    """Makes calls for askers who were admitted. One per process."""

    def __init__(
        self,
        ledger: Ledger,
        partners: Partners,
        secrets: Callable[[str], bytes],
        metrics: CallMetrics,
    ) -> None:
        self._ledger = ledger
        self._partners = partners
        self._secrets = secrets
        self._metrics = metrics
        self._guards = Guards()
        self._replies = Replies()

    async def call(
        self, served: Served, operation: Operation, request: bytes | Mapping[str, Any], asker: Asker
    ) -> dict[str, Any]:
        """The reply's JSON, with what the asker may not see withheld.

        Raises ContractMismatch, ServiceFault (the partner's words), PartnerError, RateLimited,
        Unavailable and its kind, NotFound, LedgerUnavailable: then a personal reply is not given.
        """
        loop = asyncio.get_running_loop()
        begun, outcome = loop.time(), "internal-error"
        try:
            reply = await self._call(served, operation, request, asker, begun)
            outcome = ANSWERED
        except LgspError as error:
            outcome = error.code
            raise
        finally:
            seconds = loop.time() - begun
            self._metrics.service_called(served.service.id, operation.name, outcome, seconds)
        return reply

    async def serve(
        self, served: Served, operation: Operation, request: bytes | Mapping[str, Any], asker: Asker
    ) -> dict[str, Any]:
        """As `call`, for callers outside: names and folders of secrets are not their business."""
        try:
            return await self.call(served, operation, request, asker)
        except ConfigurationError as error:
            log.error("service misconfigured", service=served.service.id, error=str(error))  # noqa: TRY400
            raise ConfigurationError(
                "the bus is not set up to call this service",
                vi="Trục chưa được thiết lập để gọi dịch vụ này",
            ) from None

    async def _call(
        self,
        served: Served,
        operation: Operation,
        request: bytes | Mapping[str, Any],
        asker: Asker,
        begun: float,
    ) -> dict[str, Any]:
        service = served.service
        _must_be_open(service)
        settings = service.settings(operation.name)
        with self._translating("request"):
            wire = operation.request.to_xml(request)
        guard = self._guards.of(service)
        guard.spend(asker.client)
        one = _One(served, operation, settings, wire, asker, guard, begun)
        if settings.personal is None:
            try:
                return withhold(await self._reply(one), asker.fields)
            except ServiceFault as fault:
                raise _shown(fault, asker) from None
        return await self._written_down(one, request, settings.personal)

    def _span(self, one: _One) -> AbstractContextManager[Span]:
        """Around one attempt at the partner."""
        name = f"call {one.served.service.id} {one.operation.name}"
        return spanning(self._metrics.spans, name, "client", one.asker.trace)

    @contextmanager
    def _translating(self, direction: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._metrics.translated(direction, time.perf_counter() - began)

    async def _written_down(
        self, one: _One, request: bytes | Mapping[str, Any], personal: Personal
    ) -> dict[str, Any]:
        key = self._secrets(SUBJECT_KEY)
        data = orjson.loads(request) if isinstance(request, bytes) else request
        access = _access(one, _subjects(key, data, personal.subjects))
        await self._ledger.access_asked(access)
        try:
            reply = await self._reply(one)
        except ServiceFault as fault:
            await self._ledger.access_ended(access, outcome=fault.code)
            raise _shown(fault, one.asker) from None
        except LgspError as error:
            await self._ledger.access_ended(access, outcome=error.code)
            raise
        shown = withhold(reply, one.asker.fields)
        await self._ledger.access_ended(
            access,
            outcome=ANSWERED,
            fields=set(seen(shown)),
            subjects=_subjects(key, reply, personal.reply_subjects),
        )
        return shown

    async def _reply(self, one: _One) -> dict[str, Any]:
        """Kept, or from the partner."""
        if not one.settings.cache_seconds:
            return await self._ask(one)
        # asked for all who wait, so the first one's hurry is not the others'
        shared = replace(one, asker=replace(one.asker, timeout=None))
        try:
            async with asyncio.timeout_at(one.deadline):
                return await self._replies.get(
                    one.question, lambda: self._ask(shared), seconds=one.settings.cache_seconds
                )
        except TimeoutError:
            raise PartnerTimeout from None

    async def _ask(self, one: _One) -> dict[str, Any]:
        """Again after a failure where the operation is idempotent, as long as there is time."""
        if not one.settings.idempotent:
            return await self._attempt(one)
        attempts = AsyncRetrying(
            stop=one.gives_up,
            wait=_pause,
            retry=retry_if_exception_type(_AGAIN),
            reraise=True,
        )
        reply: dict[str, Any] = await attempts(self._attempt, one)
        return reply

    async def _attempt(self, one: _One) -> dict[str, Any]:
        async with one.guard.place(one.asker.client, one.deadline):
            with one.guard.watched(hurried=one.hurried), self._span(one) as span:
                answered = await self._partners.ask(
                    one.served.service,
                    one.operation,
                    one.wire,
                    officer=one.asker.officer,
                    trace=span.trace,
                    deadline=one.deadline,
                    agency=one.asker.agency,
                )
                if not answered.body:
                    return {}
                with self._translating("reply"):
                    reply = one.operation.reply.to_json(answered.body, answered.content_type)
                return without_strangers(reply)


@dataclass(frozen=True, slots=True)
class _One:
    """One call and all that belongs to it."""

    served: Served
    operation: Operation
    settings: OperationSettings
    wire: Wire
    asker: Asker
    guard: Guard
    begun: float  # by the event loop's clock

    @property
    def deadline(self) -> float:
        most = self.served.service.timeout
        return self.begun + min(most, self.asker.timeout or most)

    @property
    def hurried(self) -> bool:
        return self.asker.timeout is not None and self.asker.timeout < self.served.service.timeout

    @property
    def question(self) -> tuple[Hashable, ...]:
        """Equal for calls that one reply answers: whoever may see the same asks the same."""
        service = self.served.service
        documents = tuple(sorted(service.contract.documents.items()))
        asked = hashlib.sha256(self.wire.body).digest()
        return (
            service.id,
            service.address,
            documents,
            self.operation.name,
            asked,
            self.asker.fields,
        )

    def gives_up(self, state: RetryCallState) -> bool:
        """Whether there is no next attempt, or it would begin after the deadline."""
        late = asyncio.get_running_loop().time() + state.upcoming_sleep >= self.deadline
        return late or state.attempt_number >= self.settings.attempts


_BACKOFF = wait_random_exponential(multiplier=0.1, max=2.0)


def _pause(state: RetryCallState) -> float:
    """Seconds before the next attempt; no less than the partner asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, LgspError) else None
    return max(_BACKOFF(state), asked or 0.0)


def _must_be_open(service: Service) -> None:
    if service.suspended:
        raise ServiceSuspended(
            f"service {service.id} is suspended", vi=f"Dịch vụ {service.id} đang tạm dừng"
        )
    now = datetime.now(UTC)
    away = service.away(now)
    if away is not None:
        until = away.ends.astimezone(VIETNAM)
        raise ServiceInMaintenance(
            f"service {service.id} is in maintenance until {until:%Y-%m-%d %H:%M} (+07:00)",
            vi=f"Dịch vụ {service.id} bảo trì đến {until:%H:%M ngày %d/%m/%Y}",
            retry_after=(away.ends - now).total_seconds(),
            until=until.isoformat(),
        )


def _subjects(key: bytes, data: Any, paths: Iterable[str]) -> tuple[bytes, ...]:
    found = dict.fromkeys(
        subject_hash(key, text) for path in paths for text in values_at(data, path) if text.strip()
    )
    return tuple(found)[:MAX_SUBJECTS]


def _access(one: _One, subjects: tuple[bytes, ...]) -> Access:
    asker = one.asker
    return Access(
        id=str(uuid_utils.uuid7()),
        service=one.served.service.id,
        operation=one.operation.name,
        client=asker.client,
        agency=asker.agency,
        officer=asker.officer,
        purpose=asker.purpose,
        fields=asker.fields,
        subjects=subjects,
        trace=asker.trace,
    )


def _shown(fault: ServiceFault, asker: Asker) -> ServiceFault:
    """The partner's code and reason are for everybody; details may tell what is not."""
    if fault.entries and ALL not in asker.fields and "#fault" not in asker.fields:
        fault.entries = [{"#withheld": True}]
    return fault
