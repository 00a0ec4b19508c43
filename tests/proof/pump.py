"""Many clients of one door at once, cheap enough not to be the bottleneck: HTTP/1.1 by hand.

Closed loop: each connection sends its next document as soon as it has an answer. Open loop: its
documents are due at random moments (Poisson) whatever the bus does; what is due while it still
waits for an answer is sent late, and given up after LATE_SECONDS, as a person would.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

LATE_SECONDS = 1.0
ANSWER_SECONDS = 60.0
_numbers = itertools.count()

Body = Callable[[int], bytes]
"""The packet of that number."""


@dataclass(frozen=True, slots=True)
class Who:
    """One system with its token, at one door."""

    port: int
    token: str = field(repr=False)


@dataclass
class Tally:
    """What came of one stream of requests. Latencies are of receipts, in seconds."""

    offered: int = 0
    given_up: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0  # connections that ended before their answer, or could not be made
    unanswered: int = 0  # within ANSWER_SECONDS
    unclean: list[str] = field(default_factory=list)  # refusals that do not say when to come back
    latencies: list[float] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)  # message ids
    seconds: float = 0.0

    @property
    def goodput(self) -> float:
        return self.statuses[202] / self.seconds if self.seconds else 0.0

    @property
    def p99(self) -> float:
        ordered = sorted(self.latencies)
        return ordered[len(ordered) * 99 // 100] if ordered else 0.0

    def to_json(self) -> dict[str, object]:
        return {
            "seconds": round(self.seconds, 1),
            "offered": self.offered,
            "given_up": self.given_up,
            "answers": {str(status): count for status, count in sorted(self.statuses.items())},
            "accepted_per_second": round(self.goodput, 1),
            "receipt_p99_ms": round(self.p99 * 1000, 1),
            "connections_broken": self.broken,
            "unanswered": self.unanswered,
            "unclean_refusals": len(self.unclean),
        }


async def pump(
    who: Sequence[Who],
    body: Body,
    seconds: float,
    *,
    connections: int,
    rate: float | None = None,
) -> Tally:
    """`rate` is documents a second of all connections together; None: closed loop."""
    tally = Tally()
    began = time.perf_counter()
    until = began + seconds
    each = None if rate is None else rate / connections
    tasks = [_connection(who[n % len(who)], body, until, each, tally) for n in range(connections)]
    await asyncio.gather(*tasks)
    tally.seconds = time.perf_counter() - began
    return tally


async def _connection(who: Who, body: Body, until: float, rate: float | None, tally: Tally) -> None:
    line: _Line | None = None
    due = time.perf_counter()
    try:
        while True:
            if rate is not None:
                due += random.expovariate(rate)
            now = time.perf_counter()
            if max(now, due) > until:
                return
            tally.offered += 1
            if rate is not None and now - due > LATE_SECONDS:
                tally.given_up += 1
                continue
            await asyncio.sleep(max(0.0, due - now) if rate is not None else 0.0)
            try:
                line = line or _Line(*await asyncio.open_connection("127.0.0.1", who.port))
            except OSError:
                tally.broken += 1
                continue
            if not await line.ask(who, body(next(_numbers)), tally):
                line.close()
                line = None
    finally:
        if line is not None:
            line.close()


class _Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def close(self) -> None:
        self._writer.close()

    async def ask(self, who: Who, packet: bytes, tally: Tally) -> bool:
        """Whether the connection can be used again."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                sending = asyncio.ensure_future(self._send(who, packet))
                try:
                    status, headers, answer = await self._answer()
                    again = b"close" not in headers.get(b"connection", b"")
                    if again:
                        await sending
                finally:
                    sending.cancel()
                    with suppress(asyncio.CancelledError, OSError):
                        await sending
        except TimeoutError:
            tally.unanswered += 1
            return False
        except (OSError, EOFError, ValueError):
            tally.broken += 1
            return False
        tally.statuses[status] += 1
        if status == 202:
            tally.latencies.append(time.perf_counter() - began)
            tally.accepted.append(str(json.loads(answer)["messageId"]))
        elif status in {429, 503}:
            _judge_refusal(status, headers, answer, tally)
        return again

    async def _send(self, who: Who, packet: bytes) -> None:
        head = (
            f"POST /api/v1/documents HTTP/1.1\r\nHost: bus\r\nAuthorization: Bearer {who.token}\r\n"
            f"Content-Type: application/xml\r\nContent-Length: {len(packet)}\r\n\r\n"
        )
        self._writer.write(head.encode())
        self._writer.write(packet)
        await self._writer.drain()

    async def _answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        answer = await self._reader.readexactly(int(headers[b"content-length"]))
        return int(first.split()[1]), headers, answer


def _judge_refusal(status: int, headers: dict[bytes, bytes], answer: bytes, tally: Tally) -> None:
    problem = headers.get(b"content-type") == b"application/problem+json"
    if not problem or not headers.get(b"retry-after", b"").isdigit():
        tally.unclean.append(f"{status} {headers}")
        return
    said = json.loads(answer)
    if said["status"] != status or not said["detailVi"] or not said["retryable"]:
        tally.unclean.append(f"{status} {said}")
