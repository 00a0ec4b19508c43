"""Proof: order per key (invariant 4) and the urgent lane."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.proof.load import Key, Sent
from tests.proof.picky import Picky
from tests.proof.scene import Scene, scene
from tests.waiting import wait_until

ONE = "so-xay-dung"
SLOW = {"concurrency": 2, "config": {"answer_seconds": 60.0}}


async def test_an_urgent_document_overtakes_a_backlog(tmp_path: Path) -> None:
    """A slow receiver with two places, 60 normal documents waiting: the urgent one is next."""
    async with scene(tmp_path, endpoint_options=SLOW) as stage:
        await stage.fault(ONE, "hang")
        await _send_each(stage, [stage.key(f"thuong-{n}", ONE) for n in range(60)])
        await wait_until(lambda: stage.arrived()[ONE] == 2, what="both places taken")
        urgent = await stage.sender.send(stage.key("khan", ONE), 0, priority=1)
        await stage.fault(ONE, "slow")  # about 8 s each, the two that hang are answered at once
        await wait_until(lambda: stage.arrived()[ONE] >= 4, what="the next two")
        assert urgent.message_id in _ids(stage, ONE)[2:4], "the urgent document had to queue"
        await stage.fault(ONE, "ok")
        verdict = await stage.settle(30)
        assert verdict.clean, str(verdict)


async def test_messages_of_a_key_go_one_at_a_time(tmp_path: Path) -> None:
    """While the first of a key has no answer the second stays, and other keys go on."""
    async with scene(tmp_path, endpoint_options={"config": {"answer_seconds": 60.0}}) as stage:
        await stage.fault(ONE, "hang")
        stuck = stage.key("ket", ONE)
        first = await stage.sender.send(stuck, 0)
        await wait_until(lambda: _ids(stage, ONE) == [first.message_id], what="the first one")
        await stage.sender.send(stuck, 1)
        await stage.sender.send(stuck, 2)
        others = await _send_each(stage, [stage.key(f"khac-{n}", ONE) for n in range(4)])
        await wait_until(lambda: len(_ids(stage, ONE)) >= 5, what="the other keys")
        assert set(_ids(stage, ONE)) == {first.message_id} | {each.message_id for each in others}
        await stage.fault(ONE, "ok")
        verdict = await stage.settle(30)
        assert verdict.clean, str(verdict)


async def test_a_poisonous_message_delays_only_its_own_key(tmp_path: Path) -> None:
    """The receiver fails on one message only; other keys flow, the breaker stays closed."""
    folder = tmp_path / "picky"
    folder.mkdir()
    async with Picky(folder / "book.ndjson", poison="doc-hai số 0") as receiver:
        options = {
            "retry": {"first": 1.0, "soft_cap": 1.0},
            "config": {"url": receiver.url, "lookup_url": None},
        }
        async with scene(tmp_path / "stage", endpoint_options=options) as stage:
            stage.books = {ONE: receiver.book}
            poisonous = stage.key("doc-hai", ONE)
            for number in range(3):
                await stage.sender.send(poisonous, number)
            await wait_until(lambda: receiver.refused >= 3, what="a beginning of the trouble")
            others = await _send_each(stage, [stage.key(f"khac-{n}", ONE) for n in range(100)])
            await wait_until(lambda: len(_ids(stage, ONE)) == 100, what="the other keys")
            await wait_until(
                lambda: receiver.refused >= 8, 20, what="more failures than the breaker needs"
            )
            assert set(_ids(stage, ONE)) == {each.message_id for each in others}
            assert await stage.breaker(ONE) == "closed", "one message opened the breaker"
            receiver.poison = None
            verdict = await stage.settle(30)
            assert verdict.clean, str(verdict)


async def _send_each(stage: Scene, keys: list[Key]) -> list[Sent]:
    return list(await asyncio.gather(*(stage.sender.send(key, 0) for key in keys)))


def _ids(stage: Scene, endpoint: str) -> list[str]:
    return [effect["message_id"] for effect in stage.books[endpoint].refresh().effects]
