"""The console inside `lgsp serve`, beside the gateway."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import orjson

from tests.console.harness import People, served
from tests.integration.cli_harness import Cli


async def test_the_console_runs_beside_the_gateway(tmp_path: Path) -> None:
    cli = Cli(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    cli("migrate")
    with served(cli, People(), "serve", "--port", "0") as running:
        started = (orjson.loads(line) for line in running.log.read_bytes().splitlines())
        gateway = next(line["address"] for line in started if line["event"] == "bus.started")
        assert gateway != running.url
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{gateway}/readyz") as answer:
                assert answer.status == 200
            async with session.get(f"{running.url}/login") as answer:
                assert answer.status == 200
                assert "LGSP" in await answer.text()
            async with session.get(f"{gateway}/login") as answer:
                assert answer.status in {401, 404}, "the doors stay apart"
