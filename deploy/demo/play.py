"""Plays the day: agencies send, receive, and answer each document with its statuses."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp

from adapters.http import open_session
from adapters.identity import identity_of
from adapters.mailbox.sandbox import Account, MailboxClient
from adapters.receipts import ReceiptBook
from deploy.demo.check import Entry, Sent, read_book
from deploy.demo.packets import Document, make_document, make_status
from deploy.stage import Agency, StageError

IN_FLIGHT = 32
POLL_SECONDS = 0.2
FAULT_SECONDS = 3.0
STATUSES = ("01", "03")


@dataclass(slots=True)
class Progress:
    """How far the day is; `expected` counts deliveries, documents and statuses together."""

    documents: int = 0
    expected: int = 0
    arrived: int = 0
    statuses: int = 0


@dataclass
class Day:
    agencies: list[Agency]  # of all provinces
    count: int
    seed: int
    report: Callable[[Progress], None]
    deadline: float = 300.0  # seconds, from the last document sent
    sent: list[Sent] = field(default_factory=list)
    books: dict[str, list[Entry]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    faulty: str = ""

    def __post_init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._documents: dict[str, Document] = {}  # by identity
        self._answered: set[tuple[str, str]] = set()
        self._agencies = {agency.endpoint: agency for agency in self.agencies}

    async def play(self) -> None:
        """Returns when everything expected has arrived, or at the deadline."""
        async with AsyncExitStack() as stack:
            self._http = await stack.enter_async_context(open_session())
            for agency in self.agencies:
                self._tokens[agency.client] = await self._token(agency)
            stop = asyncio.Event()
            mailboxes = [self._mailbox(a, stop, stack) for a in self._pulling()]
            clerks = asyncio.create_task(self._clerks(stop))
            await self._send_all()
            await self._until_arrived()
            stop.set()
            await asyncio.gather(clerks, *mailboxes)
            self._read_books()

    def _pulling(self) -> list[Agency]:
        return [agency for agency in self.agencies if not agency.pushed_to]

    def _mailbox(
        self, agency: Agency, stop: asyncio.Event, stack: AsyncExitStack
    ) -> asyncio.Task[None]:
        """The document system of an agency that fetches from the bus."""
        client = MailboxClient(
            agency.bus,
            Account(agency.code, agency.client, agency.client_secret),
            stack.enter_context(ReceiptBook(agency.receipts)),
            self._http,
        )
        return asyncio.create_task(client.run(stop, interval=POLL_SECONDS))

    # --- sending --------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        rng = random.Random(self.seed)  # noqa: S311 - a repeatable day, not a secret
        numbers = iter(range(1, self.count + 1))
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._sender(numbers, rng))
            group.create_task(self._trouble())

    async def _sender(self, numbers: Iterator[int], rng: random.Random) -> None:
        for number in numbers:
            document = make_document(number, self.agencies, rng)
            began = time.time()
            receipt = await self._post(document.sender, document.packet, f"vb-{number}")
            self._note(receipt, document.packet, document.sender, document.receivers, began)
            self._documents[self.sent[-1].identity] = document
            self.progress.documents += 1
            self.progress.expected += len(document.receivers) * (1 + len(STATUSES))
            self.report(self.progress)

    async def _trouble(self) -> None:
        """In the middle of the day one agency's system fails for a few seconds."""
        while self.progress.documents < self.count // 3:
            await asyncio.sleep(POLL_SECONDS / 4)
        agency = next(a for a in self.agencies if a.pushed_to)
        self.faulty = agency.name
        async with self._http.post(
            f"{agency.sandbox_url}/_sandbox/fault",
            json={"mode": "503", "seconds": FAULT_SECONDS},
        ) as answer:
            answer.raise_for_status()

    async def _post(self, sender: Agency, packet: bytes, ref: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._tokens[sender.client]}",
            "Content-Type": "application/edxml+xml",
            "Idempotency-Key": ref,
        }
        url = f"{sender.bus}/api/v1/documents"
        async with self._http.post(url, data=packet, headers=headers) as answer:
            if answer.status != 202:
                raise StageError(f"{sender.name}: {answer.status} {await answer.text()}")
            receipt: dict[str, str] = await answer.json()
            return receipt

    async def _token(self, agency: Agency) -> str:
        form = aiohttp.FormData(
            {
                "grant_type": "client_credentials",
                "client_id": agency.client,
                "client_secret": agency.client_secret,
            }
        )
        async with self._http.post(f"{agency.bus}/api/v1/token", data=form) as answer:
            answer.raise_for_status()
            return str((await answer.json())["access_token"])

    def _note(
        self,
        receipt: dict[str, str],
        packet: bytes,
        sender: Agency,
        receivers: tuple[Agency, ...],
        at: float,
        stream: str = "",
    ) -> None:
        sent = Sent(
            identity=identity_of(packet),
            sha256=receipt["sha256"],
            kind="status" if stream else "document",
            sender=sender.endpoint,
            receivers=tuple(agency.endpoint for agency in receivers),
            at=at,
            stream=stream,
            rewritten=frozenset(a.endpoint for a in receivers if a.bus != sender.bus),
        )
        self.sent.append(sent)

    # --- receiving ------------------------------------------------------------------------------

    async def _clerks(self, stop: asyncio.Event) -> None:
        """Văn thư of every agency: answers what has come in."""
        while not stop.is_set():
            self._read_books()
            fresh = [
                (self._agencies[name], self._documents[entry["identity"]])
                for name, book in self.books.items()
                for entry in book
                if entry["identity"] in self._documents
                and (name, entry["identity"]) not in self._answered
                and not self._answered.add((name, entry["identity"]))  # type: ignore[func-returns-value]
            ]
            places = asyncio.Semaphore(IN_FLIGHT)
            await asyncio.gather(*(self._answer(places, by, doc) for by, doc in fresh))
            await asyncio.sleep(POLL_SECONDS)

    async def _answer(self, places: asyncio.Semaphore, by: Agency, document: Document) -> None:
        async with places:
            stream = f"{document.id} by {by.endpoint}"
            for status in STATUSES:
                began = time.time()
                packet = make_status(document, by, status)
                receipt = await self._post(by, packet, f"{status}:{document.id}")
                self._note(receipt, packet, by, (document.sender,), began, stream)
                self.progress.statuses += 1

    def _read_books(self) -> None:
        self.books = {a.endpoint: read_book(a.receipts) for a in self.agencies}
        self.progress.arrived = sum(
            entry["first"] for book in self.books.values() for entry in book
        )
        self.report(self.progress)

    async def _until_arrived(self) -> None:
        give_up = time.monotonic() + self.deadline
        while self.progress.arrived < self.progress.expected and time.monotonic() < give_up:
            await asyncio.sleep(POLL_SECONDS)
