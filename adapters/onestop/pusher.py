"""A simulated one-stop system that calls the bus: every record and step by its REST door.

`python -m adapters.onestop.pusher --bus http://127.0.0.1:8080 --client-id mot-cua
--client-secret-file key --desk H99.132 --dossiers 100` runs it as a process.
The changes of one dossier go one after the other, those of many side by side; whatever fails in
passing is sent again as it was, and the bus recognises it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from adapters.http import FAILURES, Answer, exchange, open_session, retry_after
from adapters.onestop.stories import Change, Desk, Story, Teller
from schemas.dossier import Step

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts


class PushRefusedError(Exception):
    """The bus refused a change for good."""


@dataclass
class Pushed:
    """What came of it."""

    records: int = 0
    steps: int = 0
    repeats: int = 0  # attempts beyond the first


class Pusher:
    """One client of the bus."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        bus: str,
        client_id: str,
        client_secret: str,
        *,
        concurrency: int = 8,
    ) -> None:
        """`concurrency` dossiers are sent at once."""
        self.pushed = Pushed()
        self._http, self._api = http, URL(bus) / "api" / "v1"
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._token = ""
        self._free = asyncio.Semaphore(concurrency)

    async def push(self, stories: Iterable[Story]) -> Pushed:
        """Raises PushRefusedError; keeps trying through outages, so bound it by a timeout."""
        async with asyncio.TaskGroup() as group:
            for story in stories:
                await self._free.acquire()
                group.create_task(self._tell(story))
        return self.pushed

    async def _tell(self, story: Story) -> None:
        try:
            for change in story.changes:
                await self._send(change)
        finally:
            self._free.release()

    async def _send(self, change: Change) -> None:
        item, dossiers = change.item, self._api / "dossiers"
        body = item.model_dump_json(by_alias=True).encode()
        if isinstance(item, Step):
            url = (dossiers / item.code / "steps").with_query(agency=change.agency)
            await self._until_accepted("POST", url, body)
            self.pushed.steps += 1
        else:
            await self._until_accepted("PUT", dossiers / item.code, body)
            self.pushed.records += 1

    async def _until_accepted(self, method: str, url: URL, body: bytes) -> None:
        pause = _FIRST_PAUSE
        while True:
            answer = await self._attempt(method, url, body)
            if answer is not None and answer.status in {200, 202}:
                return
            if answer is not None and answer.status == 401:
                self._token = ""
            elif answer is not None and answer.status not in _PASSING:
                raise PushRefusedError(f"{method} {url.path}: HTTP {answer.status} {answer.text}")
            self.pushed.repeats += 1
            asked = retry_after(answer.headers) if answer is not None else None
            await asyncio.sleep(pause if asked is None else asked)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _attempt(self, method: str, url: URL, body: bytes) -> Answer | None:
        """None: no answer."""
        try:
            if not self._token:
                self._token = await self._log_in()
            headers = {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            }
            return await self._exchange(method, url, headers, body)
        except FAILURES:
            return None

    async def _log_in(self) -> str:
        form = aiohttp.FormData(self._form)()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._http.post(
            self._api / "token", data=form, headers=headers, timeout=_TIMEOUT
        ) as response:
            if response.status in {400, 401, 403}:
                raise PushRefusedError(f"the bus refuses the client's key (HTTP {response.status})")
            response.raise_for_status()
            return str((await response.json())["access_token"])

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        return await exchange(self._http, method, url, headers=headers, timeout=_TIMEOUT, data=body)


async def _run(options: argparse.Namespace) -> None:
    desks = tuple(Desk(code, f"UBND {code}") for code in options.desk)
    stories = Teller(desks, options.seed, options.first_day).stories(options.dossiers)
    secret = options.client_secret_file.read_text().strip()
    async with open_session() as http:
        pusher = Pusher(http, options.bus, options.client_id, secret)
        pushed = await pusher.push(stories)
    print(f"{pushed.records} records, {pushed.steps} steps, {pushed.repeats} repeats")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.onestop.pusher")
    parser.add_argument("--bus", required=True, help="its address, without a path")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--client-secret-file", type=Path, required=True)
    parser.add_argument("--desk", action="append", required=True, help="may be repeated")
    parser.add_argument("--dossiers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first-day", type=date.fromisoformat, default=date(2026, 8, 3))
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
