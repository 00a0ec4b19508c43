"""Many dossiers in one request: a line is a record or a step, and every line is answered.

Lines of one dossier are accepted in their order, different dossiers side by side.  When a line
cannot be accepted now (the ledger is away), the later lines of its dossier are not either: sent
again they come in the order in which they belong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

import orjson
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from bus.gateway import problems, receipts
from bus.gateway.door import BusDoor
from bus.gateway.exchange import Exchange
from schemas.door import Accepted
from schemas.dossier import DossierRecord, Step
from schemas.errors import InvalidRequest, LgspError, TooLarge

MEDIA_TYPE = "application/x-ndjson"
AT_ONCE = 64  # lines being accepted
MAX_LINE = 1024 * 1024  # bytes
IN_MEMORY = 1024 * 1024  # bytes of answers; more goes to a file
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Done:
    """The answer to a line; `stopped` keeps the later lines of its dossier back."""

    answer: bytes
    code: str | None
    stopped: LgspError | None = None


class Batch:
    def __init__(self, door: BusDoor, exchange: Exchange, path: str) -> None:
        self._door = door
        self._exchange = exchange
        self._path = path
        self._pending: deque[asyncio.Task[_Done]] = deque()
        self._last: dict[str, asyncio.Task[_Done]] = {}  # the latest line of each dossier
        self._number = 0

    async def run(self, pieces: AsyncIterator[bytes]) -> StreamingResponse:
        """Reads to the end before it answers: a client that sends does not read meanwhile.

        Raises TooLarge (a line), and whatever `pieces` raises; what was accepted stays accepted.
        """
        answers = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by _closing
        try:
            async for line in _lines(pieces):
                self._begin(line)
                if len(self._pending) >= AT_ONCE:
                    answers.write(await self._finish())
            while self._pending:
                answers.write(await self._finish())
        except BaseException:
            for task in self._pending:
                task.cancel()
            await asyncio.gather(*self._pending, return_exceptions=True)
            answers.close()
            raise
        answers.seek(0)
        return StreamingResponse(_closing(answers), media_type=MEDIA_TYPE)

    def _begin(self, line: bytes) -> None:
        self._number += 1
        if not line.strip():
            return
        item = _read(line)
        code = None if isinstance(item, LgspError) else item.code
        before = self._last.get(code) if code is not None else None
        task = asyncio.create_task(self._take(self._number, item, line, before))
        self._pending.append(task)
        if code is not None:
            self._last[code] = task

    async def _finish(self) -> bytes:
        """The answer to the oldest line; its dossier is forgotten when nothing holds it back."""
        task = self._pending.popleft()
        done = await task
        if done.code is not None and done.stopped is None and self._last.get(done.code) is task:
            del self._last[done.code]
        return done.answer

    async def _take(
        self,
        number: int,
        item: DossierRecord | Step | LgspError,
        line: bytes,
        before: asyncio.Task[_Done] | None,
    ) -> _Done:
        if isinstance(item, LgspError):
            return _Done(self._line(number, None, problem=item), None)
        try:
            if before is not None and (stopped := (await before).stopped) is not None:
                raise stopped
            accepted = await self._accept(item, line)
        except LgspError as error:
            answer = self._line(number, item.code, problem=error)
            return _Done(answer, item.code, error if error.retryable else None)
        return _Done(self._line(number, item.code, accepted=accepted), item.code)

    async def _accept(self, item: DossierRecord | Step, line: bytes) -> Accepted:
        if isinstance(item, Step):
            return await self._door.submit_step(item, line)
        return await self._door.submit_dossier(item, line)

    def _line(
        self,
        number: int,
        code: str | None,
        *,
        accepted: Accepted | None = None,
        problem: LgspError | None = None,
    ) -> bytes:
        """Shape: dossier_models.BatchLine."""
        told: dict[str, object] = {"line": number, "code": code}
        if accepted is not None:
            told["receipt"] = orjson.Fragment(receipts.to_json(accepted))
        if problem is not None:
            told["problem"] = problems.body(
                problem,
                status=problem.http_status,
                path=self._path,
                correlation_id=self._exchange.correlation_id,
                lang=self._exchange.language,
            )
        return orjson.dumps(told) + b"\n"


def _read(line: bytes) -> DossierRecord | Step | LgspError:
    """What has a procedure is a record, everything else should be a step."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return InvalidRequest("the line is not JSON", vi="Dòng không phải JSON")
    if not isinstance(value, dict):
        return InvalidRequest("the line is no JSON object", vi="Dòng không phải đối tượng JSON")
    model: type[DossierRecord | Step] = DossierRecord if "procedure" in value else Step
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        return problems.from_validation(error.errors(include_input=False, include_url=False))


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_LINE:
            raise TooLarge(
                f"a line is longer than {MAX_LINE:,} bytes",
                vi=f"Một dòng dài hơn {MAX_LINE:,} byte",
                limit=MAX_LINE,
            )
    yield rest


async def _closing(answers: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    with answers:
        while piece := answers.read(_PIECE):
            yield piece
