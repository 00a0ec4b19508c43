"""Proof: the database server is lost for good, its standby takes over, and the bus goes on with it.

Invariants 1 (accepted means durable), 2 (nothing is lost), 3 (no double effect), 4 (order).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from bus.ledger import postgres
from bus.ledger.ledger import Ledger
from bus.ledger.migrate import migrate
from deploy.services import RabbitMQ
from schemas.errors import LedgerUnavailable
from tests.contract.test_ledger import acceptance
from tests.proof.judge import judge_folder, missing
from tests.proof.load import play
from tests.proof.nest import Nest
from tests.proof.stand import Stand
from tests.proof.standby import NAME, Primary, Standby, both
from tests.proof.traffic import keys
from tests.waiting import wait_until

SECONDS = 240.0  # a deadline, not a promise

pytestmark = [pytest.mark.postgres, pytest.mark.crash, pytest.mark.timeout(600)]


@pytest.fixture
def primary(services_folder: Path, request: pytest.FixtureRequest) -> Iterator[Primary]:
    """Of each test its own: one of them kills it for good."""
    service = Primary(services_folder / f"primary-{request.node.name[:20]}")
    if not service.installed():
        pytest.skip("PostgreSQL is not installed on this machine")
    try:
        service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture
def standby(
    primary: Primary, services_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Standby]:
    service = Standby(services_folder / request.node.name[:20], primary)
    try:
        service.start()
        yield service
    finally:
        service.stop()


async def _follows(primary: Primary) -> None:
    connection = await asyncpg.connect(primary.url.replace("+asyncpg", ""))
    try:
        state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = $1"
        _: bool = await wait_until(
            lambda: _is(connection, state, "sync"), SECONDS, "the standby to follow"
        )
    finally:
        await connection.close()


async def _is(connection: asyncpg.Connection, query: str, wanted: str) -> bool:
    return bool(await connection.fetchval(query, NAME) == wanted)


async def test_a_repeated_receipt_waits_for_the_standby_too(
    primary: Primary, standby: Standby, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try got no receipt because the standby did not answer. The message is on the
    primary all the same: whoever asks again, at any gateway, must not hear "accepted" before the
    standby has it, or the next failover takes back a receipt.
    """
    await _follows(primary)
    url = await asyncio.to_thread(primary.create_database, "repeat")
    await migrate(url)
    first = await Ledger.open(url, tmp_path / "blobs")
    second = await Ledger.open(url, tmp_path / "blobs")
    try:
        await second.accept(acceptance("warm"))  # its journal has begun
        standby.pause()
        monkeypatch.setattr(postgres, "TRANSACTION_SECONDS", 1.0)
        with pytest.raises(LedgerUnavailable):
            await first.accept(acceptance("m1"))
        _: bool = await wait_until(partial(_seen, second), SECONDS, "it on the primary")
        with pytest.raises(LedgerUnavailable):
            await second.accept(acceptance("m1"))
        monkeypatch.setattr(postgres, "TRANSACTION_SECONDS", 60.0)
        standby.resume()
        assert (await second.accept(acceptance("m1"))).duplicate
    finally:
        standby.resume()
        await first.close()
        await second.close()


async def _seen(ledger: Ledger) -> bool:
    """Whether both messages are; whoever waits for the standby is told not to, as an operator or a
    driver's time-out does.
    """
    async with ledger.db.write() as connection:
        await connection.exec_driver_sql(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        )
        seen = await connection.exec_driver_sql("SELECT count(*) FROM message")
        return bool(seen.scalar() == 2)


@pytest.mark.rabbitmq
async def test_a_lost_primary_is_replaced_by_its_standby_and_nothing_acknowledged_is_lost(
    primary: Primary, standby: Standby, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    """Nobody tells the bus, and no process of it is restarted."""
    rabbitmq.start()
    await asyncio.to_thread(primary.create_database, "failover")
    await _follows(primary)
    url = both(primary, standby, "failover")
    over = asyncio.Event()
    with Nest(tmp_path / "nest.log") as nest:
        async with Stand(
            tmp_path / "stand", nest, "rabbitmq-postgresql", rabbitmq, database_url=url
        ) as stand:
            load = asyncio.create_task(
                play(
                    stand.sender,
                    keys(9),
                    per_key=3,
                    at_once=64,
                    rate=60,
                    go_on=lambda: not over.is_set(),
                )
            )
            try:
                await wait_until(lambda: len(stand.sender.sent) > 150, SECONDS, "traffic")
                await asyncio.to_thread(primary.kill)
                before = len(stand.sender.sent)
                await wait_until(lambda: stand.sender.answers["503"] > 5, SECONDS, "refusals")
                await asyncio.to_thread(standby.promote)
                await wait_until(
                    lambda: len(stand.sender.sent) > before + 150, SECONDS, "traffic again"
                )
                over.set()
                await load
                await wait_until(
                    lambda: not missing(stand.sender.sent, stand.books),
                    SECONDS,
                    lambda: f"all to arrive: {judge_folder(stand.histories)}",
                )
            finally:
                load.cancel()
                await asyncio.gather(load, return_exceptions=True)
            alive = [place.name for place in stand.places if place.bird and place.bird.alive]
            assert alive == [place.name for place in stand.places], "nothing was restarted"
        verdict = judge_folder(stand.histories)
        assert verdict.clean, str(verdict)
