"""A simulated agency document system that fetches from its mailbox on the bus.

`python -m adapters.mailbox.sandbox --url http://127.0.0.1:8080 --agency H38.02 …` runs it as a
process.  One packet for each parallel worker is held in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import uvloop
from pydantic import ValidationError
from yarl import URL

from adapters.http import open_session
from adapters.identity import identity_of
from adapters.mailbox.codec import Ack, Item, Listing, chunked
from adapters.receipts import Receipt, ReceiptBook

MakeStatus = Callable[[bytes, str], bytes | None]
"""Makes the status packet with the given code about a document packet, or None for no status."""

ARRIVED, ACCEPTED = "01", "03"
"""Đã đến, Đã tiếp nhận: what a document system reports by itself about each document."""


class SimulatedCrash(Exception):
    """The simulated system died at the place where `MailboxClient.crash` told it to."""


class MailboxProblem(Exception):
    """The bus did not answer as the protocol says."""


@dataclass(frozen=True, slots=True)
class Account:
    """With what the system signs in, and for which agency it fetches."""

    agency: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Account(agency={self.agency!r}, client_id={self.client_id!r})"


class MailboxClient:
    """Polls, checks the digest, keeps each message once, reports statuses, acknowledges.

    `refuse` may give a reason to reject a packet.  `parallel` packets are handled side by side:
    a page never holds two deliveries of one order key.
    """

    def __init__(
        self,
        url: str,
        account: Account,
        book: ReceiptBook,
        http: aiohttp.ClientSession,
        *,
        make_status: MakeStatus | None = None,
        refuse: Callable[[bytes], str | None] | None = None,
        parallel: int = 1,
        page: int = 100,
    ) -> None:
        self.book = book
        self.crash: str = ""  # "after-fetch" or "after-store": die there at the next packet
        self.statuses_sent = 0
        self.problems: list[str] = []
        self._api = URL(url) / "api" / "v1"
        self._account = account
        self._http = http
        self._make_status = make_status
        self._refuse = refuse
        self._parallel = parallel
        self._page = page
        self._bearer = ""
        self._bearer_ends = 0.0  # time.monotonic()

    async def poll(self) -> int:
        """Handles everything that waits now; the number of deliveries acknowledged.

        What is wrong with a single packet is noted in `problems` and stops no other.
        Raises MailboxProblem, SimulatedCrash, or what aiohttp raises when the bus is away.
        """
        done, cursor = 0, ""
        while True:
            page = await self._list(cursor)
            for group in chunked(page.items, self._parallel):
                results = await asyncio.gather(*map(self._handle, group), return_exceptions=True)
                done += sum(result is None for result in results)
                self._note(group, results)
            if page.next is None:
                return done
            cursor = page.next

    async def run(self, stop: asyncio.Event, *, interval: float = 0.5) -> None:
        """Polls until `stop`; every `interval` seconds when nothing waits or the bus is away."""
        while not stop.is_set():
            try:
                busy = await self.poll() > 0
            except (aiohttp.ClientError, TimeoutError, OSError, MailboxProblem):
                busy = False
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval):
                        await stop.wait()

    def _note(self, group: Sequence[Item], results: Sequence[BaseException | None]) -> None:
        for item, result in zip(group, results, strict=True):
            if isinstance(result, MailboxProblem):
                self.problems.append(f"{item.message_id}: {result}")
            elif result is not None:
                raise result

    async def _handle(self, item: Item) -> None:
        packet = await self._fetch(item)
        self._die_at("after-fetch")
        reason = self._refuse(packet) if self._refuse else None
        if reason:
            await self._acknowledge(item, Ack("rejected", reason=reason))
            return
        receipt = self._store(item, packet)
        self._die_at("after-store")
        if item.kind == "document":
            await self._report(item, packet)
        await self._acknowledge(item, Ack("delivered", receipt=receipt.receipt))

    async def _fetch(self, item: Item) -> bytes:
        path = f"mailbox/{item.delivery_id}/content"
        packet = await self._call("GET", self._api.joinpath(path))
        if hashlib.sha256(packet).hexdigest() != item.sha256:
            raise MailboxProblem("the content does not have the digest of the listing")
        return packet

    def _store(self, item: Item, packet: bytes) -> Receipt:
        return self.book.record(
            message_id=item.message_id,
            sha256=item.sha256,
            size=item.size,
            sender=item.sender,
            kind=item.kind,
            attempt=0,
            identity=identity_of(packet),
        )

    async def _report(self, item: Item, packet: bytes) -> None:
        """Statuses go out before the ack: a crash in between repeats them under the same key."""
        for code in (ARRIVED, ACCEPTED) if self._make_status else ():
            status = self._make_status(packet, code) if self._make_status else None
            if status is None:
                continue
            headers = {
                "Content-Type": "application/xml",
                "Idempotency-Key": f"{item.message_id}-{code}",
            }
            await self._call("POST", self._api / "documents", headers=headers, data=status)
            self.statuses_sent += 1

    async def _acknowledge(self, item: Item, ack: Ack) -> None:
        url = self._api.joinpath(f"mailbox/{item.delivery_id}/ack")
        headers = {"Content-Type": "application/json"}
        await self._call("POST", url, headers=headers, data=ack.to_json())

    async def _list(self, cursor: str) -> Listing:
        query = {"agency": self._account.agency, "limit": str(self._page)}
        if cursor:
            query["cursor"] = cursor
        answer = await self._call("GET", (self._api / "mailbox").with_query(query))
        try:
            return Listing.model_validate_json(answer)
        except ValidationError as error:
            raise MailboxProblem(f"the listing is not as described: {error}") from error

    async def _call(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> bytes:
        """An authorised call; an expired or revoked token is replaced once."""
        for _ in range(2):
            bearer = {"Authorization": f"Bearer {await self._token()}"}
            async with self._http.request(
                method, url, headers={**bearer, **(headers or {})}, data=data
            ) as response:
                body = await response.read()
                if response.ok:
                    return body
            if response.status != HTTPStatus.UNAUTHORIZED:
                break
            self._bearer = ""
        raise MailboxProblem(f"{method} {url.path} was answered with HTTP {response.status}")

    async def _token(self) -> str:
        if not self._bearer or time.monotonic() >= self._bearer_ends:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._account.client_id,
                "client_secret": self._account.client_secret,
            }
            async with self._http.post(self._api / "token", data=form) as response:
                if not response.ok:
                    raise MailboxProblem(f"no token: HTTP {response.status}")
                answer = await response.json()
            self._bearer = answer["access_token"]
            self._bearer_ends = time.monotonic() + 0.9 * float(answer.get("expires_in", 300))
        return self._bearer

    def _die_at(self, place: str) -> None:
        if self.crash == place:
            self.crash = ""
            raise SimulatedCrash(place)


async def _serve(options: argparse.Namespace) -> None:
    account = Account(
        options.agency, options.client_id, options.client_secret_file.read_text().strip()
    )
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with ReceiptBook(options.log) as book:
        async with open_session() as http:
            client = MailboxClient(options.url, account, book, http, parallel=options.parallel)
            await client.run(stop, interval=options.interval)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.mailbox.sandbox")
    parser.add_argument("--url", required=True, help="address of the bus, without /api/v1")
    parser.add_argument("--agency", required=True, help="code of the agency that fetches")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--client-secret-file", type=Path, required=True)
    parser.add_argument("--log", type=Path, help="NDJSON file of all arrivals")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between two polls")
    parser.add_argument("--parallel", type=int, default=1, help="packets handled side by side")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
