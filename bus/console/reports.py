"""Reports that were made: each is kept for the session that asked, and written as it is fetched.

They are read one after the other in the console's process: a report of a year reads a year.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bus.console.door import VISITOR
from bus.console.visitor import Visitor
from bus.ops import report_files
from bus.ops.report_files import KINDS, Kind
from bus.ops.report_model import Report
from bus.ops.report_words import Lang

KEPT_SECONDS = 900.0
MOST = 50
"""Reports kept at once; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class _Kept:
    session: bytes
    report: Report
    lang: Lang
    until: float


class Reports:
    """One per console process."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._reading = asyncio.Lock()

    async def make(
        self, visitor: Visitor, read: Callable[[], Awaitable[Report]]
    ) -> tuple[Report, dict[Kind, str]]:
        """The report, and the addresses of its files. Raises what `read` raises."""
        async with self._reading:
            report = await read()
        now = time.monotonic()
        self._kept = {key: kept for key, kept in self._kept.items() if kept.until > now}
        while len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]
        number = secrets.token_urlsafe(24)
        kept = _Kept(visitor.session.hash, report, visitor.words.lang, now + KEPT_SECONDS)
        self._kept[number] = kept
        return report, {kind: f"/report/{number}.{kind}" for kind in KINDS}

    async def serve(self, request: Request) -> Response:
        number, _, kind = request.path_params["name"].rpartition(".")
        visitor: Visitor | None = request.scope[VISITOR]
        kept = self._kept.get(number)
        if (
            kept is None
            or kind not in KINDS
            or visitor is None
            or kept.session != visitor.session.hash
            or kept.until < time.monotonic()
        ):
            return PlainTextResponse("no such report for this session", 404)
        file = await asyncio.to_thread(report_files.write, kind, kept.report, kept.lang)
        return Response(file.content, 200, file.headers, file.media_type)
