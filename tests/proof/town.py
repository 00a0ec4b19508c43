"""A stand with every kind of traffic: beside what a stand has, a mailbox that is fetched from, a
service that is called, and a line of dossier events that is followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

import aiohttp

from deploy.stage import Process, bare_environment, free_port
from tests.proof.load import Key, Sender
from tests.proof.stand import AGENCIES, CLIENT, Stand
from tests.proof.traffic import keys
from tests.waiting import wait_until

MAILBOX, MAILBOX_AGENCY = "hop-thu", "H99.70"
FOLLOWER = "theo-doi"
SERVICE = "cong-dan"
KNOWN = "001099000001"  # in the simulated register
PAUSE_SECONDS = 0.1


class Town(Stand):
    """`traffic` makes the stand's messages and those to the mailbox."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._register = free_port()

    def province(self) -> dict[str, Any]:
        province = super().province()
        generous = {"rate": 100_000, "burst": 100_000}
        province["endpoints"].append({"name": MAILBOX, "kind": "mailbox", "reports_arrival": False})
        province["agencies"].append(
            {"code": MAILBOX_AGENCY, "name": "Xã", "parent": "H99", "endpoint": MAILBOX}
        )
        province["clients"] += [
            {"id": MAILBOX, "agencies": [MAILBOX_AGENCY], **generous},
            {"id": FOLLOWER, "roles": ["subscriber"], "follows": ["*"], **generous},
        ]
        province["services"] = [
            {
                "name": SERVICE,
                "contract": "citizens.wsdl",
                "address": f"http://127.0.0.1:{self._register}/citizens",
                "operations": {"TraCuu": {"idempotent": True}},
            }
        ]
        agency = AGENCIES["he-1"]
        province["grants"] = [{"name": "he-1", "agency": agency, "service": SERVICE}]
        return province

    async def _declare(self) -> None:
        for name in ("citizens.wsdl", "citizens.xsd"):
            with resources.as_file(resources.files("adapters.citizens") / name) as path:
                shutil.copy(path, self.folder / name)
        command = [sys.executable, "-m", "adapters.citizens.sandbox"]
        register = Process(
            "register",
            [*command, "--port", str(self._register)],
            bare_environment(),
            self.folder / "register.log",
        )
        register.start()
        self._stack.push_async_callback(asyncio.to_thread, register.stop)
        await super()._declare()

    def traffic(self, seed: int) -> Iterator[Key]:
        """Every fifth key is for the mailbox."""
        home = AGENCIES["he-1"]
        mail = (
            Key(f"thu-{seed}-{n:06d}", "document", (MAILBOX_AGENCY,), (MAILBOX,), home, "he-1")
            for n in itertools.count()
        )
        others = keys(seed)
        while True:
            yield from itertools.islice(others, 4)
            yield next(mail)


class Visitors:
    """Those who ask the bus for something, again and again, by way of `url`; every answer that is
    not what it should be is in `failed`.
    """

    def __init__(self, town: Town, url: str) -> None:
        self._town = town
        self._url = url
        self._tokens: dict[str, str] = {}
        self._mail = (town.histories / f"{MAILBOX}.ndjson").open("a")
        self._known: set[str] = set()
        self.failed: list[str] = []
        self.calls = 0
        self.events: list[tuple[str, str]] = []  # of dossiers followed: id, code
        self._http = aiohttp.ClientSession()

    async def open(self) -> None:
        for client in (MAILBOX, FOLLOWER):
            said = await self._town.lgsp("client", "key", "add", client, "--json")
            self._tokens[client] = await self._token(client, json.loads(said)["key"])
        sender: Sender = self._town.sender
        self._tokens[CLIENT] = await self._token(CLIENT, sender.secret)

    async def close(self) -> None:
        await self._http.close()
        self._mail.close()

    async def _token(self, client: str, key: str) -> str:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": key}
        async with self._http.post(f"{self._url}/api/v1/token", data=form) as answer:
            answer.raise_for_status()
            return str((await answer.json())["access_token"])

    async def _ask(self, client: str, method: str, path: str, **more: Any) -> bytes | None:
        """None: it failed, and was noted."""
        headers = {"Authorization": f"Bearer {self._tokens[client]}", **more.pop("headers", {})}
        try:
            async with self._http.request(
                method, self._url + path, headers=headers, **more
            ) as answer:
                content = await answer.read()
                if answer.status == 200:
                    return content
                self.failed.append(f"{method} {path}: {answer.status} {content[:200]!r}")
        except (aiohttp.ClientError, OSError) as error:
            self.failed.append(f"{method} {path}: {error!r}")
        return None

    async def call(self) -> None:
        """A question to the register by way of the bus."""
        body = {"SoDinhDanh": KNOWN}
        headers = {"Lgsp-Agency": AGENCIES["he-1"]}
        said = await self._ask(
            CLIENT, "POST", f"/services/{SERVICE}/TraCuu", json=body, headers=headers
        )
        self.calls += 1
        if said is not None and KNOWN not in said.decode():
            self.failed.append(f"call: {said[:200]!r}")

    async def fetch(self) -> None:
        """What waits in the mailbox: taken, kept, acknowledged."""
        said = await self._ask(MAILBOX, "GET", "/api/v1/mailbox?limit=20")
        for item in json.loads(said)["items"] if said is not None else ():
            place = f"/api/v1/mailbox/{item['deliveryId']}"
            content = await self._ask(MAILBOX, "GET", f"{place}/content")
            if content is None:
                continue
            line = {
                "message_id": item["messageId"],
                "sha256": hashlib.sha256(content).hexdigest(),
                "first": item["messageId"] not in self._known,
                "at": time.time(),
            }
            self._known.add(item["messageId"])
            self._mail.write(json.dumps(line) + "\n")
            self._mail.flush()
            await self._ask(MAILBOX, "POST", f"{place}/ack", json={"result": "delivered"})

    async def follow(self) -> None:
        """Events of dossiers after the last that was seen."""
        path = "/api/v1/dossiers/events" + (f"?after={self._cursor}" if self._cursor else "")
        if (said := await self._ask(FOLLOWER, "GET", path)) is not None:
            batch = json.loads(said)
            self._cursor = batch["next"]
            self.events += [(each["id"], each["code"]) for each in batch["events"]]

    _cursor = ""

    async def go_on(self) -> None:
        """All three, until cancelled; each begins anew whatever the others wait for."""

        async def again(ask: Any) -> None:
            while True:
                await ask()
                await asyncio.sleep(PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            for ask in (self.call, self.fetch, self.follow):
                group.create_task(again(ask))

    async def catch_up(self, dossiers: int, seconds: float) -> None:
        """Until so many events of dossiers have come, or something has failed."""
        await wait_until(
            lambda: len(self.events) >= dossiers or self.failed, seconds, "events of dossiers"
        )
