"""Proof: a release is put in place while everything goes on, and nobody has a request refused.

Every process is ended and started again, one after the other, behind a balancer; before that the
schema of the next release is put under the running processes.  Invariants 1 to 4.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from bus.ledger.migrate import migrate
from deploy.services import RabbitMQ
from tests.newer import newer_program
from tests.proof.balancer import Balancer
from tests.proof.judge import Book, Verdict, judge_folder, missing
from tests.proof.load import Sender, play
from tests.proof.nest import Nest
from tests.proof.stand import CLIENT, Place
from tests.proof.town import MAILBOX, Town, Visitors
from tests.waiting import wait_until

SECONDS = 240.0  # a deadline, not a promise
LEAVE_SECONDS = 3  # fifteen looks of the balancer


@pytest.mark.crash
@pytest.mark.rabbitmq
@pytest.mark.postgres
@pytest.mark.timeout(900)
async def test_every_process_is_replaced_without_a_refused_request(
    tmp_path: Path, rabbitmq: RabbitMQ, postgres_url: str
) -> None:
    rabbitmq.start()
    extra = {"LGSP_LEAVE_SECONDS": str(LEAVE_SECONDS)}
    with Nest(tmp_path / "nest.log") as nest:
        async with Town(
            tmp_path / "town",
            nest,
            "rabbitmq-postgresql",
            rabbitmq,
            database_url=postgres_url,
            extra=extra,
        ) as town:
            town.books[MAILBOX] = Book(town.histories / f"{MAILBOX}.ndjson")
            async with Balancer(town.sender.url.split()) as balancer:
                await _under_traffic(town, balancer, tmp_path)
                assert balancer.failed == []
                assert min(balancer.served.values()) > 0


async def _under_traffic(town: Town, balancer: Balancer, folder: Path) -> None:
    over = asyncio.Event()
    visitors = Visitors(town, balancer.url)
    await visitors.open()
    async with Sender(
        balancer.url, "", CLIENT, town.sender.secret, town.history, again_every=7
    ) as sender:
        load = asyncio.create_task(
            play(
                sender,
                town.traffic(5),
                per_key=3,
                at_once=16,
                rate=15,
                go_on=lambda: not over.is_set(),
            )
        )
        asking = asyncio.create_task(visitors.go_on())
        try:
            await wait_until(lambda: len(sender.sent) > 30, SECONDS, "traffic")
            with newer_program(folder):
                await asyncio.to_thread(asyncio.run, migrate(str(town.database_url)))
            for place in town.places:
                await _replace(town, place, sender)
            over.set()
            await load
            await wait_until(
                lambda: not missing(sender.sent, town.books), SECONDS, lambda: _late(town)
            )
            dossiers = sum(key.startswith("H99.") for key in _keys(sender))
            await visitors.catch_up(dossiers, SECONDS)
            assert not asking.done(), asking
        finally:
            for task in (load, asking):
                task.cancel()
            await asyncio.gather(load, asking, return_exceptions=True)
            await visitors.close()
    assert set(sender.answers) == {"202"}, sender.answers
    assert visitors.failed == []
    assert visitors.calls > 20
    assert Counter(code for _, code in visitors.events) == Counter(
        key for key in _keys(sender) if key.startswith("H99.")
    ), "each record and step once"
    verdict = judge_folder(town.histories)
    assert verdict.clean, str(verdict)
    assert verdict.expected > 100


def _keys(sender: Sender) -> list[str]:
    return [each.key for each in sender.sent]


def _late(town: Town) -> str:
    verdict: Verdict = judge_folder(town.histories)
    return f"all to arrive: {verdict}"


async def _replace(town: Town, place: Place, sender: Sender) -> None:
    """SIGTERM, and a new process when the old one has ended; the next only after that."""
    bird = place.bird
    assert bird is not None
    before = len(sender.sent)
    await asyncio.to_thread(bird.stop, SECONDS)
    assert bird.status == 0, f"{place.name} ended with {bird.status}, see {place.log}"
    await town.revive(place)
    await wait_until(lambda: len(sender.sent) > before + 10, SECONDS, "traffic in between")
