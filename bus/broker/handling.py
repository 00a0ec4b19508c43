"""Running handlers: the rules that every backend shares."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from bus.broker.port import Handler, Work

log = structlog.get_logger(__name__)

REQUEUE_PAUSE = 0.25
"""Seconds before work whose handler raised goes back, so that a failing ledger is not hammered."""


async def handled(handler: Handler, work: Work) -> bool:
    """Run the handler: True when the work is done, False when it must be given back.

    A CancelledError counts as ours only if this task really is being cancelled: libraries also
    end calls on a dead connection with it.  The text of the error is not logged: it may quote
    the message.
    """
    try:
        await handler(work)
    except asyncio.CancelledError as error:
        if _being_cancelled():
            raise
        failure: BaseException = error
    except Exception as error:  # noqa: BLE001 - whatever the handler raises, the work comes back
        failure = error
    else:
        return True
    log.warning(
        "work given back",
        endpoint=work.endpoint,
        lane=work.lane.value,
        deliveries=len(work.ids),
        error=type(failure).__name__,
        trace=work.trace,
    )
    await asyncio.sleep(REQUEUE_PAUSE)
    return False


async def finish(tasks: Collection[asyncio.Task[bool]], *, grace: float) -> None:
    """Wait `grace` seconds for the tasks, then cancel the rest and wait until they are gone."""
    pending = set(tasks)
    try:
        if pending:
            _, pending = await asyncio.wait(pending, timeout=grace)
    finally:
        for task in pending:
            task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
