"""Whether a connection still lives: a small question, again and again, that has to be answered.

A dead connection (a firewall forgot it, the other machine is gone) tells nobody.  Heartbeats find
it much later, and until then all that is published over it is in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiormq.abc import AbstractChannel, AbstractConnection

PULSE = 1.0  # seconds between questions
SILENCE = 4  # seconds without an answer, after which the connection is given up


async def feel_pulse(channel: AbstractChannel, blocked: Callable[[bool], None]) -> None:
    """Returns when the channel's connection is to be given up.

    `blocked` hears when the broker stops and when it goes on reading from us: short of memory or
    disk it lets publishers wait (`connection.blocked`).  That silence is not death.
    """
    taking = True
    while True:
        await asyncio.sleep(PULSE)
        question = asyncio.ensure_future(channel.basic_qos(prefetch_count=1))
        left = SILENCE
        try:
            while left and not question.done():
                # in small steps: a loop that stood still itself must not take that for silence
                await asyncio.wait({question}, timeout=1.0)
                left -= 1
                if taking != (taking := await _takes(channel.connection)):
                    blocked(not taking)
                left = left if taking else SILENCE
        finally:
            question.cancel()
        if not question.done() or question.cancelled() or question.exception() is not None:
            return


async def _takes(connection: AbstractConnection) -> bool:
    """Whether the broker reads what is sent to it."""
    ready = asyncio.ensure_future(connection.ready())
    done, _ = await asyncio.wait({ready}, timeout=0.05)
    ready.cancel()
    return bool(done)
