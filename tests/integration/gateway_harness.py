"""A whole gateway on a real ledger: a small province, its clients, and how tests talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import uvicorn
from fastapi import FastAPI

from adapters.http import open_session
from adapters.registry import adapters
from bus.engine.accept import Acceptor
from bus.engine.live import LiveConfig
from bus.gateway.app import create_app
from bus.gateway.calling import Partners
from bus.gateway.inquirer import Inquirer
from bus.gateway.limits import GatewayLimits
from bus.gateway.probes import Probed
from bus.gateway.services import GatewayDeps, no_secrets
from bus.ledger.config_store import Change, Item, Kind, name_of
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from bus.ops.health import Examiner
from bus.ops.metrics import Metrics
from schemas import instant
from schemas.adapter import AdapterConfig, Manifest, OutboundDelivery, Outcome
from schemas.inquiries import Payment, PaymentInquiry, PostalEvent
from schemas.province import Agency, Alias, Client, Endpoint

OFFICE, BUILD, DISTRICT, COMMUNE, HEALTH = "H38.01", "H38.02", "H38.30", "H38.30.07", "H38.03"
MAIL = Endpoint(name="hop-thu", kind="mailbox")

AGENCIES = (
    Agency(code="H38", name="UBND tỉnh", endpoint="hop-thu"),
    Agency(
        code=OFFICE,
        name="Văn phòng UBND tỉnh",
        parent="H38",
        aliases=(Alias(code="000.00.01.H38"),),
    ),
    Agency(code=BUILD, name="Sở Xây dựng", parent="H38"),
    Agency(code=HEALTH, name="Sở Y tế", parent="H38"),
    Agency(code=DISTRICT, name="UBND huyện Mẫu", parent="H38"),
    Agency(code=COMMUNE, name="UBND xã Suối Mẫu", parent=DISTRICT),
)
CLIENTS = (
    Client(id="van-phong", agencies=(OFFICE,), rate=10_000, burst=10_000),
    Client(id="so-xay-dung", agencies=(BUILD,), rate=10_000, burst=10_000),
    Client(id="so-y-te", agencies=(HEALTH,), rate=10_000, burst=10_000),
    Client(id="huyen", agencies=(DISTRICT,), descendants=True, rate=10_000, burst=10_000),
    Client(id="van-hanh", roles=("operator",), rate=10_000, burst=10_000),
)


def packet(
    sender: str = OFFICE,
    to: tuple[str, ...] = (BUILD,),
    number: int = 1,
    *,
    priority: int = 0,
    subject: str = "Báo cáo tháng",
) -> bytes:
    """A small edXML document of this project's own writing."""
    ns = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
    receivers = "".join(f"<e:To><e:OrganId>{code}</e:OrganId></e:To>" for code in to)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="{ns}">'
        f'<e:edXMLEnvelope xmlns:e="{ns}">'
        f"<e:edXMLHeader><e:MessageHeader><e:From><e:OrganId>{sender}</e:OrganId>"
        f"<e:Telephone>0912 345 678</e:Telephone></e:From>{receivers}"
        f"<e:DocumentId>{sender},2026/11/02,{number}/VP</e:DocumentId>"
        f"<e:Code><e:CodeNumber>{number}</e:CodeNumber><e:CodeNotation>VP</e:CodeNotation></e:Code>"
        f"<e:Subject>{subject}</e:Subject>"
        f"<e:SignerInfo><e:FullName>Phạm Thị Bí Mật</e:FullName></e:SignerInfo>"
        f"<e:OtherInfo><e:Priority>{priority}</e:Priority></e:OtherInfo></e:MessageHeader>"
        f"</e:edXMLHeader></e:edXMLEnvelope></edXML>"
    ).encode()


@dataclass
class Harness:
    """One running gateway and the keys of its clients."""

    app: FastAPI
    ledger: Ledger
    live: LiveConfig
    http: httpx2.AsyncClient
    keys: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, client: str) -> str:
        if client not in self.tokens:
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "client_secret": self.keys[client],
            }
            answer = await self.http.post("/api/v1/token", data=form)
            assert answer.status_code == 200, answer.text
            self.tokens[client] = answer.json()["access_token"]
        return self.tokens[client]

    async def call(self, client: str | None, method: str, path: str, **given: Any) -> Any:
        """A request as `client`; None: without credentials."""
        headers = dict(given.pop("headers", {}))
        if client is not None:
            headers["Authorization"] = f"Bearer {await self.token(client)}"
        return await self.http.request(method, path, headers=headers, **given)

    async def send(
        self, client: str, content: bytes, key: str | None = None, **headers: str
    ) -> Any:
        sent = {"Content-Type": "application/xml"} | headers
        if key is not None:
            sent["Idempotency-Key"] = key
        return await self.call(client, "POST", "/api/v1/documents", headers=sent, content=content)

    async def declare(self, kind: Kind, old: Item | None, new: Item | None) -> None:
        """Changes the configuration and waits until the gateway follows it."""
        await self.apply([Change(kind, name_of(new or old), old, new)])  # type: ignore[arg-type]

    async def apply(self, changes: Sequence[Change]) -> None:
        followed = asyncio.Event()
        self.live.on_change(lambda _snapshot: followed.set())
        expected = await self.ledger.config.revision()
        await self.ledger.config.apply(changes, expected=expected, actor="test", reason="test")
        async with asyncio.timeout(10):
            await followed.wait()


class Answers:
    """A partner that answers look-ups."""

    manifest: ClassVar[Manifest] = adapters()["vnpost"].manifest
    config_model: ClassVar[type[AdapterConfig]] = AdapterConfig

    async def deliver(self, delivery: OutboundDelivery) -> Outcome:
        raise AssertionError(delivery)

    async def payment(self, inquiry: PaymentInquiry) -> Payment:
        return Payment(paid=inquiry.reference.startswith(inquiry.code))

    async def track(self, code: str) -> tuple[PostalEvent, ...]:
        return (PostalEvent(status="100", title=code),)

    async def close(self) -> None: ...


async def _declare_province(ledger: Ledger) -> None:
    items: list[tuple[Kind, Item]] = [("endpoint", MAIL)]
    items += [("agency", agency) for agency in AGENCIES]
    items += [("client", client) for client in CLIENTS]
    changes = [Change(kind, name_of(item), None, item) for kind, item in items]
    await ledger.config.apply(changes, expected=0, actor="test", reason="test")


@asynccontextmanager
async def opened(
    database_url: str,
    folder: Path,
    *,
    limits: GatewayLimits | None = None,
    metrics_token: str | None = None,
    **given: Any,
) -> AsyncIterator[Harness]:
    """The gateway of one test. `given` replaces fields of GatewayDeps."""
    await migrate(database_url)
    ledger = await Ledger.open(database_url, folder / "blobs", actor="gateway-test")
    await _declare_province(ledger)
    live = LiveConfig(ledger.config, poll=0.05)
    await live.start()
    limits = limits or GatewayLimits()
    manifests = {kind: adapter.manifest for kind, adapter in adapters().items()}
    acceptor = Acceptor(
        ledger,
        live,
        manifests,
        max_bytes=limits.max_packet,
        max_files=limits.max_files,
        inline_bytes=64 * 1024,
    )
    deps = GatewayDeps(
        ledger=ledger,
        acceptor=acceptor,
        live=live,
        inquirer=Inquirer(acceptor, lambda _: Answers()),
        probed=Probed(Metrics(), Examiner({"ledger": ledger.queries.ping}, keep=0), metrics_token),
        partners=Partners(session := open_session(), given.get("secrets", no_secrets)),
        limits=limits,
    )
    app = create_app(replace(deps, **given))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bus") as http:
        keys = {
            client.id: await ledger.identities.add_key(
                client.id, expires_at=None, clock=instant.now
            )
            for client in CLIENTS
        }
        try:
            yield Harness(app, ledger, live, http, keys)
        finally:
            await session.close()
            await live.close()
            await ledger.close()


@asynccontextmanager
async def served(app: FastAPI, **options: Any) -> AsyncIterator[str]:
    """The same application behind a real server on a free port; its base URL."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none", **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
