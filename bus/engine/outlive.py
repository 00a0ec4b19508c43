"""Tasks that must not end before the process does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0


def outliving(loop: Callable[[], Awaitable[None]], *, name: str) -> asyncio.Task[None]:
    """`loop`, begun anew whenever it fails: a fault nobody foresaw must not end it for good,
    unseen, until somebody restarts the process.
    """

    async def run() -> None:
        while True:
            try:
                await loop()
            except Exception:
                log.exception("task.failed", task=name)
            await asyncio.sleep(PAUSE_SECONDS)

    return asyncio.create_task(run(), name=name)
