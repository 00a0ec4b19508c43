"""The bus' own parts go away one by one, for real: a worker is killed, RabbitMQ is not reached by
one process or by any, PostgreSQL is stopped. Those that are left tell it, and that it is over.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bus.app import ROLES, running
from bus.ledger.ledger import Ledger
from bus.ops.alerts.processes import PROCESSES
from bus.settings import Settings
from deploy.services import PostgreSQL, RabbitMQ
from deploy.stage import bare_environment, free_port
from tests.ledgers import prepare
from tests.serving import serving
from tests.waiting import wait_until

SECONDS = 90.0
Event = tuple[str, str]
"""What became of an alert, and its rule."""


class Receiver:
    """A webhook that keeps what it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.told: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.told += json.loads(await request.read())["alerts"]
        return web.Response(status=204)

    @property
    def events(self) -> list[Event]:
        return [(each["event"], each["rule"]) for each in self.told]

    async def hears(self, event: str, rule: str, *, times: int = 1) -> dict[str, Any]:
        """What it was told of it last."""
        await wait_until(
            lambda: self.events.count((event, rule)) >= times,
            SECONDS,
            lambda: f"{event} {rule}, told so far: {self.events}",
        )
        *_, found = (each for each in self.told if (each["event"], each["rule"]) == (event, rule))
        return found


@asynccontextmanager
async def _receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/alerts", receiver.take)
    async with serving(app) as url:
        receiver.url = f"{url}/alerts"
        yield receiver


def _settings(folder: Path, receiver: Receiver, **more: Any) -> Settings:
    """A bus that looks often and is soon impatient."""
    (folder / "data").mkdir()
    (folder / "secrets").mkdir()
    (folder / "secrets" / "canh-bao").write_text("khoa-ky-canh-bao-2026")
    thresholds = {
        "process_seconds": 0.5,
        "process_settles": 1,
        "broker_seconds": 0.5,
        "role_seconds": 0.5,
        "ledger_seconds": 0.5,
    }
    alerts = {
        "every": 0.25,
        "resolve_after": 0.5,
        "group_seconds": 0.5,
        "webhook": {"url": receiver.url, "secret": "canh-bao"},
        "thresholds": thresholds,
    }
    return Settings.load(
        None,
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        http_port=0,
        alerts=alerts,
        **more,
    )


def _worker(settings: Settings, broker_url: str, folder: Path) -> subprocess.Popen[bytes]:
    """`lgsp worker` as a process of its own."""
    env = bare_environment() | {
        "LGSP_DATA_DIR": str(settings.data_dir),
        "LGSP_DATABASE_URL": settings.database_url,
        "LGSP_SECRETS_DIR": str(settings.secrets_dir),
        "LGSP_BROKER_URL": broker_url,
        "LGSP_BROKER_PREFIX": settings.broker_prefix,
        "LGSP_ALERTS": settings.alerts.model_dump_json(),
    }
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "bus.cli", "worker"],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def _expected(ledger: Ledger, kind: str) -> None:
    """Until one of that kind would be missed."""

    async def known() -> bool:
        kinds = (await ledger.alerts.memory()).get(PROCESSES, {"kinds": {}})["kinds"]
        return bool(kinds.get(kind, {"full": 0})["full"])

    condition: Callable[[], bool | Awaitable[bool]] = known
    await wait_until(condition, SECONDS, f"{kind} to be expected")


@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_a_worker_without_broker_and_then_killed_is_told_by_those_that_live(
    tmp_path: Path, postgres_url: str, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.start()
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(_receiving())
        settings = _settings(
            tmp_path,
            receiver,
            database_url=postgres_url,
            broker_url=rabbitmq.url,
            broker_prefix=f"alerts-{uuid.uuid4().hex[:8]}",
        )
        await prepare(postgres_url)
        ledger = await Ledger.open(postgres_url, settings.blob_dir)
        stack.push_async_callback(ledger.close)
        await stack.enter_async_context(running(settings, ROLES))
        cut = _worker(settings, f"amqp://guest:guest@127.0.0.1:{free_port()}/", tmp_path)
        stack.callback(cut.wait)
        stack.callback(cut.kill)
        told = await receiver.hears("raised", "broker-cut")
        assert told["culprit"].endswith("/worker")
        await _expected(ledger, "worker")
        cut.kill()
        told = await receiver.hears("raised", "process-lost")
        assert told["culprit"] == "bus:worker"
        assert f"pid {cut.pid}" in told["what"]["vi"]
        assert "lgsp worker" in told["step"]["en"]
        await receiver.hears("resolved", "broker-cut")
        good = _worker(settings, rabbitmq.url, tmp_path)
        stack.callback(good.wait)
        stack.callback(good.terminate)
        await receiver.hears("resolved", "process-lost")
        assert ("raised", "role-missing") not in receiver.events
        assert ("raised", "broker-away") not in receiver.events


@pytest.mark.rabbitmq
async def test_a_broker_that_is_stopped_is_told_and_that_it_is_back(
    tmp_path: Path, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.start()
    async with _receiving() as receiver:
        prefix = f"alerts-{uuid.uuid4().hex[:8]}"
        settings = _settings(tmp_path, receiver, broker_url=rabbitmq.url, broker_prefix=prefix)
        async with running(settings, ROLES):
            await asyncio.to_thread(rabbitmq.stop_app)
            try:
                told = await receiver.hears("raised", "broker-away")
            finally:
                await asyncio.to_thread(rabbitmq.start_app)
            assert (told["culprit"], told["severity"]) == ("bus:rabbitmq", "critical")
            await receiver.hears("resolved", "broker-away")
            assert {rule for _, rule in receiver.events} == {"broker-away"}


@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_the_ledger_away_is_told_without_it_also_at_the_start_and_written_down_later(
    tmp_path: Path, postgres_url: str, postgres: PostgreSQL
) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(_receiving())
        settings = _settings(tmp_path, receiver, database_url=postgres_url)
        await prepare(postgres_url)
        await asyncio.to_thread(postgres.stop)
        opening = asyncio.create_task(stack.enter_async_context(running(settings, ROLES)))
        told = await receiver.hears("raised", "ledger-away")
        assert not opening.done(), "it waits"
        assert told["culprit"] == "bus:ledger"
        assert "PostgreSQL" in told["step"]["vi"]
        await asyncio.to_thread(postgres.start)
        await opening
        await receiver.hears("resolved", "ledger-away")
        await asyncio.to_thread(postgres.stop)
        await receiver.hears("raised", "ledger-away", times=2)
        await asyncio.to_thread(postgres.start)
        await receiver.hears("resolved", "ledger-away", times=2)
        ledger = await Ledger.open(postgres_url, settings.blob_dir)
        stack.push_async_callback(ledger.close)

        async def written() -> bool:
            return len(await ledger.alerts.raised(limit=9)) == 2

        condition: Callable[[], bool | Awaitable[bool]] = written
        await wait_until(condition, SECONDS, "both outages in the list of alerts")
        for row in await ledger.alerts.raised(limit=9):
            assert row.rule == "ledger-away"
            assert row.since < (row.raised_at or 0) < (row.resolved_at or 0)
        kept = [each.event for each in await ledger.queries.journal(limit=500)]
        assert kept.count("alert-raised") == kept.count("alert-resolved") == 2
        assert [event for event, _ in receiver.events] == ["raised", "resolved"] * 2
