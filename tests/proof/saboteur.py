"""The bus' own processes, patched: to die at a named point, with a shifted clock, with a known bug.

Nothing of this is in the bus: the patches are put on after its modules were imported and before
`lgsp` runs, in processes that only `nest.py` starts.

PROOF_POINT   name:passage   SIGKILL at that passage; the name is appended to PROOF_HITS before
PROOF_CLOCK   file           seconds in it are added to the ledger's clock
PROOF_BUG     name           breaks one invariant on purpose, see `bugs.py`
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bus.ledger.ledger import Ledger
from schemas import instant
from schemas.instant import SECOND, Instant
from tests.proof import bugs
from tests.proof.points import POINTS, Point

Function = Callable[..., Any]


def prepare(env: Mapping[str, str]) -> None:
    """Put on what the environment asks for."""
    if text := env.get("PROOF_POINT"):
        name, _, passage = text.partition(":")
        arm(POINTS[name], int(passage), Path(env["PROOF_HITS"]))
    if file := env.get("PROOF_CLOCK"):
        shift_clock(Path(file))
    if bug := env.get("PROOF_BUG"):
        bugs.BUGS[bug].plant()


def arm(point: Point, passage: int, hits: Path) -> None:
    """The process kills itself at that passage of the point."""
    counter = itertools.count(1)

    def passed() -> None:
        if next(counter) == passage:
            with hits.open("a") as file:
                file.write(f"{point.name}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    for target in point.targets:
        owner, name = locate(target)
        setattr(owner, name, _wrapped(getattr(owner, name), passed, point.when == "before"))


def locate(target: str) -> tuple[Any, str]:
    """Where `module:Class.method` is kept, and under which name. AttributeError: it is gone."""
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    getattr(owner, name)
    return owner, name


def _wrapped(function: Function, passed: Callable[[], None], before: bool) -> Function:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **named: Any) -> Any:
            if before:
                passed()
            result = await function(*args, **named)
            if not before:
                passed()
            return result

        return asynchronous

    @functools.wraps(function)
    def synchronous(*args: Any, **named: Any) -> Any:
        if before:
            passed()
        result = function(*args, **named)
        if not before:
            passed()
        return result

    return synchronous


def shift_clock(file: Path) -> None:
    """The ledger's clock jumps as the file says, which is read ten times a second at most."""
    offset, read_at = 0, float("-inf")
    original = Ledger.__init__

    def shifted() -> Instant:
        nonlocal offset, read_at
        if time.monotonic() - read_at > 0.1:
            offset, read_at = int(float(file.read_text() or 0) * SECOND), time.monotonic()
        return instant.now() + offset

    def begun(ledger: Ledger, *args: Any, **named: Any) -> None:
        original(ledger, *args, **named | {"clock": shifted})

    bugs.put(Ledger, "__init__", begun)
