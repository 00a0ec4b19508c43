"""The smart-city operations centre (trung tâm điều hành thông minh): it follows every dossier.

It holds the stream of events open, lets it drop now and then as networks do, and goes on where it
was.  What it has at the end must be what was told: everything, once, in the order of each dossier.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CLIENT = "trung-tam-dieu-hanh"
DECLARED = {
    "id": CLIENT,
    "title": "Trung tâm điều hành thông minh tỉnh Sơn Bình",
    "roles": ["subscriber"],
    "follows": ["*"],
    "rate": 1000,
}
DROP_AFTER = 25  # events, then the centre's line drops
PAUSE = 0.2  # seconds before it connects again

Mark = tuple[str, str]
"""What an event is of: its kind, and the step's id or the record's status."""


@dataclass
class Centre:
    """Use `follow` as a task."""

    bus: str
    key: str = field(repr=False)
    seen: dict[str, list[Mark]] = field(default_factory=dict)  # by code of the dossier
    events: int = 0
    connections: int = 0
    _cursor: str = ""

    async def follow(self) -> None:
        """Until it is cancelled."""
        async with aiohttp.ClientSession(self.bus) as http:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):  # the bus may be away
                    await self._connect(http)
                await asyncio.sleep(PAUSE)

    async def totals(self) -> dict[str, Any]:
        """Live totals of the year."""
        async with aiohttp.ClientSession(self.bus) as http:
            address = "/api/v1/dossiers/totals"
            headers = await self._authorized(http)
            async with http.get(address, params={"span": "year"}, headers=headers) as answer:
                answer.raise_for_status()
                found: dict[str, Any] = await answer.json()
                return found

    async def _connect(self, http: aiohttp.ClientSession) -> None:
        headers = await self._authorized(http)
        if self._cursor:
            headers["Last-Event-ID"] = self._cursor
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        address = "/api/v1/dossiers/events/stream"
        async with http.get(address, headers=headers, timeout=timeout) as answer:
            answer.raise_for_status()
            self.connections += 1
            before = self.events
            async for event in _events(answer.content):
                self._cursor = event["id"]
                if "data" in event:
                    self._keep(json.loads(event["data"]))
                if self.events - before >= DROP_AFTER:
                    return

    def _keep(self, told: Mapping[str, Any]) -> None:
        self.events += 1
        self.seen.setdefault(told["code"], []).append(mark_of(told["data"]))

    async def _authorized(self, http: aiohttp.ClientSession) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": self.key}
        async with http.post("/api/v1/token", data=form) as answer:
            answer.raise_for_status()
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


def mark_of(data: Mapping[str, Any]) -> Mark:
    """The same for a record or step as it was told, and as it was published."""
    return ("step", data["id"]) if "id" in data else ("dossier", str(int(data["status"])))


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, str]]:
    """Server-sent events: lines of `name: value`, an empty line ends each."""
    fields: dict[str, str] = {}
    async for raw in content:
        name, _, value = raw.decode().rstrip("\r\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not value:
            if "id" in fields:
                yield fields
            fields = {}
