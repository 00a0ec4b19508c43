"""Waiting for a condition, with a deadline: the only place where tests poll.

await wait_until(lambda: len(inbox) == 3, what="three documents in the inbox")
row = await wait_until(partial(ledger.find, message_id), what="the message in the ledger")
wait_until_sync(lambda: port_is_open(port), deadline=30)
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

Result = TypeVar("Result")
INTERVAL: Final = 0.02


async def wait_until(
    condition: Callable[[], Result | Awaitable[Result]],
    deadline: float = 10.0,
    what: str | Callable[[], str] = "the condition",
) -> Result:
    """The first true value of the condition, plain or awaitable.

    `what` may be a function that describes the state at the end. Raises AssertionError after
    `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        last = await value if inspect.isawaitable(value) else value
        if last:
            return last
        if time.monotonic() > end:
            raise AssertionError(_message(what, deadline, last))
        await asyncio.sleep(INTERVAL)


def wait_until_sync(
    condition: Callable[[], Result],
    deadline: float = 10.0,
    what: str | Callable[[], str] = "the condition",
) -> Result:
    """The same for tests without an event loop."""
    end = time.monotonic() + deadline
    while not (last := condition()):
        if time.monotonic() > end:
            raise AssertionError(_message(what, deadline, last))
        time.sleep(INTERVAL)
    return last


def _message(what: str | Callable[[], str], deadline: float, last: object) -> str:
    described = what if isinstance(what, str) else what()
    return f"{described}: not within {deadline:g} s (last value: {last!r})"
