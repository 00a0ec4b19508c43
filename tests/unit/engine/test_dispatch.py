"""The dispatcher's bookkeeping, where two of its tasks meet."""

from __future__ import annotations

from typing import Any

from bus.engine import dispatch
from bus.engine.dispatch import Dispatcher, _Published
from schemas.message import Lane


async def test_what_fails_while_its_queue_is_looked_at_is_simply_gone() -> None:
    """Publishing it again has failed meanwhile: the next sweep finds it in the ledger."""
    long_ago = _Published(-10 * dispatch.LOST_AFTER, 0)
    published = {1: long_ago, 2: long_ago}

    class Broker:
        async def depth(self, _endpoint: str, _lane: Lane) -> int:
            del published[1]
            return 3

    dispatcher: Any = Dispatcher.__new__(Dispatcher)
    dispatcher._broker = Broker()
    await dispatcher._find_lost(("he-1", Lane.NORMAL), published)
    assert published.keys() == {2}
