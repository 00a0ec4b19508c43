"""The sender of the proofs: agencies' systems that behave as the bus asks them to.

It knows the REST interface and nothing else of the bus. Message n+1 of a key is sent after the
receipt for n; without an answer, or with 503 or 429, the same bytes go again under the same
Idempotency-Key until a receipt comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.proof import packets

TRY_AGAIN = frozenset({429, 502, 503, 504})
PAUSE_SECONDS = 0.1  # before a message goes again
ANSWER_SECONDS = 30.0


class Refused(AssertionError):
    """The bus said no to a message that is in order."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender knows about one message it has a receipt for."""

    key: str
    number: int  # place within its key, from 0
    sha256: str  # hex, of the bytes as sent
    endpoints: tuple[str, ...]  # where it has to arrive
    message_id: str  # of the receipt
    receipt: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One order key: a document or, for statuses, what one agency reports about a document."""

    name: str
    kind: str  # document or status
    receivers: tuple[str, ...]  # agency codes
    endpoints: tuple[str, ...]  # of these agencies

    def packet(self, sender: str, number: int, priority: int = 0) -> bytes:
        text = f"{self.name} số {number}"
        if self.kind == "status":
            receiver = self.receivers[0]
            return packets.status(
                sender=sender, receiver=receiver, document_id=self.name, note=text
            )
        return packets.document(
            sender=sender,
            receivers=self.receivers,
            document_id=self.name,
            subject=text,
            priority=priority,
            update=number > 0,
        )


@dataclass
class Sender:
    """One agency's system. `async with Sender(...)`, then `send`."""

    url: str
    agency: str  # its own code
    client: str
    secret: str = field(repr=False)
    sent: list[Sent] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)  # by status, or "no answer"
    _token: str = field(default="", repr=False)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            self.url,
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            connector=aiohttp.TCPConnector(limit=0),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def send(self, key: Key, number: int, *, priority: int = 0) -> Sent:
        """Until there is a receipt. Raises Refused for any answer that forbids another try."""
        packet = key.packet(self.agency, number, priority)
        while True:
            status, body = await self.post(packet, ref=f"{key.kind}:{key.name}:{number}")
            if status == 202:
                break
            if status not in TRY_AGAIN and status != 0:
                raise Refused(f"{key.name}/{number}: {status} {body}")
            await asyncio.sleep(PAUSE_SECONDS)
        digest = hashlib.sha256(packet).hexdigest()
        sent = Sent(key.name, number, digest, key.endpoints, body["messageId"], body)
        self.sent.append(sent)
        return sent

    async def post(self, packet: bytes, *, ref: str | None = None) -> tuple[int, dict[str, Any]]:
        """One try; status 0 when there was no answer."""
        try:
            if not self._token:
                self._token = await self._new_token()
            headers = {"Content-Type": "application/xml"} | _credentials(self._token)
            if ref is not None:
                headers["Idempotency-Key"] = ref
            path = "/api/v1/documents"
            async with self._http.post(path, data=io.BytesIO(packet), headers=headers) as response:
                body = await response.json(content_type=None)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            self.answers["no answer"] += 1
            return 0, {}
        self.answers[str(status)] += 1
        if status == 401:
            self._token = ""
            return 0, {}
        return status, body

    async def get(self, path: str) -> dict[str, Any]:
        if not self._token:
            self._token = await self._new_token()
        async with self._http.get(path, headers=_credentials(self._token)) as response:
            response.raise_for_status()
            body: dict[str, Any] = await response.json()
            return body

    async def _new_token(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "client_secret": self.secret,
        }
        async with self._http.post("/api/v1/token", data=form) as response:
            response.raise_for_status()
            return str((await response.json())["access_token"])


async def play(
    sender: Sender,
    keys: Iterable[Key],
    *,
    per_key: int,
    at_once: int,
    rate: float,
    go_on: Callable[[], bool],
) -> None:
    """Send `per_key` messages of each key, `at_once` keys at a time, while `go_on()`.

    `rate` is messages a second at most, all keys together; a key that is begun is finished.
    """
    source = iter(keys)
    pace = _Pace(rate)

    async def one_after_another() -> None:
        for key in source:
            if not go_on():
                return
            for number in range(per_key):
                await pace.turn()
                await sender.send(key, number)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_another())


class _Pace:
    """Spreads sending over time; what was missed while the bus was away is not made up for."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._gap, now)
        await asyncio.sleep(self._next - now)


def keys_for(targets: Sequence[tuple[str, str]], *, prefix: str = "vb") -> Iterable[Key]:
    """Endless keys for (agency code, endpoint) targets: every fourth of statuses, every fifth
    document to two agencies.
    """
    number = 0
    while True:
        code, endpoint = targets[number % len(targets)]
        second, other = targets[(number + 1) % len(targets)]
        name = f"{prefix}-{number:05d}"
        if number % 4 == 3:
            yield Key(name, "status", (code,), (endpoint,))
        elif number % 5 == 4 and other != endpoint:
            yield Key(name, "document", (code, second), (endpoint, other))
        else:
            yield Key(name, "document", (code,), (endpoint,))
        number += 1


def _credentials(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
