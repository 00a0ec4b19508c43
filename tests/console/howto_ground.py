"""What the how-to pages are walked on: a running bus, its agencies' systems, real traffic."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel

from adapters.rest_push.sandbox import Sandbox
from bus.ledger.ledger import Ledger
from bus.ops import keys
from deploy.stage import free_port
from schemas.delivery import DeliveryState
from schemas.vietnam import VIETNAM
from tests.console.harness import People, Served, enrol, served
from tests.integration.cli_harness import Cli
from tests.integration.dossier_harness import record, step
from tests.integration.gateway_harness import packet
from tests.waiting import wait_until

SECRET = "mot-bi-mat-du-dai-cho-moi-he-thong"
OFFICE, BUILDING, HEALTH, COMMUNE = "H99.01", "H99.14", "H99.19", "H99.31.02"
DOSSIER, LOCAL_STATUS = "H99.14-261201-0007", "CHO-KY-SO"
SECONDS = 60.0
PROVINCE = """
agencies:
  - {code: H99, name: UBND tỉnh Sơn Bình}
  - {code: H99.01, name: Văn phòng UBND tỉnh, parent: H99, endpoint: van-phong}
  - {code: H99.14, name: Sở Xây dựng, parent: H99, endpoint: so-xay-dung}
  - {code: H99.19, name: Sở Y tế, parent: H99, endpoint: so-y-te}
  - {code: H99.31.02, name: UBND xã Bản Liền, parent: H99, endpoint: xa-ban-lien}
  - {code: H99.90, name: Cổng Dịch vụ công của tỉnh, parent: H99, endpoint: cong-tinh}
endpoints:
  - {name: van-phong, title: Quản lý văn bản của Văn phòng, kind: mailbox}
  - {name: xa-ban-lien, title: Quản lý văn bản của xã Bản Liền, kind: mailbox}
  - name: so-xay-dung
    title: Quản lý văn bản của Sở Xây dựng
    kind: rest-push
    config: {url: '%(so-xay-dung)s', secret: so-xay-dung}
    retry: {first: 0.05, soft_cap: 0.1, max_attempts: 2}
    breaker: {failures: 1000}
  - name: so-y-te
    title: Quản lý văn bản của Sở Y tế
    kind: rest-push
    config: {url: '%(so-y-te)s', secret: so-y-te}
    retry: {first: 0.05, soft_cap: 0.1}
    breaker: {probe_every: 0.5}
  - name: cong-tinh
    title: Cổng Dịch vụ công của tỉnh
    kind: rest-push
    config: {url: '%(cong-tinh)s', secret: cong-tinh}
subscriptions:
  - {name: cong-tinh, sender: H99.*, receivers: [H99.90]}
clients:
  - {id: van-phong, title: Hệ thống của Văn phòng, agencies: [H99.01]}
  - {id: so-xay-dung, title: Hệ thống của Sở Xây dựng, agencies: [H99.14]}
"""
NAMES = {"operator": "Trần Thị Trực Ban", "administrator": "Nguyễn Văn Quản Trị"}
SYSTEMS = ("so-xay-dung", "so-y-te", "cong-tinh")


@dataclass
class Ground:
    """The bus as it runs, what may be sent to it, and the simulated systems that receive."""

    console: Served
    api: str
    ledger: Ledger
    systems: dict[str, Sandbox]
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)
    number: int = 200

    async def documents(self, receiver: str, count: int, subject: str = "Mời họp") -> list[str]:
        """Văn phòng sends so many; the ids of the messages."""
        made = []
        for _ in range(count):
            self.number += 1
            body = packet(OFFICE, (receiver,), self.number, subject=subject)
            kind = "application/edxml+xml"
            made.append(await self._send("POST", "van-phong", "/documents", body, kind))
        return made

    async def dossier(self, code: str, local_status: str = "") -> None:
        """Sở Xây dựng tells a dossier and a step; `local_status`: in its own words."""
        now = datetime.now(VIETNAM).replace(microsecond=0)
        facts: dict[str, Any] = {"agency": BUILDING, "received": now - timedelta(days=3)}
        whole = record(code, **facts, due=now + timedelta(days=7))
        await self._send("PUT", "so-xay-dung", f"/dossiers/{code}", _json(whole))
        status = {"status": 0, "local_status": local_status} if local_status else {"status": 4}
        told = step(code, 1, at=now, **status)
        await self._send("POST", "so-xay-dung", f"/dossiers/{code}/steps", b"[%b]" % _json(told))

    async def until(self, state: DeliveryState, endpoint: str, count: int) -> None:
        """So many deliveries of that endpoint are in that state."""

        async def reached() -> bool:
            found = await self.ledger.queries.deliveries(states=(state,), endpoint=endpoint)
            return len(found) >= count

        condition: Callable[[], bool | Awaitable[bool]] = reached
        await wait_until(condition, SECONDS, f"{count} deliveries {state} at {endpoint}")

    async def _send(
        self, method: str, client: str, path: str, body: bytes, kind: str = "application/json"
    ) -> str:
        """As this client; the id of the message."""
        headers = {
            "Authorization": f"Bearer {await self._token(client)}",
            "Content-Type": kind,
            "Idempotency-Key": str(uuid.uuid4()),
        }
        url = self.api + path
        async with self.http.request(method, url, data=body, headers=headers) as answer:
            assert answer.status in {200, 202}, await answer.text()
            told = await answer.json()
            return str(told[0]["messageId"] if isinstance(told, list) else told["messageId"])

    async def _token(self, client: str) -> str:
        if client not in self.tokens:
            key, _ = await keys.issue(self.ledger, client, expires_at=None, actor="test")
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "client_secret": key,
            }
            async with self.http.post(f"{self.api}/token", data=form) as answer:
                assert answer.status == 200, await answer.text()
                self.tokens[client] = (await answer.json())["access_token"]
        return self.tokens[client]


def _json(item: BaseModel) -> bytes:
    return item.model_dump_json(by_alias=True).encode()


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Everything up; ends with what it has started."""
    async with AsyncExitStack() as stack:
        systems = {name: Sandbox(secrets=(SECRET.encode(),)) for name in SYSTEMS}
        for system in systems.values():
            await stack.enter_async_context(system)
        cli = Cli(f"sqlite+aiosqlite:///{folder / 'ledger.db'}", folder)
        addresses = {name: system.url for name, system in systems.items()}
        (cli.declared / "all.yaml").write_text(PROVINCE % addresses, "utf-8")
        cli.set_up()
        ledger = await Ledger.open(cli.database_url, folder / "data" / "blobs")
        stack.push_async_callback(ledger.close)
        await enrol(ledger)
        for role, title in NAMES.items():
            await ledger.accounts.change(role, title=title)
        port = free_port()
        names = [f"LGSP_SECRET_{name.upper().replace('-', '_')}" for name in SYSTEMS]
        settings = dict.fromkeys(names, SECRET)
        (folder / "secrets").mkdir()
        settings |= {"LGSP_HTTP_PORT": str(port), "LGSP_SECRETS_DIR": str(folder / "secrets")}
        console = stack.enter_context(served(cli, People(), "serve", **settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Ground(console, f"http://127.0.0.1:{port}/api/v1", ledger, systems, http)
