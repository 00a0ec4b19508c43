"""Works on jobs: a few at a time, each question under the rules of a single call.

Whatever happens, an answered question is not asked again.  One that was under way when its process
died is asked again where the operation is idempotent; where it is not, its outcome is unknown, and
its line says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import structlog

from bus.engine.live import LiveConfig
from bus.engine.outlive import outliving
from bus.gateway.calling import Asker, Calls, Catalogue, Rights, as_of
from bus.gateway.calling.policy import Asking
from bus.gateway.gate import Gate
from bus.gateway.problems import Language
from bus.gateway.providing.lines import Telling
from bus.gateway.providing.package import AT_ONCE
from bus.ledger.ledger import Ledger
from bus.ledger.service_jobs import Job, JobItem
from bus.ops import tracing
from schemas.errors import (
    Forbidden,
    LedgerUnavailable,
    LgspError,
    PartnerTimeout,
    PartnerUnavailable,
    RateLimited,
    Unavailable,
)
from schemas.instant import SECOND, Instant
from schemas.service import Service

log = structlog.get_logger("gateway")

MAX_QUESTIONS = 10_000
"""Of one job."""

JOBS_AT_ONCE = 3
"""In each gateway process; a job that waits for a partner keeps its place."""

LOOK_SECONDS = 1.0
"""How often it is asked whether there is a job, besides those that come in at this process."""

BATCH = 50
"""Questions read from the ledger at once."""

LONGEST_PAUSE = 30.0  # seconds
PATIENCE: Instant = 86_400 * SECOND
"""From the job's beginning: so long a partner that is away is waited for."""

_NOT_ASKED = (RateLimited, Unavailable, PartnerUnavailable)
"""Certainly nothing happened: the same question may be asked later."""


class _Lost(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Desk:
    """What a question of a job is asked with."""

    ledger: Ledger
    live: LiveConfig
    gate: Gate
    catalogue: Catalogue
    rights: Rights
    calls: Calls


class JobRunner:
    """One per gateway process. `start`, then `close`."""

    def __init__(self, desk: Desk, *, keep: Instant) -> None:
        """`keep`: how long the results of a finished job are kept."""
        self._desk = desk
        self._keep = keep
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = outliving(self._look, name="service-jobs")

    async def close(self) -> None:
        """Jobs in hand go on elsewhere, or after the next start."""
        if self._task is None:
            return
        tasks = [self._task, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._desk.ledger.give_jobs_back()
        except LedgerUnavailable as error:  # found again when this process is missed
            log.debug("jobs.ledger_away", error=str(error))

    def look(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def _look(self) -> None:
        while True:
            self._news.clear()
            try:
                while len(self._running) < JOBS_AT_ONCE and (job := await self._next()):
                    self._begin(job)
            except LedgerUnavailable as error:
                log.debug("jobs.ledger_away", error=str(error))
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _next(self) -> Job | None:
        return await self._desk.ledger.claim_job(list(self._running))

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._run(job), name=f"service-job {job.id}")
        self._running[job.id] = task

        def ended(_task: asyncio.Task[None]) -> None:
            self._running.pop(job.id, None)
            self._news.set()

        task.add_done_callback(ended)

    async def _run(self, job: Job) -> None:
        """To its end, or until the ledger is away or the job lost: then it is claimed again."""
        try:
            await self._work(job)
        except* _Lost:
            log.info("job_left", job=job.id)
        except* LedgerUnavailable as group:
            log.debug("jobs.ledger_away", error=str(group))
        except* Exception:
            log.exception("job_failed", job=job.id)
            await asyncio.sleep(LONGEST_PAUSE)

    async def _work(self, job: Job) -> None:
        places = asyncio.Semaphore(AT_ONCE)
        after = 0
        while items := await self._desk.ledger.jobs.unanswered(job.id, after=after, limit=BATCH):
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(self._item(job, item, places))
            after = items[-1].number
        if await self._desk.ledger.finish_job(job, keep=self._keep):
            log.info("job_done", job=job.id, questions=job.total)

    async def _item(self, job: Job, item: JobItem, places: asyncio.Semaphore) -> None:
        async with places:
            telling = Telling(
                f"/services/{job.service}/{job.operation}",
                tracing.trace_id(job.trace),
                cast("Language", job.language),
            )
            try:
                line = telling.replied(item.number, await self._patiently(job, item))
                failed = False
            except LedgerUnavailable:
                raise
            except LgspError as error:
                line, failed = telling.refused(item.number, error), True
            if not await self._desk.ledger.answer_job(
                job.id, item.number, line=line.decode(), failed=failed
            ):
                raise _Lost

    async def _patiently(self, job: Job, item: JobItem) -> dict[str, Any]:
        """Again, as long as nothing happened and the partner may come back."""
        while True:
            try:
                return await self._ask(job, item)
            except LedgerUnavailable:
                raise
            except _NOT_ASKED as error:
                if self._desk.ledger.clock() - job.created_at > PATIENCE:
                    raise
                await asyncio.sleep(min(max(error.retry_after or 1.0, 0.1), LONGEST_PAUSE))
            known = await self._desk.ledger.jobs.get(job.id)
            if known is None or not known.state.open:
                raise _Lost

    async def _ask(self, job: Job, item: JobItem) -> dict[str, Any]:
        desk = self._desk
        served = await desk.catalogue.find(job.service)
        operation = served.operation(job.operation)
        asker = self._asker(job, served.service)
        question: bytes | dict[str, Any] = item.question.encode()
        if job.as_of is not None:
            day = date.fromisoformat(job.as_of)
            question = as_of.placed(served.service, job.operation, question, day)
        if not served.service.settings(job.operation).idempotent:
            if item.asked:
                raise _unknown()
            if not await desk.ledger.mark_asked(job.id, item.number):
                raise _Lost
        return await desk.calls.serve(served, operation, question, asker)

    def _asker(self, job: Job, service: Service) -> Asker:
        """As its owner may ask today. Raises Forbidden."""
        caller = self._desk.gate.again(job.client.removeprefix("client:"))
        if caller is None or (job.agency and job.agency not in caller.reach):
            raise Forbidden(
                "the client of this job may not ask for this agency any more",
                vi="Hệ thống của lô này không còn được hỏi thay cơ quan này",
            )
        holders = (f"client:{caller.id}", job.agency)
        asking = Asking(caller.actor, holders, job.agency, job.officer, job.purpose)
        return self._desk.rights.asker(
            asking, self._desk.live.snapshot, service, job.operation, trace=job.trace
        )


def _unknown() -> PartnerTimeout:
    return PartnerTimeout(
        "the bus stopped while this was being asked, and it may not be asked twice: whether the "
        "partner did it is not known",
        vi="Trục dừng đúng lúc đang hỏi dòng này và thao tác không được phép hỏi hai lần: chưa rõ "
        "đối tác đã thực hiện hay chưa",
    )
