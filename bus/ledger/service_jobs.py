"""Jobs (lô): questions to one operation of a service, kept with their answers until they expire.

A process that works on a job is its `worker`; whatever it writes counts only while it still is.
A job whose process is gone from the ledger's list of the living may be taken by another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import select

from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.tables import service_job, service_job_item
from bus.ledger.tx import Tx
from schemas.errors import Conflict, RateLimited
from schemas.instant import Instant

MAX_OPEN = 20
"""Jobs of one client that are not finished."""

ACCEPTED, DONE, CANCELLED, REMOVED = (
    "service-job-accepted",
    "service-job-done",
    "service-job-cancelled",
    "service-job-removed",
)
JOURNALLED = frozenset({ACCEPTED, DONE, CANCELLED, REMOVED})
"""Journal entries about jobs; who asks registers for what is no news for others."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        return self in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """As it is kept."""

    id: str
    client: str  # as the journal names it: client:…
    ref: str | None
    sha256: str
    agency: str
    officer: str
    purpose: str
    service: str  # name@version
    operation: str
    as_of: str | None
    language: str
    trace: str
    total: int
    created_at: Instant
    expires_at: Instant
    state: JobState = JobState.QUEUED
    answered: int = 0
    failed: int = 0
    finished_at: Instant | None = None


class JobItem(NamedTuple):
    number: int
    question: str
    asked: bool


_COLUMNS = [each.name for each in fields(Job)]
_NAMES = ", ".join(_COLUMNS)


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Job(**{**values, "state": JobState(values["state"])})


async def add(tx: Tx, chain: Chain, now: Instant, job: Job, questions: Sequence[str]) -> Job:
    """The job; or the one that its client sent before under the same `ref`.

    Raises Conflict (the same ref with other content), RateLimited (too many are open).
    """
    await tx.lock_keys([("service-job", job.client)])
    if job.ref is not None:
        found = await tx.execute(
            f"SELECT {_NAMES} FROM service_job WHERE client = ? AND ref = ?",  # noqa: S608 - names
            job.client,
            job.ref,
        )
        if found:
            return _same(_job(found[0]), job)
    ((count,),) = await tx.execute(
        "SELECT count(*) FROM service_job WHERE client = ? AND state IN ('queued', 'running')",
        job.client,
    )
    if int(str(count)) >= MAX_OPEN:
        raise RateLimited(
            f"{count} jobs of this client are not finished yet",
            vi=f"Hệ thống này còn {count} lô chưa xong",
            retry_after=60,
        )
    marks = ", ".join("?" * len(_COLUMNS))
    values = [getattr(job, name) for name in _COLUMNS]
    await tx.execute(f"INSERT INTO service_job ({_NAMES}) VALUES ({marks})", *values)  # noqa: S608
    await tx.over(
        "INSERT INTO service_job_item (job, number, question, asked)"
        " SELECT r.job, r.number, r.question, false FROM {rows}",
        (("job", "text"), ("number", "integer"), ("question", "text")),
        [(job.id, number, question) for number, question in enumerate(questions, 1)],
    )
    data = {
        "job": job.id,
        "service": job.service,
        "operation": job.operation,
        "agency": job.agency,
        "officer": job.officer,
        "purpose": job.purpose,
        "questions": job.total,
        "trace": job.trace,
    }
    chain.add(now, ACCEPTED, job.client, data)
    return job


def _same(known: Job, again: Job) -> Job:
    if known.sha256 != again.sha256:
        raise Conflict(
            "a job with other questions was sent under the same Idempotency-Key",
            vi="Một lô với câu hỏi khác đã được gửi với cùng Idempotency-Key",
            job=known.id,
        )
    return known


async def claim(tx: Tx, worker: str, running: Collection[str]) -> Job | None:
    """Takes the next job in hand that nobody living has; `running` are in its hands already.

    A client with few jobs under way goes before one with many. None as well while this process is
    not on the list of the living: others would take the job from it.
    """
    others = " AND j.id NOT IN ({})".format(", ".join("?" * len(running))) if running else ""
    free = (
        "(worker IS NULL OR worker = ? OR NOT EXISTS (SELECT 1 FROM process p WHERE p.id = worker))"
    )
    rows = await tx.execute(
        "UPDATE service_job SET worker = ?, state = 'running'"  # noqa: S608 - placeholders
        " WHERE id = (SELECT j.id FROM service_job j"
        f" WHERE j.state IN ('queued', 'running') AND {free}{others}"
        " AND EXISTS (SELECT 1 FROM process p WHERE p.id = ?)"
        " ORDER BY (SELECT count(*) FROM service_job o WHERE o.client = j.client"
        " AND o.state = 'running'), j.created_at, j.id LIMIT 1)"
        f" AND state IN ('queued', 'running') AND {free} RETURNING {_NAMES}",
        worker,
        worker,
        *running,
        worker,
        worker,
    )
    return _job(rows[0]) if rows else None


async def _holds(tx: Tx, worker: str, job: str) -> bool:
    """Whether it is still the worker's; if so, nobody can take it before the commit."""
    return bool(
        await tx.execute(
            "UPDATE service_job SET worker = worker WHERE id = ? AND worker = ?"
            " AND state = 'running' RETURNING id",
            job,
            worker,
        )
    )


async def mark_asked(tx: Tx, worker: str, job: str, number: int) -> bool:
    """Before a question that may be asked once only. False: the job is no longer the worker's."""
    if not await _holds(tx, worker, job):
        return False
    await tx.execute(
        "UPDATE service_job_item SET asked = true WHERE job = ? AND number = ?", job, number
    )
    return True


async def answer(tx: Tx, worker: str, job: str, number: int, *, line: str, failed: bool) -> bool:
    """Keeps the answer, once, and forgets the question. False: no longer the worker's."""
    if not await _holds(tx, worker, job):
        return False
    done = await tx.execute(
        "UPDATE service_job_item SET answer = ?, question = ''"
        " WHERE job = ? AND number = ? AND answer IS NULL RETURNING number",
        line,
        job,
        number,
    )
    await tx.execute(
        "UPDATE service_job SET answered = answered + ?, failed = failed + ? WHERE id = ?",
        len(done),
        len(done) if failed else 0,
        job,
    )
    return True


async def finish(
    tx: Tx, chain: Chain, now: Instant, worker: str, job: Job, *, expires_at: Instant
) -> bool:
    """Every question is answered."""
    rows = await tx.execute(
        "UPDATE service_job SET state = 'done', worker = NULL, finished_at = ?, expires_at = ?"
        " WHERE id = ? AND worker = ? AND state = 'running' RETURNING answered, failed",
        now,
        expires_at,
        job.id,
        worker,
    )
    for answered, failed in rows:
        data = {"job": job.id, "answered": answered, "failed": failed}
        chain.add(now, DONE, worker, data)
    return bool(rows)


async def give_back(tx: Tx, worker: str) -> None:
    """A process that ends leaves its jobs to others."""
    await tx.execute("UPDATE service_job SET worker = NULL WHERE worker = ?", worker)


async def cancel(tx: Tx, chain: Chain, now: Instant, job: str, *, actor: str, reason: str) -> bool:
    """Asks no more of it, and forgets what was not asked. False: it had ended already."""
    rows = await tx.execute(
        "UPDATE service_job SET state = 'cancelled', worker = NULL, finished_at = ?"
        " WHERE id = ? AND state IN ('queued', 'running') RETURNING id",
        now,
        job,
    )
    if rows:
        await tx.execute("DELETE FROM service_job_item WHERE job = ? AND answer IS NULL", job)
        chain.add(now, CANCELLED, actor, {"job": job, "reason": reason})
    return bool(rows)


async def remove_expired(tx: Tx, chain: Chain, now: Instant, *, limit: int = 10) -> int:
    """Results hold personal data, so none is kept longer than was said."""
    rows = await tx.execute(
        "DELETE FROM service_job WHERE id IN"
        " (SELECT id FROM service_job WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"
        " RETURNING id",
        now,
        limit,
    )
    for (job,) in rows:
        await tx.execute("DELETE FROM service_job_item WHERE job = ?", job)
        chain.add(now, REMOVED, "clock", {"job": job})
    return len(rows)


class ServiceJobs:
    """Reading them. Raises LedgerUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, job: str) -> Job | None:
        query = select(*_READ).where(service_job.c.id == job)
        async with self._db.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _job(row)

    async def newest(self, *, client: str | None = None, limit: int = 50) -> list[Job]:
        """Newest first."""
        query = select(*_READ).order_by(service_job.c.created_at.desc(), service_job.c.id.desc())
        if client is not None:
            query = query.where(service_job.c.client == client)
        async with self._db.read() as connection:
            return [_job(row) for row in await connection.execute(query.limit(limit))]

    async def unanswered(self, job: str, *, after: int, limit: int) -> list[JobItem]:
        item = service_job_item.c
        query = (
            select(item.number, item.question, item.asked)
            .where(item.job == job, item.number > after, item.answer.is_(None))
            .order_by(item.number)
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [JobItem(*row) for row in await connection.execute(query)]

    async def lines(self, job: str, *, after: int, limit: int) -> list[tuple[int, str | None]]:
        """Answers behind number `after`; None where one is still to come."""
        item = service_job_item.c
        query = (
            select(item.number, item.answer)
            .where(item.job == job, item.number > after)
            .order_by(item.number)
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [(number, line) for number, line in await connection.execute(query)]


_READ = [service_job.c[name] for name in _COLUMNS]
