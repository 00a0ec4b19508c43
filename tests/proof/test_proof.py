"""The proof, short: everything breaks at least once on both backends, and each seeded bug is seen.

`python -m tests.proof` runs it for as long as one likes.  Invariants 1 to 9.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from deploy.services import PostgreSQL, RabbitMQ
from tests.proof.bugs import BUGS, Bug
from tests.proof.judge import missing
from tests.proof.load import Key
from tests.proof.nest import Nest
from tests.proof.prove import Plan, Services, prove
from tests.proof.stand import AGENCIES, Stand
from tests.waiting import wait_until

AT_ONCE = 4
KILLS = ("kill -9 a process", "kill -9 all processes", "a process frozen")
OF_SERVICES = (
    *("RabbitMQ stopped", "RabbitMQ killed", "RabbitMQ cut off", "RabbitMQ silent"),
    *("PostgreSQL restarted", "PostgreSQL killed", "PostgreSQL frozen", "connections terminated"),
)


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    with Nest(tmp_path_factory.mktemp("nest") / "nest.log") as nest:
        yield nest


@pytest.mark.crash
@pytest.mark.timeout(1200)
async def test_whatever_breaks_nothing_is_lost_doubled_or_out_of_order(
    tmp_path: Path, nest: Nest
) -> None:
    """Embedded broker and SQLite: one process, every fault once."""
    plan = Plan(messages=1_000, rate=60, gap=0.5, large=1, settle_seconds=300)
    _clean(await prove(tmp_path, "embedded-sqlite", plan, nest))


@pytest.mark.crash
@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(1200)
async def test_the_same_with_roles_apart_while_broker_and_database_break(
    tmp_path: Path, nest: Nest, rabbitmq: RabbitMQ, postgres: PostgreSQL, postgres_url: str
) -> None:
    """Two gateways, dispatchers and workers; what partners do wrong is the same as above."""
    rabbitmq.start()
    plan = Plan(
        messages=2_000, rate=120, gap=0.5, faults=(*KILLS, *OF_SERVICES), settle_seconds=300
    )
    services = Services(rabbitmq, postgres, postgres_url)
    _clean(await prove(tmp_path, "rabbitmq-postgresql", plan, nest, services))


def _clean(verdict: dict[str, object]) -> None:
    print(json.dumps(verdict, ensure_ascii=False, indent=1))
    assert verdict["clean"], json.dumps(verdict, ensure_ascii=False, indent=1)


@pytest.mark.crash
@pytest.mark.timeout(1200)
async def test_the_judge_sees_each_seeded_bug(tmp_path: Path, nest: Nest) -> None:
    """Otherwise the proof would prove nothing. What is missing then is not waited for long."""
    places = asyncio.Semaphore(AT_ONCE)

    async def seen(bug: Bug) -> bool:
        plan = Plan(
            messages=250,
            rate=80,
            gap=0.3 if bug.faults else 0,
            faults=bug.faults,
            large=bug.large,
            settle_seconds=5,
        )
        async with places:
            verdict = await prove(tmp_path / bug.name, "embedded-sqlite", plan, nest, bug=bug.name)
        return bool(verdict[bug.seen_as])

    found = await asyncio.gather(*map(seen, BUGS.values()))
    assert dict(zip(BUGS, found, strict=True)) == dict.fromkeys(BUGS, True)


def test_each_invariant_has_a_seeded_bug() -> None:
    assert {bug.invariant for bug in BUGS.values()} == set(range(1, 10))


@pytest.mark.crash
@pytest.mark.timeout(900)
async def test_what_failed_while_the_clock_was_ahead_goes_once_it_is_right(
    tmp_path: Path, nest: Nest
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("3600")
    async with Stand(tmp_path / "stand", nest, extra={"PROOF_CLOCK": str(clock)}) as stand:
        await stand.fault("he-2", "503", retry_after=0)
        key = Key("truoc-gio", "document", (AGENCIES["he-2"],), ("he-2",), AGENCIES["he-1"])
        for number in range(10):
            await stand.sender.send(key, number)
            other = replace(key, name=f"{key.name}-{number}")
            await stand.sender.send(other, 0)
        _: bool = await wait_until(partial(_left_in_peace, stand, "he-2"), 300, "it has failed")
        clock.write_text("0")
        await stand.fault("he-2", "ok")
        await wait_until(
            lambda: not missing(stand.sender.sent, stand.books), 300, "all that was late"
        )


async def _left_in_peace(stand: Stand, system: str) -> bool:
    """Whether its breaker is open, as operators see it."""
    listed = json.loads(await stand.lgsp("endpoint", "list", "--json"))["items"]
    return any(each["name"] == system and each["breaker"] == "open" for each in listed)
