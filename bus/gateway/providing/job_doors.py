"""Doors of jobs (lô): sent to an operation, then followed under `/api/v1/service-jobs`.

Only the client that sent a job sees it, and what was answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

import uuid_utils
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from bus.gateway.calling import as_of
from bus.gateway.calling.doors import SERVICE, whole
from bus.gateway.door import BusDoor
from bus.gateway.exchange import Exchange
from bus.gateway.providing import describe_jobs as describe
from bus.gateway.providing.doors import FRESH, admitted
from bus.gateway.providing.jobs import MAX_QUESTIONS
from bus.gateway.providing.lines import NDJSON, questions, text_of
from bus.gateway.providing.models import JobAnswer, JobPage
from bus.gateway.services import Entered, Services, Using
from bus.ledger.ledger import Ledger
from bus.ledger.service_jobs import Job
from schemas.errors import InvalidRequest, NotFound
from schemas.instant import SECOND, to_iso

router = APIRouter()

JOBS = "/api/v1/service-jobs"
DAY = 86_400 * SECOND
CHUNK = 50  # lines read at once: one may hold megabytes
MAX_REF = 200

Id = Annotated[str, Path(max_length=36)]
After = Annotated[int, Query(ge=0, description="số thứ tự cuối đã đọc / number read last")]


@router.post(f"{SERVICE}/{{operation}}/jobs", include_in_schema=False)
async def send_job(
    request: Request, services: Using, door: Entered, service: str, operation: str
) -> Response:
    """Durable when it is answered: 202, and where to follow it."""
    served, _, asker = await admitted(request, services, door, service, operation)
    body = await whole(request)
    asked = [text_of(n, each) for n, each in enumerate(questions(body, MAX_QUESTIONS), 1)]
    exchange: Exchange = request.scope["exchange"]
    day = as_of.asked(request.query_params)
    if day is not None:
        as_of.placed(served.service, operation, {}, day)  # whether it is offered
    now = services.deps.ledger.clock()
    told = (served.service.id, operation, asker.agency, str(day), *asked)
    job = await services.deps.ledger.add_job(
        Job(
            id=str(uuid_utils.uuid7()),
            client=asker.client,
            ref=_ref(exchange),
            sha256=hashlib.sha256("\n".join(told).encode()).hexdigest(),
            agency=asker.agency,
            officer=asker.officer,
            purpose=asker.purpose,
            service=served.service.id,
            operation=operation,
            as_of=day.isoformat() if day else None,
            language=exchange.language,
            trace=exchange.trace,
            total=len(asked),
            created_at=now,
            expires_at=now + services.deps.limits.job_days * DAY,
        ),
        asked,
    )
    services.jobs.look()
    headers = FRESH | {"Location": f"{JOBS}/{job.id}"}
    return Response(_json(job), 202, headers, "application/json")


def _ref(exchange: Exchange) -> str | None:
    """A job sent again under the same Idempotency-Key is the first."""
    text = exchange.headers.get(b"idempotency-key", b"").decode("latin-1").strip()
    if len(text) > MAX_REF or not text.isprintable():
        raise InvalidRequest(
            f"Idempotency-Key must be at most {MAX_REF} printable characters",
            vi=f"Idempotency-Key phải là tối đa {MAX_REF} ký tự in được",
            field="Idempotency-Key",
        )
    return text or None


@router.get(JOBS, tags=["service-jobs"], **describe.LIST)
async def list_jobs(services: Using, door: Entered) -> Response:
    found = await services.deps.ledger.jobs.newest(client=door.caller.actor)
    page = JobPage(items=[answer_of(each) for each in found])
    return Response(page.model_dump_json(by_alias=True), 200, FRESH, "application/json")


@router.get(f"{JOBS}/{{job_id}}", tags=["service-jobs"], **describe.READ)
async def read_job(services: Using, door: Entered, job_id: Id) -> Response:
    return Response(_json(await _own(services, door, job_id)), 200, FRESH, "application/json")


@router.get(f"{JOBS}/{{job_id}}/results", tags=["service-jobs"], **describe.RESULTS)
async def read_results(services: Using, door: Entered, job_id: Id, after: After = 0) -> Response:
    """Lines in the order of the questions, up to the first that is not answered yet."""
    job = await _own(services, door, job_id)
    return StreamingResponse(_lines(services.deps.ledger, job.id, after), 200, FRESH, NDJSON)


@router.post(f"{JOBS}/{{job_id}}/cancel", tags=["service-jobs"], **describe.CANCEL)
async def cancel_job(services: Using, door: Entered, job_id: Id) -> Response:
    """What is answered stays to be read; what was not asked is forgotten."""
    job = await _own(services, door, job_id)
    caller = door.caller.actor
    await services.deps.ledger.cancel_job(job.id, actor=caller, reason="cancelled by its owner")
    return Response(_json(await _own(services, door, job_id)), 200, FRESH, "application/json")


async def _own(services: Services, door: BusDoor, job_id: str) -> Job:
    """Others' jobs are not there."""
    job = await services.deps.ledger.jobs.get(job_id)
    if job is None or job.client != door.caller.actor:
        raise NotFound(
            "there is no such job; its results are kept for some days only",
            vi="Không có lô này; kết quả chỉ được giữ trong một số ngày",
        )
    return job


async def _lines(ledger: Ledger, job: str, after: int) -> AsyncIterator[bytes]:
    while found := await ledger.jobs.lines(job, after=after, limit=CHUNK):
        for _, line in found:
            if line is None:
                return
            yield line.encode()
        after = found[-1][0]


def _json(job: Job) -> str:
    return answer_of(job).model_dump_json(by_alias=True)


def answer_of(job: Job) -> JobAnswer:
    return JobAnswer(
        id=job.id,
        service=job.service,
        operation=job.operation,
        agency=job.agency,
        state=job.state,
        total=job.total,
        answered=job.answered,
        failed=job.failed,
        created_at=to_iso(job.created_at),
        finished_at=None if job.finished_at is None else to_iso(job.finished_at),
        expires_at=to_iso(job.expires_at),
        results=f"{JOBS}/{job.id}/results",
    )
