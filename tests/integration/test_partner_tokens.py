"""Three gateways as processes of their own share the token that a partner gave one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.national.business.sandbox import BusinessDesk
from adapters.national.sandbox_gateway import SECRET, USER, NationalSandbox
from bus.gateway.national import SUFFIX
from bus.ops.province_contracts import pinned
from deploy.stage import bare_environment, free_port
from schemas.declared import BreakerPolicy
from schemas.service import Service
from tests.integration.gateway_harness import OFFICE, Harness, opened
from tests.integration.service_harness import grant
from tests.proof.nest import Nest
from tests.waiting import wait_until

CONTRACT = {f"business{SUFFIX}": b"service: business\n"}
CALLS = 10  # to each process at once


@dataclass
class Gateways:
    """Processes of one bus, a declared register, and who asks them."""

    sandbox: NationalSandbox
    bus: Harness
    urls: list[str]
    http: httpx2.AsyncClient
    folder: Path

    @property
    def tokens_asked(self) -> int:
        return len(self.sandbox.tokens)

    async def ask(self, url: str) -> int:
        headers = {"Authorization": f"Bearer {await self.bus.token('van-phong')}"}
        path = f"{url}/services/business/enterprise"
        answer = await self.http.post(path, json={"code": "0100000001"}, headers=headers)
        return answer.status_code

    async def round(self) -> set[int]:
        """Many calls to all at once; the statuses that they got."""
        await self.bus.token("van-phong")
        return set(await asyncio.gather(*(self.ask(url) for url in self.urls * CALLS)))

    def logs(self) -> str:
        return "".join(each.read_text() for each in self.folder.glob("*.log"))


@pytest.fixture
async def gateways(ledger_url: str, tmp_path: Path) -> AsyncIterator[Gateways]:
    async with (
        NationalSandbox([BusinessDesk()]) as sandbox,
        opened(ledger_url, tmp_path) as bus,
        httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None)) as http,
    ):
        sandbox.token_seconds = 3600
        await _declare(bus, sandbox)
        with Nest(tmp_path / "nest.log") as nest:
            birds, urls = [], []
            for number in range(3):
                port = free_port()
                env = _environment(ledger_url, tmp_path)
                argv = ["gateway", "--port", str(port)]
                log = tmp_path / f"gateway-{number}.log"
                birds.append(nest.start(f"gateway-{number}", argv, env, log))
                urls.append(f"http://127.0.0.1:{port}")
            for url in urls:
                await wait_until(_asking(http, url), 60, "a gateway")
            yield Gateways(sandbox, bus, urls, http, tmp_path)
            for bird in birds:
                bird.kill()


def _environment(ledger_url: str, folder: Path) -> dict[str, str]:
    return bare_environment() | {
        "LGSP_DATABASE_URL": ledger_url,
        "LGSP_DATA_DIR": str(folder),
        "LGSP_LOG_LEVEL": "DEBUG",
        "LGSP_SECRET_LGSP": SECRET,
        "LGSP_SECRET_PARTNER_SESSIONS": "the key of sessions",
    }


def _asking(http: httpx2.AsyncClient, url: str) -> Callable[[], bool | Awaitable[bool]]:
    async def alive() -> bool:
        try:
            return (await http.get(f"{url}/healthz")).status_code == 200
        except httpx2.TransportError:
            return False

    return alive


async def _declare(bus: Harness, sandbox: NationalSandbox) -> None:
    await bus.ledger.contracts.keep(list(CONTRACT.values()))
    declared: dict[str, Any] = {
        "name": "business",
        "contract": pinned(next(iter(CONTRACT)), CONTRACT),
        "address": f"{sandbox.url}/business",
        "sign_on": {
            "kind": "token",
            "token_url": f"{sandbox.url}/token",
            "client_id": USER,
            "client_secret": "lgsp",
        },
        "timeout": 60,
        "caller_rate": 100_000,
        "breaker": BreakerPolicy(failures=50),
    }
    await bus.declare("service", None, Service.model_validate(declared))
    await bus.declare("grant", None, grant(OFFICE, "business"))


async def test_three_processes_and_many_calls_ask_the_partner_for_one_token(
    gateways: Gateways,
) -> None:
    sandbox = gateways.sandbox
    for _ in range(2):
        assert await gateways.round() == {200}
    assert gateways.tokens_asked == 1
    sandbox.token_seconds = 4
    _end_all(sandbox)  # as if the partner had taken it back: 401 to every call
    assert await gateways.round() == {200}
    sandbox.token_seconds = 3600
    assert await gateways.round() == {200}
    assert gateways.tokens_asked in {2, 3}, "one renewal, whoever was refused"
    while gateways.tokens_asked < 3:  # until those four seconds are over
        assert await gateways.round() == {200}
    for _ in range(2):
        assert await gateways.round() == {200}
    assert gateways.tokens_asked == 3, "and one when it ended"
    assert all(token not in gateways.logs() for token in sandbox.tokens)


def _end_all(sandbox: NationalSandbox) -> None:
    sandbox.tokens.update(dict.fromkeys(sandbox.tokens, 0.0))
