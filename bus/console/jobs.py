"""Work that takes longer than a click: it goes on when its page is closed, and can be stopped.

What a job has done is in the ledger and its journal; should this process end, the rest is simply
not done, and the same job begun anew goes on where this one ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from bus.console.visitor import Visitor
from bus.ledger.ledger import Ledger
from bus.ops.mending import Act, carry_out
from schemas.errors import LgspError, Text
from schemas.instant import Instant

log = structlog.get_logger(__name__)

KEPT = 20  # that are shown


@dataclass(eq=False, slots=True)
class Job:
    """One act on many deliveries."""

    act: Act
    ids: tuple[int, ...]
    actor: str
    reason: str
    rate: float | None  # a second
    started_at: Instant
    tried: int = 0
    done: int = 0
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    error: Text | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def total(self) -> int:
        return len(self.ids)


class Jobs:
    """Of one console process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._jobs: deque[Job] = deque(maxlen=KEPT)

    def start(
        self, visitor: Visitor, act: Act, ids: Sequence[int], *, reason: str, rate: float | None
    ) -> Job:
        """Whoever calls has asked whether the visitor may."""
        job = Job(act, tuple(ids), visitor.actor, reason, rate, self._ledger.clock())
        self._jobs.appendleft(job)
        job.task = asyncio.create_task(self._run(job), name="console-job")
        return job

    def of(self, visitor: Visitor) -> list[Job]:
        """Latest first. An agency user sees the own ones."""
        own = visitor.agencies is not None
        return [job for job in self._jobs if not own or job.actor == visitor.actor]

    def stop(self, job: Job) -> None:
        if job.task is not None and job.state == "running":
            job.state = "stopped"
            job.task.cancel()

    async def close(self) -> None:
        for job in self._jobs:
            self.stop(job)
        tasks = [job.task for job in self._jobs if job.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job) -> None:
        try:
            async for tried, done in carry_out(
                self._ledger, job.act, job.ids, actor=job.actor, reason=job.reason, rate=job.rate
            ):
                job.tried += tried
                job.done += len(done)
            job.state = "finished"
        except LgspError as error:
            job.state, job.error = "failed", error.detail
        except Exception as error:
            log.exception("console.job_failed")
            job.state, job.error = "failed", Text(type(error).__name__, type(error).__name__)
