"""Health of one process: alive, and ready to take work.

The ledger is required: without it nothing can be accepted. The broker is reported but not required:
accepting goes on while it is down, and what was accepted leaves when it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.errors import LgspError

Check = Callable[[], Awaitable[None]]
"""Returns when the thing answers; raises when it does not."""

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the process leans on."""

    name: str
    up: bool
    required: bool
    reason: str = ""  # stable code or name of the error: no text from outside


@dataclass(frozen=True, slots=True)
class Health:
    parts: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        return all(part.up for part in self.parts if part.required)

    @property
    def status(self) -> Literal["ready", "degraded", "unready"]:
        if not self.ready:
            return "unready"
        return "ready" if all(part.up for part in self.parts) else "degraded"


class Examiner:
    """Asks everything at once; what does not answer within `seconds` is down.

    Anyone may ask for the health of a process: questions within `keep` seconds share one answer.
    """

    def __init__(
        self,
        required: Mapping[str, Check],
        reported: Mapping[str, Check] | None = None,
        *,
        seconds: float = SECONDS,
        keep: float = 0.5,
    ) -> None:
        self._checks = [(name, check, True) for name, check in required.items()]
        self._checks += [(name, check, False) for name, check in (reported or {}).items()]
        self._seconds = seconds
        self._keep = keep
        self._last: tuple[float, Health] | None = None
        self._asking = asyncio.Lock()

    async def __call__(self) -> Health:
        async with self._asking:
            if self._last and time.monotonic() - self._last[0] < self._keep:
                return self._last[1]
            answers = await asyncio.gather(
                *(
                    _ask(name, check, required, self._seconds)
                    for name, check, required in self._checks
                )
            )
            health = Health(tuple(answers))
            self._last = (time.monotonic(), health)
            return health


async def _ask(name: str, check: Check, required: bool, seconds: float) -> Part:
    try:
        async with asyncio.timeout(seconds):
            await check()
    except LgspError as error:
        return Part(name, up=False, required=required, reason=error.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, the thing is not up
        return Part(name, up=False, required=required, reason=type(error).__name__)
    return Part(name, up=True, required=required)
