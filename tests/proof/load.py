"""The sender of the proofs: agencies' systems that behave as the bus asks them to.

It knows the REST interface and nothing else of the bus. Message n+1 of a key is sent after the
receipt for n; without an answer, or with 503 or 429, the same bytes go again under the same
Idempotency-Key until a receipt comes.  Keys begin when their time has come, whatever the bus does
(open loop).  What senders are told is kept as NDJSON for the judge.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
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
    sha256: str  # hex, of the bytes as sent; of a dossier's part, of what it says
    endpoints: tuple[str, ...]  # where it has to arrive
    message_id: str  # of the receipt; empty: it was fetched from a partner, which gets none
    told: tuple[str, ...] | None = None  # endpoints that the receipt names, if it names any
    at: float = 0.0  # seconds since 1970 at which the receipt came
    home: str = ""  # endpoint of the sender, where it hears of arrivals
    reported: tuple[str, ...] = ()  # receivers whose arrival (status 01) the bus tells there


@dataclass(frozen=True, slots=True)
class Request:
    """One message as it is sent."""

    method: str
    path: str
    body: bytes = field(repr=False)
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Key:
    """One order key: a document, what one agency reports about a document, or a dossier."""

    name: str
    kind: str  # document, status or dossier
    receivers: tuple[str, ...]  # agency codes; of a dossier nobody: subscriptions decide
    endpoints: tuple[str, ...]  # of these agencies
    sender: str = ""  # agency code; otherwise the client's own
    home: str = ""
    size: int = 0  # bytes of an attached file

    def request(self, sender: str, number: int, priority: int = 0) -> Request:
        sender = self.sender or sender
        if self.kind == "dossier":
            return _dossier_request(self.name, sender, number)
        packet = self.packet(sender, number, priority)
        digest = hashlib.sha256(packet).hexdigest()
        return Request("POST", "/api/v1/documents", packet, "application/xml", digest)

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
            attachment="QUJD" * (self.size // 3),
            update=number > 0,
        )

    def sent(
        self, number: int, request: Request, message_id: str, told: tuple[str, ...] | None
    ) -> Sent:
        new = self.kind == "document" and number == 0 and bool(self.home)
        reported = self.receivers if new else ()
        return Sent(
            *(self.name, number, request.sha256, self.endpoints, message_id, told),
            *(time.time(), self.home, reported),
        )


def _dossier_request(code: str, sender: str, number: int) -> Request:
    if number == 0:
        said = packets.record(code=code, sender=sender)
        method, path = "PUT", f"/api/v1/dossiers/{code}"
    else:
        said = packets.step(code=code, number=number)
        method, path = "POST", f"/api/v1/dossiers/{code}/steps"
    body = json.dumps(said, ensure_ascii=False).encode()
    return Request(method, path, body, "application/json", packets.says(said))


class History:
    """NDJSON of what was told to senders, or happened to them; a line is whole or absent."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def tell(self, what: str, **said: Any) -> None:
        self._file.write(json.dumps({"what": what, **said}, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass
class Sender:
    """One agency's system. `async with Sender(...)`, then `send`."""

    url: str  # several, separated by spaces: they are used in turn
    agency: str  # its own code
    client: str
    secret: str = field(repr=False)
    history: History | None = None
    again_every: int = 0  # every such message goes a second time, as if no receipt had come
    sent: list[Sent] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)  # by status, or "no answer"
    _token: str = field(default="", repr=False)

    async def __aenter__(self) -> Self:
        self._doors = itertools.cycle(self.url.split())
        self._http = aiohttp.ClientSession(
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
        request = key.request(self.agency, number, priority)
        ref = f"{key.kind}:{key.name}:{number}"
        body = await self._receipt(request, ref)
        sent = key.sent(number, request, body["messageId"], _endpoints(body))
        self.sent.append(sent)
        if self.history:
            self.history.tell("sent", **asdict(sent))
            if self.again_every and len(self.sent) % self.again_every == 0:
                again = await self._receipt(request, ref)
                self.history.tell("again", key=key.name, number=number, same=again == body)
        return sent

    async def _receipt(self, request: Request, ref: str) -> dict[str, Any]:
        while True:
            status, body = await self._ask(request, ref)
            if status == 202:
                return body
            if status not in TRY_AGAIN and status != 0:
                if self.history is None or status < 500:
                    raise Refused(f"{ref}: {status} {body}")
                self.history.tell("refused", ref=ref, status=status)
            await asyncio.sleep(PAUSE_SECONDS)

    async def post(self, packet: bytes, *, ref: str | None = None) -> tuple[int, dict[str, Any]]:
        """One try with a packet; status 0 when there was no answer."""
        return await self._ask(
            Request("POST", "/api/v1/documents", packet, "application/xml", ""), ref
        )

    async def _ask(self, request: Request, ref: str | None) -> tuple[int, dict[str, Any]]:
        door = next(self._doors)
        try:
            if not self._token:
                self._token = await self._new_token(door)
            headers = {"Content-Type": request.media_type} | _credentials(self._token)
            if ref is not None:
                headers["Idempotency-Key"] = ref
            async with self._http.request(
                request.method, door + request.path, data=io.BytesIO(request.body), headers=headers
            ) as response:
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
        door = next(self._doors)
        if not self._token:
            self._token = await self._new_token(door)
        async with self._http.get(door + path, headers=_credentials(self._token)) as response:
            response.raise_for_status()
            body: dict[str, Any] = await response.json()
            return body

    async def _new_token(self, door: str) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "client_secret": self.secret,
        }
        async with self._http.post(f"{door}/api/v1/token", data=form) as response:
            response.raise_for_status()
            return str((await response.json())["access_token"])


def _endpoints(receipt: dict[str, Any]) -> tuple[str, ...] | None:
    """Where it goes, as the receipt says. A dossier's does not."""
    named = receipt.get("receivers") or []
    return tuple(str(each["endpoint"]) for each in named if each["outcome"] == "deliver") or None


async def play(
    sender: Sender,
    keys: Iterable[Key],
    *,
    per_key: int,
    at_once: int,
    rate: float,
    go_on: Callable[[], bool],
) -> None:
    """Begin keys of `per_key` messages each, at random moments (Poisson), while `go_on()`.

    `rate` is messages a second on average; at most `at_once` keys are under way, so that a bus that
    is away meets a queue of senders, not all that time has brought.
    """
    dice = random.Random(1)
    places = asyncio.Semaphore(at_once)
    due = time.monotonic()

    async def tell(key: Key) -> None:
        try:
            for number in range(per_key):
                await sender.send(key, number)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for key in keys:
            due = max(due + dice.expovariate(rate / per_key), time.monotonic() - 1)
            await asyncio.sleep(due - time.monotonic())
            await places.acquire()
            if not go_on():
                return
            group.create_task(tell(key))


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
