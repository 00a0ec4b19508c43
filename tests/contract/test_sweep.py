"""Blobs no message names go away, and only those, on every database."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from bus.ledger.blobs import BlobStore
from bus.ledger.ledger import Ledger
from bus.ledger.queries import Queries
from bus.ledger.sweep import SAFE_SECONDS, BlobSweep
from tests.contract.test_ledger import acceptance
from tests.ledgers import prepare
from tests.waiting import wait_until


@pytest.fixture
async def ledger(ledger_url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    await prepare(ledger_url)
    opened = await Ledger.open(ledger_url, tmp_path / "blobs")
    yield opened
    await opened.close()


async def put(blobs: BlobStore, content: bytes) -> str:
    writer = blobs.writer()
    await writer.write(content)
    return await writer.commit()


async def accept(ledger: Ledger, content: bytes) -> None:
    """As the gateway does it: the blob first, then the message that names it."""
    await put(ledger.blobs, content)
    ref = content.decode()
    await ledger.accept(replace(acceptance(ref, content=content), content=None))


def age(path: Path) -> None:
    then = time.time() - SAFE_SECONDS - 60
    os.utime(path, (then, then))


async def test_only_old_blobs_that_no_message_names_go(ledger: Ledger) -> None:
    blobs = ledger.blobs
    forgotten, young = await put(blobs, b"forgotten"), await put(blobs, b"young")
    await accept(ledger, b"named")
    (named,) = (await ledger.queries.messages(agencies=None))[:1]
    for name in (forgotten, named.sha256):
        age(blobs.path(name))
    foreign = blobs.path(forgotten).with_name("notes.txt")
    foreign.write_text("not ours", "utf-8")
    age(foreign)
    assert await BlobSweep(ledger.queries, blobs).round() == (1, 0, False)
    assert not blobs.path(forgotten).exists()
    assert blobs.path(young).exists()
    assert foreign.exists()
    async with ledger.original(named.id) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"named"


async def test_a_small_original_in_its_row_keeps_no_blob(ledger: Ledger) -> None:
    forgotten = await put(ledger.blobs, b"small")
    age(ledger.blobs.path(forgotten))
    await ledger.accept(acceptance("1", content=b"small"))
    assert (await BlobSweep(ledger.queries, ledger.blobs).round()).blobs == 1


async def test_packets_that_stopped_arriving_go(ledger: Ledger) -> None:
    left, live = ledger.blobs.incoming / "left", ledger.blobs.writer()
    left.write_bytes(b"half a pack")
    age(left)
    await live.write(b"still arriving")
    assert (await BlobSweep(ledger.queries, ledger.blobs).round()).incoming == 1
    assert not left.exists()
    assert ledger.blobs.path(await live.commit()).exists()


async def test_each_round_is_bounded_and_all_rounds_see_everything(ledger: Ledger) -> None:
    for number in range(25):
        content = f"n{number}".encode()
        if number % 2:
            await accept(ledger, content)
        else:
            await put(ledger.blobs, content)
    names = ledger.blobs.names("", 100)
    for name in names:
        age(ledger.blobs.path(name))
    sweep = BlobSweep(ledger.queries, ledger.blobs, per_round=4)
    rounds = [await sweep.round() for _ in range(7)]
    assert sum(swept.blobs for swept in rounds) == 13
    assert [swept.more for swept in rounds] == [True] * 6 + [False]
    assert max(swept.blobs for swept in rounds) <= 4
    assert set(ledger.blobs.names("", 100)) == await ledger.queries.named_blobs(names)
    assert (await sweep.round()).more, "it begins anew"


class NamedMeanwhile(Queries):
    """A ledger that hears of one more message between the question and its use."""

    def __init__(self, ledger: Ledger, content: bytes) -> None:
        super().__init__(ledger.db)
        self._ledger, self._new = ledger, content

    async def named_blobs(self, names: Collection[str]) -> set[str]:
        named = await super().named_blobs(names)
        await accept(self._ledger, self._new)
        return named


async def test_what_is_written_anew_while_sweeping_stays(ledger: Ledger) -> None:
    """A sender repeats what a crash had left for days: the sweep already thought it nobody's."""
    path = ledger.blobs.path(await put(ledger.blobs, b"again"))
    age(path)
    sweep = BlobSweep(NamedMeanwhile(ledger, b"again"), ledger.blobs)
    assert (await sweep.round()).blobs == 0
    assert path.exists()


async def test_nothing_is_put_in_its_place_while_one_is_removed(ledger: Ledger) -> None:
    """Whoever writes waits until the one who removes has let go."""
    writer = ledger.blobs.writer()
    await writer.write(b"late")
    with ledger.blobs.locked(fcntl.LOCK_EX):
        writing = asyncio.create_task(writer.commit())
        await wait_until(_somebody_waits_for_a_lock, what="the writer to wait")
        assert not writing.done()
    assert ledger.blobs.path(await writing).exists()


def _somebody_waits_for_a_lock() -> bool:
    ours = f" {os.getpid()} "
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    return any("-> FLOCK" in line and ours in line for line in lines)
