"""The day's dossiers: two one-stop systems (một cửa), the national portal, the province's portal.

A department's software sends to the bus, a commune's is fetched from; the national portal loses
sessions and answers.  What it has at the end must be what was told, step by step.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from adapters.dvcqg.sandbox import DSTCODE, FORWARD
from adapters.http import open_session
from adapters.onestop.pusher import Pusher
from adapters.onestop.stories import SERVICES, Desk, Story, Teller
from deploy.demo.centre import DECLARED, Centre, Mark, mark_of
from deploy.demo.check import Entry, read_book
from deploy.stage import PROVINCE, Agency, Process, bare_environment, free_port
from schemas.province import Holidays, calendar_of
from schemas.vietnam import VIETNAM

FIRST_DAY = date(2026, 8, 3)
PERIOD = ("2026-08-01", "2026-10-31")
ACCOUNT = "000.00.00.H99"
NATIONAL, PROVINCIAL = "000.00.00.G22", "H99.90"
DEPARTMENT = Desk("H99.14", "Sở Xây dựng tỉnh Sơn Bình")
COMMUNE = Desk("H99.31.02", "UBND H99.31.02")  # as its simulator calls it
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Told:
    """How far it is: lines of timelines at the national portal, and all that were told."""

    arrived: int
    expected: int


def holidays() -> list[Holidays]:
    """Of the province, as it declares them."""
    declared = yaml.safe_load((PROVINCE / "holidays.yaml").read_text())
    return [Holidays.model_validate(year) for year in declared["holidays"]]


class Dossiers:
    """The processes around the bus, what the province declares for them, and the check."""

    def __init__(self, folder: Path, count: int, seed: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._holidays = holidays()
        calendar = calendar_of(self._holidays)
        department = Teller((DEPARTMENT,), seed, FIRST_DAY, calendar=calendar)
        commune = Teller((COMMUNE,), seed + 1, FIRST_DAY, calendar=calendar)
        self.pushed = list(department.stories(count - count // 2))
        self.pulled = list(commune.stories(count // 2))
        names = ("cong-dvcqg", "cong-tinh", "mot-cua-xa")
        self.secret_values = {name: secrets.token_urlsafe(32) for name in names}
        self._ports = {name: free_port() for name in names}
        self._centre: Centre | None = None
        self.processes = [
            self._portal(),
            self._process("cong-tinh", "adapters.webhook.sandbox", "--log", str(self._published)),
            self._one_stop(count // 2, seed + 1),
        ]

    @property
    def stories(self) -> list[Story]:
        return self.pushed + self.pulled

    @property
    def _published(self) -> Path:
        return self._folder / "cong-tinh.received.ndjson"

    def url(self, name: str) -> str:
        """Where the process of that name listens."""
        return f"http://127.0.0.1:{self._ports[name]}"

    # --- processes ------------------------------------------------------------------------------

    def _process(self, name: str, module: str, *options: str) -> Process:
        secret = self._folder / f"{name}.key"
        secret.touch(mode=0o600)
        secret.write_text(self.secret_values[name])
        command = [sys.executable, "-m", module, "--port", str(self._ports[name])]
        if module != "adapters.dvcqg.sandbox":
            command += ["--secret-file", str(secret)]
        environment, log = bare_environment(), self._folder / f"{name}.log"
        return Process(name, [*command, *options], environment, log)

    def _portal(self) -> Process:
        accounts = self._folder / "accounts.json"
        account = {"username": ACCOUNT, "madonvi": ACCOUNT}
        accounts.write_text(json.dumps([account | {"password": self.secret_values["cong-dvcqg"]}]))
        options = ["--accounts", str(accounts), "--store", str(self._folder / "portal.db")]
        options += ["--lapse", "0.01", "--lookup-shows-steps"]
        return self._process("cong-dvcqg", "adapters.dvcqg.sandbox", *options)

    def _one_stop(self, count: int, seed: int) -> Process:
        options = ["--unit", COMMUNE.code, "--desk", COMMUNE.code, "--dossiers", str(count)]
        options += ["--seed", str(seed), "--first-day", FIRST_DAY.isoformat()]
        for year in self._holidays:
            options += [f"--holiday={day}" for day in year.days]
            options += [f"--made-up={day}" for day in year.made_up]
        return self._process("mot-cua-xa", "adapters.onestop.sandbox", *options)

    # --- what the province declares -------------------------------------------------------------

    def declared(self) -> dict[str, list[Any]]:
        return {
            "agencies": [
                {"code": NATIONAL, "name": "Cổng Dịch vụ công quốc gia", "endpoint": "cong-dvcqg"},
                {
                    "code": PROVINCIAL,
                    "name": "Cổng thông tin điện tử tỉnh Sơn Bình",
                    "parent": "H99",
                    "endpoint": "cong-tinh",
                },
            ],
            "endpoints": [self._national(), self._provincial(), self._fetched()],
            "subscriptions": [
                {"name": "cong-thong-tin", "sender": "H99*", "receivers": [NATIONAL, PROVINCIAL]}
            ],
            "mappings": [
                {"table": "procedure", "local": each.local, "national": each.national}
                for each in SERVICES
            ],
            "clients": [DECLARED],
            "procedures": [
                {
                    "code": each.local,
                    "title": each.name,
                    "limit": each.limit.model_dump(mode="json"),
                }
                for each in SERVICES
            ],
        }

    def _national(self) -> dict[str, Any]:
        adapter = self.url("cong-dvcqg") + FORWARD
        config = {
            "url": f"{adapter}/tichhop",
            "login_url": f"{adapter}/login",
            "username": ACCOUNT,
            "password": "cong-dvcqg",
            "madonvi": ACCOUNT,
            "dstcode": DSTCODE,
            "answer_seconds": 2,
            "lookup_shows_steps": True,
            "exchange_url": f"{adapter}/hoso",
            "fetch_questions": True,
            "poll_seconds": 1,
        }
        return {"name": "cong-dvcqg", "kind": "dvcqg", "title": "Cổng DVC quốc gia"} | {
            "config": config
        }

    def _provincial(self) -> dict[str, Any]:
        config = {"url": self.url("cong-tinh") + "/hooks/dossiers", "secret": "cong-tinh"}
        return {"name": "cong-tinh", "kind": "webhook", "title": "Cổng tỉnh", "config": config}

    def _fetched(self) -> dict[str, Any]:
        config: dict[str, Any] = {"unit_code": COMMUNE.code, "poll_seconds": 1}
        config |= {"url": f"{self.url('mot-cua-xa')}/profiles", "secret": "mot-cua-xa"}
        config["receive_url"] = f"{self.url('mot-cua-xa')}/rest/nhanhsdvcqg"
        return {
            "name": "mot-cua-xa",
            "kind": "onestop",
            "title": "Một cửa xã Bản Liền",
            "speaks_for": [COMMUNE.code],
            "config": config,
        }

    # --- the day --------------------------------------------------------------------------------

    async def play(
        self, client: Agency, centre: Centre, report: Callable[[Told], None], deadline: float
    ) -> None:
        """`client` is the department's system. Returns when everything is there, or at the end."""
        self._centre = centre
        following = asyncio.create_task(centre.follow())
        expected = sum(len(story.steps) for story in self.stories)
        give_up = time.monotonic() + deadline
        async with open_session() as http:
            fault = {"mode": "cut", "probability": 0.05, "seconds": 5}
            for portal in ("cong-dvcqg", "cong-tinh"):
                await http.post(f"{self.url(portal)}/_sandbox/fault", json=fault)
            pusher = Pusher(http, client.bus, client.client, client.client_secret)
            pushing = asyncio.create_task(pusher.push(self.pushed))
            while time.monotonic() < give_up:
                arrived = await self._lines(http)
                report(Told(arrived, expected))
                found = await self.problems(http)
                if not found:
                    break
                await asyncio.sleep(POLL_SECONDS)
            await pushing
        following.cancel()

    async def _lines(self, http: aiohttp.ClientSession) -> int:
        async with http.get(f"{self.url('cong-dvcqg')}/_sandbox/report") as answer:
            return int((await answer.json())["line"])

    # --- the check ------------------------------------------------------------------------------

    async def problems(self, http: aiohttp.ClientSession) -> list[str]:
        """What the portals have, against what was told; knows nothing of the bus."""
        async with http.get(f"{self.url('cong-dvcqg')}/_sandbox/timelines") as answer:
            lines = (await answer.text()).splitlines()
        there = {each["MaHoSo"]: each for each in map(json.loads, lines)}
        found = [f"portal: {code} was never told" for code in there.keys() - self._codes()]
        for story in self.stories:
            found += _differences(story, there.get(story.code))
        published = [entry for entry in read_book(self._published) if entry["first"]]
        found += differing("provincial portal", self.stories, by_code(published))
        if self._centre is not None:
            found += differing("operations centre", self.stories, self._centre.seen)
        return found

    async def check(self) -> list[str]:
        async with open_session() as http:
            return await self.problems(http)

    def _codes(self) -> set[str]:
        return {story.code for story in self.stories}


def by_code(published: Iterable[Entry]) -> dict[str, list[Mark]]:
    """What the provincial portal got of each dossier, in order of arrival."""
    found: dict[str, list[Mark]] = {}
    for entry in published:
        code, kind, mark = entry["identity"].split(" ", 2)
        found.setdefault(code, []).append((kind, mark))
    return found


def differing(who: str, stories: Sequence[Story], seen: Mapping[str, Sequence[Mark]]) -> list[str]:
    """Everything that was told must be there, once, and in the order of each dossier."""
    codes = {story.code for story in stories}
    found = [f"{who}: {code} was never told" for code in sorted(seen.keys() - codes)]
    for story in stories:
        told = [mark_of(change.item.model_dump(by_alias=True)) for change in story.changes]
        there = list(seen.get(story.code, ()))
        if there != told:
            found.append(f"{who}: {len(there)} of {len(told)} of {story.code}, or out of order")
    return found


def _differences(story: Story, there: dict[str, Any] | None) -> list[str]:
    if there is None:
        return [f"portal: dossier {story.code} is missing"]
    told = [(_stamp(step.at), str(int(step.status)), step.content) for step in story.steps]
    names = ("ThoiDiemXuLy", "TrangThai", "NoiDungXuLy")
    timeline = [tuple(line[name] for name in names) for line in there["timeline"]]
    found = []
    if timeline != told:
        found.append(f"portal: timeline of {story.code} has {len(timeline)} of {len(told)} steps")
    if there["record"]["TrangThaiHoSo"] != str(int(story.record.status)):
        found.append(f"portal: record of {story.code} is not the latest")
    if there["inserts"] != 1:
        found.append(f"portal: {story.code} was inserted {there['inserts']} times")
    return found


def _stamp(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%Y%m%d%H%M%S")
