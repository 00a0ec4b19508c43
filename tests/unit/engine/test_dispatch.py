"""What the dispatcher looks for while other things happen."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bus.engine.dispatch import LOST_AFTER, Dispatcher, _Published
from schemas.message import Lane


@pytest.mark.parametrize(("depth", "left"), [(0, set[int]()), (1, {2})])
async def test_what_was_not_handed_over_after_all_is_not_looked_for(
    depth: int, left: set[int]
) -> None:
    """While the broker is asked how much it has, handing over number 1 fails, which takes it off
    the list of what is out.
    """
    old = _Published(time.monotonic() - LOST_AFTER - 1, 0)
    published = {1: old, 2: old}

    async def asked(_endpoint: str, _lane: Lane) -> int:
        del published[1]
        return depth

    dispatcher = cast("Any", SimpleNamespace(_broker=SimpleNamespace(depth=asked)))
    await Dispatcher._find_lost(dispatcher, ("so-y-te", Lane.NORMAL), published)
    assert set(published) == left
