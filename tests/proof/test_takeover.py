"""Proof: the worker that fetches from the axis dies in the middle of it, and another takes over.

Invariants 2 (nothing is lost), 3 (no double effect), 4 (order), 5 (resumes by itself).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from adapters.vxp.hub_store import NewPacket
from adapters.vxp.sandbox import Axis, Province
from deploy.services import RabbitMQ
from deploy.stage import Stage
from tests.proof.judge import Book
from tests.proof.packets import document
from tests.waiting import wait_until

OURS, THEIRS = "00.99.W00", "00.98.W00"
SECRET = "secret-of-the-axis-0123456789"
RECEIVER, REMOTE = "H99.14", "H98.14"
ENDPOINT = "so-xay-dung"
EACH = 150
SECONDS = 60.0

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres, pytest.mark.crash]


def put(axis: Axis, numbers: range) -> list[str]:
    """Packets of the other province, waiting at the axis; their digests."""
    digests = []
    for number in numbers:
        content = document(
            sender=REMOTE,
            receivers=[RECEIVER],
            document_id=f"{REMOTE},2026/03/02,{number}/BC",
            subject=f"Báo cáo số {number}",
        )
        digest = hashlib.sha256(content).hexdigest()
        axis.store.add(
            NewPacket(
                *(f"tiep-quan-{number}", THEIRS, "edoc", REMOTE, digest),
                *(f"Báo cáo số {number}", f"{number}/BC", "2026/03/02 08:00:00", content),
            ),
            [(RECEIVER, OURS)],
        )
        digests.append(digest)
    return digests


def declared(url: str) -> dict[str, object]:
    config = {"url": url, "systemid": OURS, "secret": "truc", "poll_seconds": 0.2}
    return {
        "endpoints": [{"name": "truc", "kind": "vxp", "config": config}],
        "agencies": [{"code": REMOTE, "name": "Sở Xây dựng tỉnh bạn", "endpoint": "truc"}],
    }


def arrived(book: Book) -> list[str]:
    """Digests of everything that came, repeats included."""
    return [each["sha256"] for each in book.refresh().arrivals]


@pytest.mark.timeout(240)
async def test_fetching_goes_on_at_another_worker_when_its_owner_is_killed(
    tmp_path: Path, postgres_url: str, rabbitmq: RabbitMQ
) -> None:
    """Each worker is killed in turn, and stays dead: one of the two was fetching."""
    ours, theirs = (RECEIVER,), (REMOTE,)
    provinces = [Province(OURS, SECRET.encode(), ours), Province(THEIRS, b"-" * 32, theirs)]
    async with Axis(provinces) as axis:
        stage = Stage(
            tmp_path,
            also=declared(axis.url),
            secret_values={"truc": SECRET},
            database_url=postgres_url,
            broker_url=rabbitmq.url,
            roles=("gateway", "dispatcher", "worker", "worker"),
        )
        try:
            await asyncio.to_thread(stage.open)
            office = next(each for each in stage.agencies if each.endpoint == ENDPOINT)
            book, sent = Book(office.receipts), list[str]()
            for victim in stage.bus[-2:]:
                sent += put(axis, range(len(sent), len(sent) + EACH))
                await wait_until(partial(_some_of_the_last, book, sent), SECONDS)
                await asyncio.to_thread(victim.kill)
                await wait_until(partial(_all, book, sent), SECONDS)
                victim.start()
            assert sorted(arrived(book)) == sorted(sent), "each packet once"
            await wait_until(lambda: not axis.store.received(OURS, "edoc"), SECONDS)
        finally:
            await asyncio.to_thread(stage.close)


def _some_of_the_last(book: Book, sent: Sequence[str]) -> bool:
    return len(arrived(book)) > len(sent) - EACH + EACH // 10


def _all(book: Book, sent: Sequence[str]) -> bool:
    return len(set(arrived(book))) == len(sent)
