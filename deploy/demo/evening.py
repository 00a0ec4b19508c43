"""What the day leaves to its operator (việc còn lại): a case of each kind that waits for a person.

A new department's software answers rubbish until the attempts are used up; a commune that is being
merged has its documents held by a route; this month's dossiers are finished, soon due and late, and
one has a status that nobody has mapped yet.  The province has changed twice meanwhile.
Played after the day was judged: nothing of it counts there.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from adapters.onestop.stories import SERVICES
from deploy.demo.dossiers import DEPARTMENT
from deploy.demo.packets import Document, make_document_for
from deploy.demo.registers import authorized
from deploy.stage import Agency, Process, Stage, bare_environment, free_port
from schemas.vietnam import VIETNAM

NAME = "so-noi-vu"
MERGED = "H99.31.05"
LOCAL_STATUS = "CHO-KY-SO"
LETTERS = 3  # to the department whose software is broken
WANTED = {("dead", NAME): LETTERS, ("held", "xa-ban-lien"): 1, ("held", "cong-dvcqg"): 1}
SECONDS = 60.0
PAUSE = 0.5


@dataclass
class Evening:
    """The new department's system as a process; `key` is what the bus signs with."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._port = free_port()
        self.secret_values = {NAME: secrets.token_urlsafe(32)}
        secret = self.folder / f"{NAME}.key"
        secret.touch(mode=0o600)
        secret.write_text(self.secret_values[NAME])
        command = [sys.executable, "-m", "adapters.rest_push.sandbox", "--port", str(self._port)]
        command += ["--secret-file", str(secret)]
        self.process = Process(NAME, command, bare_environment(), self.folder / f"{NAME}.log")

    def play(self, stage: Stage, client: Agency) -> list[str]:
        """`client` is the department that sends; what did not come about is returned."""
        self._declare(stage)
        self._misbehave("garbage")
        asyncio.run(self._send(client))
        missing = self._until_it_waits(stage)
        self._misbehave("ok")  # mended: what is dead can be replayed
        return [f"evening: {state} at {name}" for state, name in missing]

    # --- what is declared -----------------------------------------------------------------------

    def _declare(self, stage: Stage) -> None:
        """Twice, so that there is a history to look at."""
        file = stage.folder / "province" / "evening.yaml"
        system = {
            "name": NAME,
            "title": "Quản lý văn bản của Sở Nội vụ",
            "kind": "rest-push",
            "config": {"url": f"http://127.0.0.1:{self._port}/documents", "secret": NAME},
            "retry": {"first": 0.2, "soft_cap": 0.5, "max_attempts": 2},
            "breaker": {"failures": 50},
        }
        agency = {"code": "H99.20", "name": "Sở Nội vụ tỉnh Sơn Bình", "parent": "H99"}
        declared: dict[str, list[Any]] = {
            "agencies": [agency | {"endpoint": NAME}],
            "endpoints": [system],
        }
        self._apply(stage, file, declared, "kết nối Sở Nội vụ, tờ trình 15/TTr-STTTT")
        commune = {"code": MERGED, "name": "Ủy ban nhân dân xã Khe Vàng", "parent": "H99.31"}
        declared["agencies"].append(commune | {"endpoint": "xa-ban-lien"})
        declared["routes"] = [
            {
                "name": "xa-khe-vang-sap-nhap",
                "receiver": MERGED,
                "action": "hold",
                "reason": "xã đang sáp nhập vào xã Bản Liền, chờ mã mới",
            }
        ]
        self._apply(stage, file, declared, "xã Khe Vàng sáp nhập, nghị quyết 12/NQ-HĐND")

    @staticmethod
    def _apply(stage: Stage, file: Path, declared: dict[str, list[Any]], reason: str) -> None:
        file.write_text(yaml.safe_dump(declared, allow_unicode=True))
        stage.lgsp("apply", "-f", str(file.parent), "--reason", reason, "--yes")

    def _misbehave(self, mode: str) -> None:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/_sandbox/fault",
            json.dumps({"mode": mode}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=SECONDS):
            pass

    # --- what is sent ---------------------------------------------------------------------------

    async def _send(self, client: Agency) -> None:
        async with aiohttp.ClientSession(client.bus) as http:
            headers = await authorized(http, client)
            await _known(http, headers, MERGED)
            for document in _letters(client):
                kind = {"Content-Type": "application/edxml+xml", "Idempotency-Key": document.id}
                async with http.post(
                    "/api/v1/documents", data=document.packet, headers=headers | kind
                ) as answer:
                    answer.raise_for_status()
            for record, steps in _dossiers(datetime.now(VIETNAM).replace(microsecond=0)):
                path = f"/api/v1/dossiers/{record['code']}"
                async with http.put(path, json=record, headers=headers) as answer:
                    answer.raise_for_status()
                async with http.post(f"{path}/steps", json=steps, headers=headers) as answer:
                    answer.raise_for_status()

    @staticmethod
    def _until_it_waits(stage: Stage) -> list[tuple[str, str]]:
        """What of WANTED is still missing at the end."""
        give_up = time.monotonic() + SECONDS
        while True:
            states = ("--state", "dead", "--state", "held", "--limit", "1000", "--json")
            found = stage.lgsp("delivery", "list", *states)["items"]
            counted = Counter((each["state"], each["endpoint"]) for each in found)
            missing = [each for each, count in WANTED.items() if counted[each] < count]
            if not missing or time.monotonic() > give_up:
                return missing
            time.sleep(PAUSE)


async def _known(http: aiohttp.ClientSession, headers: dict[str, str], code: str) -> None:
    """The gateway follows what was declared, within a second as a rule."""
    give_up = time.monotonic() + SECONDS
    while True:
        async with http.get(f"/api/v1/agencies/{code}", headers=headers) as answer:
            if answer.status == 200 or time.monotonic() > give_up:
                answer.raise_for_status()
                return
        await asyncio.sleep(PAUSE)


def _letters(client: Agency) -> list[Document]:
    """To the department with the broken software, and to the commune that is being merged."""
    dice = random.Random(1)  # noqa: S311 - a repeatable evening, not a secret
    new = Agency(client.bus, NAME, "H99.20", "Sở Nội vụ", "rest-push", "", "")
    merged = Agency(client.bus, "xa-ban-lien", MERGED, "UBND xã Khe Vàng", "mailbox", "", "")
    receivers = [new] * LETTERS + [merged]
    return [
        make_document_for(90_001 + number, client, (receiver,), dice)
        for number, receiver in enumerate(receivers)
    ]


def _dossiers(now: datetime) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """This month's: two finished in time, one soon due, one late, one with an unmapped status."""
    hour = timedelta(hours=1)
    told: tuple[tuple[datetime, dict[str, Any]], ...] = (  # due, status of the last step
        (now + 100 * hour, {"status": 9}),
        (now + 100 * hour, {"status": 10}),
        (now + hour, {"status": 4}),
        (now - hour, {"status": 4}),
        (now + 200 * hour, {"status": 0, "localStatus": LOCAL_STATUS}),
    )
    service = next(each for each in SERVICES if each.local == "XD-01")
    made = []
    for number, (due, status) in enumerate(told, 1):
        code = f"{DEPARTMENT.code}-{now:%y%m%d}-{number:04d}"
        record = {
            "code": code,
            "procedure": service.local,
            "procedureName": service.name,
            "agency": DEPARTMENT.code,
            "agencyName": DEPARTMENT.name,
            "channel": 2,
            "applicant": {"kind": 1, "name": "Nguyễn Văn Mẫu"},
            "summary": service.name,
            "status": 2,
            "received": (now - 2 * hour).isoformat(),
            "due": due.isoformat(),
        }
        step = {"code": code, "id": "1", "at": now.isoformat(), "by": "Lê Văn Thử"}
        content = "Chuyển bước xử lý"
        made.append((record, [step | {"content": content} | status]))
    return made
