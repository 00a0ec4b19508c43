"""What the ledger promises, on every database: one acceptance, one head, one pair of hands."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uuid_utils
from sqlalchemy.pool import QueuePool

from bus.ledger import process_acts
from bus.ledger.database import Database
from bus.ledger.journal import Chain
from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Claimed, Finish, Planned
from bus.ledger.tx import Tx
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.errors import Conflict, DuplicateMessage, LedgerUnavailable
from schemas.instant import Instant
from schemas.message import DocumentBody, Lane, Message
from tests.ledgers import prepare

S = DeliveryState
OUTCOMES = {S.DELIVERED: Result.DELIVERED, S.REJECTED: Result.REJECTED}


def acceptance(
    ref: str, key: str = "k", *, content: bytes = b"x", subject: str = "s", pull: bool = False
) -> Acceptance:
    message = Message(
        id=str(uuid_utils.uuid7()),
        sender="H99.01",
        sender_ref=ref,
        receivers=("H99.02",),
        order_key=key,
        lane=Lane.NORMAL,
        accepted_at=instant.now(),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        media_type="application/edxml+xml",
        trace="",
        body=DocumentBody(document_id=ref, number="1", notation="x", subject=subject),
    )
    return Acceptance(message, (Planned("ep", ("H99.02",), pull=pull),), "{}", "client", content)


def finish(claimed: Claimed, state: DeliveryState = S.DELIVERED, detail: str = "") -> Finish:
    return Finish(claimed, state, Outcome(OUTCOMES.get(state, Result.UNKNOWN), detail=detail))


@pytest.fixture
async def ledgers(ledger_url: str, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two processes' ways to one ledger."""
    await prepare(ledger_url)
    a = await Ledger.open(ledger_url, tmp_path / "blobs", actor="a")
    b = await Ledger.open(ledger_url, tmp_path / "blobs", actor="b")
    yield a, b
    await asyncio.gather(a.close(), b.close())


async def states(ledger: Ledger) -> list[tuple[DeliveryState, bool]]:
    rows = await ledger.queries.deliveries(limit=1000)
    return [(row.state, row.head) for row in sorted(rows, key=lambda row: row.id)]


async def take(ledger: Ledger) -> Claimed:
    (head,) = await ledger.read_heads(["ep"], 10)
    (claimed,) = await ledger.claim([head.id])
    return claimed


async def test_repeats_get_the_first_receipt(ledgers: tuple[Ledger, Ledger]) -> None:
    asked = [ledgers[n % 2].accept(acceptance("same")) for n in range(20)]
    receipts = await asyncio.gather(*asked)
    assert len({receipt.message_id for receipt in receipts}) == 1
    assert [receipt.duplicate for receipt in receipts].count(False) == 1
    assert await states(ledgers[0]) == [(S.QUEUED, True)]


async def test_other_content_under_the_same_id_is_refused(ledgers: tuple[Ledger, Ledger]) -> None:
    await ledgers[0].accept(acceptance("same"))
    with pytest.raises(DuplicateMessage):
        await ledgers[1].accept(acceptance("same", content=b"other"))
    assert len(await states(ledgers[0])) == 1


async def test_a_delivery_is_claimed_once(ledgers: tuple[Ledger, Ledger]) -> None:
    await ledgers[0].accept(acceptance("one"))
    (head,) = await ledgers[0].read_heads(["ep"], 10)
    claims = await asyncio.gather(*(ledgers[n % 2].claim([head.id]) for n in range(20)))
    assert sum(len(claimed) for claimed in claims) == 1


@pytest.mark.parametrize("state", [S.DELIVERED, S.REJECTED])
async def test_an_end_releases_the_next(
    ledgers: tuple[Ledger, Ledger], state: DeliveryState
) -> None:
    for ref in ("1", "2", "3"):
        await ledgers[0].accept(acceptance(ref))
    finished = await ledgers[0].finish(finish(await take(ledgers[0]), state), take_next=True)
    assert finished.next is not None
    assert await states(ledgers[0]) == [(state, False), (S.SENDING, True), (S.QUEUED, False)]


@pytest.mark.parametrize("state", [S.DEAD, S.HELD])
async def test_dead_and_held_block_their_key_until_they_go_again(
    ledgers: tuple[Ledger, Ledger], state: DeliveryState
) -> None:
    await ledgers[0].accept(acceptance("1"))
    await ledgers[0].accept(acceptance("2"))
    claimed = await take(ledgers[0])
    await ledgers[0].finish(finish(claimed, state), take_next=True)
    assert await ledgers[1].read_heads(["ep"], 10) == []
    assert await ledgers[1].replay([claimed.id], actor="t", reason="r") == [claimed.id]
    assert (await take(ledgers[0])).id == claimed.id


async def test_a_replay_is_undone_as_far_as_nothing_has_left(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    for ref, key in (("1", "a"), ("2", "a"), ("3", "b"), ("4", "c")):
        await ledgers[0].accept(acceptance(ref, key=key))
    dead = []
    for claimed in await ledgers[0].claim([h.id for h in await ledgers[0].read_heads(["ep"], 10)]):
        if claimed.order_key != "c":
            await ledgers[0].finish(finish(claimed, S.DEAD))
            dead.append(claimed.id)
    everything = [row.id for row in await ledgers[0].queries.deliveries()]
    assert await ledgers[1].undo_replay(everything, actor="t", reason="r") == [], "nothing replayed"
    assert await ledgers[1].replay(dead, actor="t", reason="r") == dead
    (left,) = await ledgers[0].claim(dead[:1])
    queries = ledgers[1].queries
    assert await queries.delivery_ids(states=[S.QUEUED], replayed=True) == dead[1:]
    assert await ledgers[1].undo_replay(everything, actor="t", reason="r") == dead[1:]
    rows = await queries.deliveries(ids=dead)
    assert {row.id: row.state for row in rows} == {left.id: S.SENDING, dead[1]: S.DEAD}
    assert await ledgers[0].read_heads(["ep"], 10) == [], "each blocks its key, as before"
    assert await ledgers[1].replay(dead, actor="t", reason="r") == dead[1:]


async def test_cancelling_the_head_releases_the_next(ledgers: tuple[Ledger, Ledger]) -> None:
    await ledgers[0].accept(acceptance("1"))
    await ledgers[0].accept(acceptance("2"))
    (head,) = await ledgers[0].read_heads(["ep"], 10)
    assert await ledgers[1].cancel([head.id], actor="t", reason="r") == [head.id]
    assert await states(ledgers[0]) == [(S.CANCELLED, False), (S.QUEUED, True)]


async def test_an_outcome_after_being_taken_back_is_not_held(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    await ledgers[0].accept(acceptance("1"))
    claimed = await take(ledgers[0])

    async def take_back(tx: Tx, _chain: Chain, now: Instant) -> list[int]:
        return await tx.take_back("a", (), now)

    assert await ledgers[1].act(take_back) == [claimed.id]
    again = await take(ledgers[1])
    assert again.maybe_sent
    assert not (await ledgers[0].finish(finish(claimed))).held
    assert await states(ledgers[0]) == [(S.SENDING, True)]


async def test_a_key_has_exactly_one_head_under_stress(ledgers: tuple[Ledger, Ledger]) -> None:
    order: dict[str, list[int]] = {"k0": [], "k1": []}

    async def accept() -> None:
        for n in range(60):
            await ledgers[n % 2].accept(acceptance(str(n), f"k{n // 2 % 2}"))

    async def send(ledger: Ledger) -> None:
        while sum(map(len, order.values())) < 60:
            for head in await ledger.read_heads(["ep"], 10):
                for claimed in await ledger.claim([head.id]):
                    order[claimed.order_key].append(claimed.id)
                    await ledger.finish(finish(claimed))

    async with asyncio.timeout(60):
        await asyncio.gather(accept(), *(send(ledger) for ledger in ledgers))
    assert all(ids == sorted(ids) and len(ids) == 30 for ids in order.values())
    assert set(await states(ledgers[0])) == {(S.DELIVERED, False)}
    assert not (await ledgers[0].verify_journal()).problems


async def test_pull_deliveries_are_never_heads(ledgers: tuple[Ledger, Ledger]) -> None:
    await ledgers[0].accept(acceptance("1", pull=True))
    await ledgers[0].accept(acceptance("2"))
    assert await states(ledgers[0]) == [(S.QUEUED, False), (S.QUEUED, True)]


async def test_of_two_contradicting_acknowledgements_one_counts(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    for n in range(20):
        receipt = await ledgers[0].accept(acceptance(str(n), pull=True))
        (row,) = await ledgers[0].queries.deliveries_of(receipt.message_id)
        answers = await asyncio.gather(
            *(
                ledger.acknowledge(row.id, state=state, partner_ref="", detail="", actor="t")
                for ledger, state in zip(ledgers, (S.DELIVERED, S.REJECTED), strict=True)
            ),
            return_exceptions=True,
        )
        assert [isinstance(answer, Conflict) for answer in answers].count(True) == 1


async def test_a_poisonous_acceptance_fails_alone(ledgers: tuple[Ledger, Ledger]) -> None:
    refs = [acceptance(str(n), f"k{n}") for n in range(5)]
    poison = acceptance("\ud800", "p")
    answers = await asyncio.gather(
        *(ledgers[0].accept(each) for each in [*refs, poison]), return_exceptions=True
    )
    assert [isinstance(answer, BaseException) for answer in answers] == [False] * 5 + [True]


async def test_an_outcome_with_any_text_is_written(ledgers: tuple[Ledger, Ledger]) -> None:
    await ledgers[0].accept(acceptance("1"))
    claimed = await take(ledgers[0])
    assert (await ledgers[0].finish(finish(claimed, S.REJECTED, "a\0b\ud800"))).held
    assert await states(ledgers[0]) == [(S.REJECTED, False)]


async def test_wide_fan_outs_at_once_are_all_accepted(ledgers: tuple[Ledger, Ledger]) -> None:
    """More order keys than PostgreSQL's table of locks has places for, from two processes."""
    receivers = [f"ep{n}" for n in range(400)]

    def wide(ref: str) -> Acceptance:
        each = acceptance(ref, key=ref)
        planned = tuple(Planned(name, ("H99.02",)) for name in receivers)
        return Acceptance(each.message, planned, "{}", "client", b"x")

    asked = [ledgers[n % 2].accept(wide(f"wide-{n}")) for n in range(60)]
    receipts = await asyncio.gather(*asked)
    assert len({receipt.message_id for receipt in receipts}) == 60


async def test_a_probe_takes_the_least_tried_of_the_heads(ledgers: tuple[Ledger, Ledger]) -> None:
    """Waiting ones too, and at once: otherwise nothing would ever find a partner back."""
    ledger, _ = ledgers
    await ledger.accept(acceptance("first", "a"))
    waiting = finish(await take(ledger), S.WAITING)
    later = ledger.clock() + 3_600_000_000
    await ledger.finish(Finish(waiting.claimed, S.WAITING, waiting.outcome, later))
    probe = await ledger.ready_probe("ep")
    assert probe is not None
    assert probe.id == waiting.claimed.id
    (again,) = await ledger.claim([probe.id])
    await ledger.finish(Finish(again, S.WAITING, waiting.outcome, later))
    await ledger.accept(acceptance("second", "b"))
    untried = await ledger.ready_probe("ep")
    assert untried is not None
    assert untried.id != probe.id
    assert await ledger.ready_probe("elsewhere") is None


async def test_what_a_process_holds_that_nobody_knows_is_taken_back(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """It was killed before it was registered, or when it had been taken for dead."""
    a, b = ledgers

    async def bury() -> list[int] | None:
        return await b.act(
            lambda tx, chain, now: process_acts.bury(
                tx, chain, now, "a", beat_seen=process_acts.UNREGISTERED, actor="b"
            )
        )

    await a.accept(acceptance("1"))
    claimed = await take(a)
    assert await b.queries.holders() == {"a"}
    await a.act(
        lambda tx, chain, now: process_acts.register(
            tx, chain, now, "a", roles="worker", host="h", pid=1
        )
    )
    assert await bury() is None, "it has registered since"
    await a.act(lambda tx, _chain, _now: tx.execute("DELETE FROM process"))
    assert await bury() == [claimed.id]
    assert await b.queries.holders() == set()
    assert await states(b) == [(S.WAITING, True)]


async def test_nothing_waits_for_a_moment_that_a_wrong_clock_has_set(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    a, b = ledgers
    await a.accept(acceptance("1"))
    claimed = await take(a)
    hour = instant.now() + 3_600 * instant.SECOND
    outcome = Outcome(Result.TRANSIENT)
    await a.finish(Finish(claimed, S.WAITING, outcome, next_attempt_at=hour))
    await a.open_breaker("ep", probe_at=hour, error="away")
    assert await b.read_heads(["ep"], 10) == []
    freed = await b.act(
        lambda tx, chain, now: process_acts.clock_set_back(tx, chain, now, seconds=3_600, actor="b")
    )
    assert freed == 1
    assert [head.id for head in await b.read_heads(["ep"], 10)] == [claimed.id]
    probe_at = (await b.queries.endpoint_states())["ep"].probe_at
    assert probe_at is not None
    assert probe_at <= instant.now()


@pytest.mark.postgres
async def test_when_every_connection_waits_the_ledger_is_unavailable(postgres_url: str) -> None:
    """And no fault of the bus: senders are told to try again."""
    database = Database(postgres_url)
    pool = database._reader.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 0.1
    try:
        async with AsyncExitStack() as stack:
            for _ in range(pool.size() + pool._max_overflow):
                await stack.enter_async_context(database.read())
            with pytest.raises(LedgerUnavailable):
                await stack.enter_async_context(database.read())
    finally:
        await database.close()
