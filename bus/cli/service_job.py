"""`lgsp service job list|show|cancel`: jobs of agencies, never what was asked or answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.cli import service_job_send
from bus.cli.lang import say
from bus.cli.options import Json, Limit, examples
from bus.cli.output import headings, progress, say_line, show_facts, show_json, show_table, when
from bus.cli.session import Session
from schemas.errors import Conflict, NotFound
from schemas.instant import to_iso

if TYPE_CHECKING:
    from bus.ledger.ledger import Ledger
    from bus.ledger.service_jobs import Job

LOOK_SECONDS = 0.5

job_app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Lô câu hỏi tới dịch vụ: tiến độ, hủy. Câu hỏi và kết quả chỉ hệ thống gửi đọc được.",
        "Jobs of questions to services: progress, cancel. Only their senders read what they hold.",
    ),
)

Id = Annotated[str, typer.Argument(help=say("mã lô", "id of the job"))]


@job_app.command(
    "list",
    help=say("Các lô, mới nhất trước.", "Jobs, newest first.") + examples("lgsp service job list"),
)
def list_jobs(context: typer.Context, *, limit: Limit = 50, json: Json = False) -> None:
    rows = Session.of(context).run(lambda ledger: ledger.jobs.newest(limit=limit))
    if json:
        show_json({"items": [_members(each) for each in rows]})
        return
    columns = headings(
        "Mã lô|Lúc|Hệ thống|Cơ quan|Dịch vụ|Thao tác|Trạng thái|Xong|Lỗi|Giữ đến",
        "Job|At|Client|Agency|Service|Operation|State|Done|Failed|Kept until",
    )
    cells = [
        (
            each.id,
            when(each.created_at),
            each.client,
            each.agency,
            each.service,
            each.operation,
            each.state,
            f"{each.answered}/{each.total}",
            each.failed,
            when(each.expires_at),
        )
        for each in rows
    ]
    show_table(columns, cells, empty=say("Chưa có lô nào.", "No jobs."))


@job_app.command(
    "show",
    help=say(
        "Một lô; --follow: thanh tiến độ cho đến khi xong.",
        "One job; --follow: a progress bar until it ends.",
    )
    + examples("lgsp service job show 0193… --follow"),
)
def show(
    context: typer.Context,
    job_id: Id,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help=say("theo dõi đến khi xong", "until it ends"))
    ] = False,
    json: Json = False,
) -> None:
    session = Session.of(context)
    job = session.run(lambda ledger: _followed(ledger, job_id) if follow else _find(ledger, job_id))
    if json:
        show_json(_members(job))
        return
    show_facts(
        [
            (say("Mã lô", "Job"), job.id),
            (say("Hệ thống", "Client"), job.client),
            (say("Cơ quan", "Agency"), job.agency),
            (say("Cán bộ", "Officer"), job.officer),
            (say("Mục đích", "Purpose"), job.purpose),
            (say("Dịch vụ", "Service"), f"{job.service}/{job.operation}"),
            (say("Trạng thái", "State"), job.state),
            (say("Đã trả lời", "Answered"), f"{job.answered}/{job.total}"),
            (say("Lỗi", "Failed"), job.failed),
            (say("Gửi lúc", "Sent"), when(job.created_at)),
            (say("Xong lúc", "Ended"), when(job.finished_at)),
            (say("Giữ đến", "Kept until"), when(job.expires_at)),
        ]
    )


@job_app.command(
    "cancel",
    help=say(
        "Hủy lô: không hỏi tiếp; kết quả đã có vẫn đọc được đến khi hết hạn.",
        "Cancel a job: no more is asked; what is answered can be read until it expires.",
    )
    + examples("lgsp service job cancel 0193… --reason 'cơ sở dữ liệu quá tải'"),
)
def cancel(
    context: typer.Context,
    job_id: Id,
    *,
    reason: Annotated[str, typer.Option(help=say("lý do", "why"))],
) -> None:
    session = Session.of(context)

    async def act(ledger: Ledger) -> bool:
        await _find(ledger, job_id)
        return await ledger.cancel_job(job_id, actor=session.actor, reason=reason)

    if not session.run(act):
        raise Conflict(f"job {job_id} has ended already", vi=f"lô {job_id} đã kết thúc")
    say_line(say(f"✓ Đã hủy lô {job_id}.", f"✓ Job {job_id} is cancelled."))


async def _find(ledger: Ledger, job_id: str) -> Job:
    job = await ledger.jobs.get(job_id)
    if job is None:
        raise NotFound(f"no job {job_id[:60]}", vi=f"không có lô {job_id[:60]}")
    return job


async def _followed(ledger: Ledger, job_id: str) -> Job:
    job = await _find(ledger, job_id)
    with progress(say("câu hỏi", "questions"), job.total, least=1) as advance:
        advance(job.answered)
        while job.state.open:
            await asyncio.sleep(LOOK_SECONDS)
            now = await _find(ledger, job_id)
            advance(now.answered - job.answered)
            job = now
    return job


def _members(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "client": job.client,
        "agency": job.agency,
        "officer": job.officer,
        "purpose": job.purpose,
        "service": job.service,
        "operation": job.operation,
        "state": job.state.value,
        "total": job.total,
        "answered": job.answered,
        "failed": job.failed,
        "createdAt": to_iso(job.created_at),
        "finishedAt": None if job.finished_at is None else to_iso(job.finished_at),
        "expiresAt": to_iso(job.expires_at),
    }


service_job_send.add_to(job_app)


def add_to(app: typer.Typer) -> None:
    app.add_typer(job_app, name="job")
