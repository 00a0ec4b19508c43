"""The real command as a process, and a ledger with a small province's traffic in it."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import uuid_utils

from adapters.registry import adapters
from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Claimed, Finish, Planned
from routing.directory import Directory
from routing.router import Facts, route
from routing.table import RouteTable
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.message import DocumentBody, Lane, Message
from schemas.province import Province

ROOT = Path(__file__).parents[2]
OFFICE, HEALTH, WARD, HOME_AFFAIRS = "H38.01", "H38.02", "H38.02.01", "H38.03"
PROVINCE = """
endpoints:
  - name: so-y-te
    kind: rest-push
    config: {url: 'https://yte.example/in', secret: yte}
  - {name: hop-thu, kind: mailbox}
agencies:
  - {code: H38, name: Tỉnh Lào Cai}
  - {code: H38.01, name: Văn phòng, parent: H38}
  - {code: H38.02, name: Sở Y tế, parent: H38, endpoint: so-y-te}
  - {code: H38.02.01, name: Trạm Y tế xã A, parent: H38.02}
  - {code: H38.03, name: Sở Nội vụ, parent: H38, endpoint: hop-thu}
routes:
  - {name: giu-lai, receiver: H38.02.01, action: hold, reason: đang sáp nhập}
clients:
  - {id: van-phong, title: Phần mềm Văn phòng, agencies: [H38.01]}
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class Cli:
    """Runs `lgsp` as a process that knows the ledger from its environment."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.folder = folder
        self.declared = folder / "province"
        self.declared.mkdir()
        (self.declared / "all.yaml").write_text(PROVINCE, "utf-8")

    def __call__(
        self,
        *arguments: str | int,
        code: int = 0,
        lang: str = "en",
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Done:
        """What it printed; the exit status must be `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "bus.cli", "--lang", lang, *map(str, arguments)],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "LANG": "C.UTF-8",
                "LGSP_DATABASE_URL": self.database_url,
                "LGSP_DATA_DIR": str(self.folder / "data"),
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, (
            f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str | int, code: int = 0) -> Any:
        """Standard output as the one JSON document it must be."""
        return orjson.loads(self(*arguments, "--json", code=code).out)

    def set_up(self) -> None:
        """An empty ledger with the province in force."""
        self("migrate")
        self("apply", "-f", "province", "--reason", "opening")


class Traffic:
    """What agencies and partners do, through the real ledger."""

    def __init__(self, ledger: Ledger, province: Province) -> None:
        self.ledger = ledger
        self.directory = Directory(province.agencies)
        self.routes = RouteTable(province.routes)
        self.endpoints = {endpoint.name: endpoint for endpoint in province.endpoints}
        self.manifests = {kind: each.manifest for kind, each in adapters().items()}
        self._number = itertools.count(1)

    @classmethod
    async def open(cls, cli: Cli) -> Traffic:
        ledger = await Ledger.open(cli.database_url, cli.folder / "data" / "blobs")
        return cls(ledger, await ledger.config.province())

    async def send(
        self,
        *receivers: str,
        document: str = "",
        key: str = "",
        lane: Lane = Lane.NORMAL,
        due: date | None = None,
    ) -> str:
        """Accepted as the gateway does it; the id of the message."""
        number = next(self._number)
        document = document or f"doc-{number}"
        facts = Facts("document", OFFICE, receivers)
        decision = route(
            facts,
            self.directory,
            self.routes,
            self.endpoints,
            self.manifests,
            on=date(2026, 11, 23),
        )
        content = f"<packet n='{number}'/>".encode()
        message = Message(
            id=str(uuid_utils.uuid7()),
            sender=OFFICE,
            sender_ref=f"ref-{number}",
            receivers=receivers,
            order_key=key or document,
            lane=lane,
            accepted_at=instant.now(),
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            media_type="application/edxml+xml",
            trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            body=DocumentBody(
                document_id=document,
                number=str(number),
                notation="UBND-VX",
                subject="Kín: ông A",
                due=due,
            ),
        )
        planned = tuple(
            Planned(p.endpoint, p.receivers, p.pull, p.held) for p in decision.planned()
        )
        follows = tuple(each.agency for each in decision.receivers if each.agency)
        await self.ledger.accept(
            Acceptance(message, planned, decision.to_json(), "van-phong", content, follows)
        )
        return message.id

    async def attempt(self, message_id: str, state: DeliveryState, outcome: Outcome) -> int:
        """A worker takes the delivery that may go out and finishes it; its id."""
        rows = await self.ledger.queries.deliveries_of(message_id)
        claimed: Sequence[Claimed] = await self.ledger.claim([row.id for row in rows])
        await self.ledger.finish(Finish(claimed[0], state, outcome))
        return claimed[0].id

    async def delivered(self, message_id: str) -> int:
        outcome = Outcome(Result.DELIVERED, partner_ref="YT-1")
        return await self.attempt(message_id, DeliveryState.DELIVERED, outcome)

    async def dead(self, message_id: str, code: str = "partner-timeout") -> int:
        outcome = Outcome(Result.UNKNOWN, code=code, detail="no answer in 20 s \x1b[31m")
        return await self.attempt(message_id, DeliveryState.DEAD, outcome)
