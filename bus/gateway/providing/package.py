"""A package: many questions of one operation in one request, each answered as if asked alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bus.gateway.calling import Asker, Calls, Served
from bus.gateway.providing.lines import Telling
from bus.gateway.translate import Operation
from schemas.errors import LgspError, PartnerTimeout, RateLimited

MAX_QUESTIONS = 100
"""Of a package; more are a job."""

Question = bytes | dict[str, Any]

AT_ONCE = 4
"""Questions of one package that are under way together: the caller's other calls, which share its
allowance and its turn, go in between."""

PACKAGE_SECONDS = 300.0
"""For a whole package, where the caller does not say how long it waits."""


@dataclass(frozen=True, slots=True)
class Package:
    """Questions of one admitted asker."""

    calls: Calls
    served: Served
    operation: Operation
    asker: Asker
    telling: Telling

    async def answers(self, questions: Sequence[Question]) -> AsyncIterator[bytes]:
        """A line for each question, in their order; none fails the others."""
        deadline = asyncio.get_running_loop().time() + (self.asker.timeout or PACKAGE_SECONDS)
        waiting = deque(enumerate(questions, 1))
        going: deque[asyncio.Task[bytes]] = deque()
        try:
            while waiting or going:
                while waiting and len(going) < AT_ONCE:
                    number, question = waiting.popleft()
                    going.append(asyncio.create_task(self._answer(number, question, deadline)))
                yield await going[0]
                going.popleft()
        finally:
            for task in going:
                task.cancel()
            await asyncio.gather(*going, return_exceptions=True)

    async def _answer(self, number: int, question: Question, deadline: float) -> bytes:
        try:
            while True:
                try:
                    reply = await self._ask(question, deadline)
                except RateLimited as limited:  # a package takes no more than its turn
                    await _wait(limited.retry_after or 1.0, deadline)
                else:
                    return self.telling.replied(number, reply)
        except LgspError as error:
            return self.telling.refused(number, error)

    async def _ask(self, question: Question, deadline: float) -> dict[str, Any]:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise _too_late()
        asker = replace(self.asker, timeout=left)
        return await self.calls.serve(self.served, self.operation, question, asker)


async def _wait(seconds: float, deadline: float) -> None:
    if asyncio.get_running_loop().time() + seconds >= deadline:
        raise _too_late()
    await asyncio.sleep(seconds)


def _too_late() -> PartnerTimeout:
    return PartnerTimeout(
        "the package's time was over before this was asked; ask it again, or send a job",
        vi="Hết thời gian của gói trước khi hỏi đến dòng này; hãy hỏi lại, hoặc gửi thành lô",
    )
