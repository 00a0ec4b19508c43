"""A stage with one sending agency and three receiving sandboxes, for the proofs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.stage import Agency, Process, Stage
from tests.proof.judge import Book, Verdict, judge, missing
from tests.proof.load import Key, Sender
from tests.waiting import wait_until

SENDER = "so-y-te"
SPLIT = ("gateway", "dispatcher", "worker", "worker")


@dataclass
class Scene:
    stage: Stage
    sender: Sender
    books: dict[str, Book]

    @property
    def targets(self) -> list[tuple[str, str]]:
        return [(self.agency(name).code, name) for name in self.books]

    def agency(self, endpoint: str) -> Agency:
        return next(each for each in self.stage.agencies if each.endpoint == endpoint)

    def key(self, name: str, endpoint: str) -> Key:
        return Key(name, "document", (self.agency(endpoint).code,), (endpoint,))

    def process(self, role: str) -> Process:
        return next(each for each in self.stage.bus if each.name.startswith(role))

    def arrived(self) -> dict[str, int]:
        return {name: len(book.refresh().effects) for name, book in self.books.items()}

    async def fault(self, endpoint: str, mode: str, **details: Any) -> None:
        url = f"{self.agency(endpoint).sandbox_url}/_sandbox/fault"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json={"mode": mode, **details}) as answer,
        ):
            answer.raise_for_status()

    async def breaker(self, endpoint: str) -> str:
        """`open` or `closed`, as `/metrics` shows it."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.stage.url}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        value = next(
            (x for x in lines if x.startswith(f'lgsp_breaker_open{{endpoint="{endpoint}"}}')), "0"
        )
        return "open" if float(value.split()[-1]) else "closed"

    async def settle(self, seconds: float) -> Verdict:
        """Wait until everything sent has arrived, nobody helping, and judge."""
        sent, books = self.sender.sent, self.books
        try:
            await wait_until(lambda: not missing(sent, books), seconds)
        except AssertionError:
            raise AssertionError(f"not settled in {seconds:g} s: {judge(sent, books)}") from None
        return judge(sent, books)


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    roles: Sequence[str] = ("serve",),
    database_url: str | None = None,
    broker_url: str | None = None,
    endpoint_options: dict[str, Any] | None = None,
    settings: dict[str, str] | None = None,
) -> AsyncIterator[Scene]:
    stage = Stage(
        folder,
        roles=roles,
        database_url=database_url,
        broker_url=broker_url,
        endpoint_options=endpoint_options,
        settings=settings,
    )
    try:
        await asyncio.to_thread(stage.open)
        own = next(each for each in stage.agencies if each.endpoint == SENDER)
        books = {each.endpoint: Book(each.receipts) for each in stage.agencies if each.pushed_to}
        async with Sender(stage.url, own.code, own.client, own.client_secret) as sender:
            yield Scene(stage, sender, books)
    finally:
        await asyncio.to_thread(stage.close)
