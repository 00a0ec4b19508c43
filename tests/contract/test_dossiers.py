"""What the ledger keeps of dossiers, on every database and by two processes."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import uuid_utils

from bus.ledger.ledger import Ledger
from bus.ledger.records import Acceptance, Claimed, Finish, Planned, SendAgain
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.message import DossierBody, Lane, Message, RatingBody, StepBody
from schemas.vietnam import VIETNAM
from tests.ledgers import prepare

SENDER, PORTAL = "H99.02", "cong"
AT = datetime(2026, 11, 2, 8, tzinfo=VIETNAM)


def _acceptance(body: DossierBody | StepBody | RatingBody, ref: str) -> Acceptance:
    message = Message(
        id=str(uuid_utils.uuid7()),
        sender=SENDER,
        sender_ref=ref,
        receivers=(),
        order_key=body.code,
        lane=Lane.NORMAL,
        accepted_at=instant.now(),
        sha256=hashlib.sha256(ref.encode()).hexdigest(),
        size=1,
        media_type="application/json",
        trace="",
        body=body,
    )
    text = body.model_dump_json()
    planned = (Planned(PORTAL, ("H99.90",)),)
    return Acceptance(message, planned, '{"receivers":[]}', "mot-cua", b"x", record=text)


def record(code: str, ref: str, *, status: int = 2, due: datetime | None = None) -> Acceptance:
    body = DossierBody(
        code=code, procedure="TT", agency=SENDER, channel=2, status=status, received=AT, due=due
    )
    return _acceptance(body, ref)


def step(code: str, number: int, *, status: int = 4) -> Acceptance:
    body = StepBody(
        code=code, step_id=f"B{number}", status=status, at=AT + timedelta(minutes=number)
    )
    return _acceptance(body, f"{code} {number}")


@pytest.fixture
async def ledgers(ledger_url: str, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    await prepare(ledger_url)
    a = await Ledger.open(ledger_url, tmp_path / "blobs", actor="a")
    b = await Ledger.open(ledger_url, tmp_path / "blobs", actor="b")
    yield a, b
    await asyncio.gather(a.close(), b.close())


async def test_records_and_steps_by_two_processes_at_once_leave_every_step_and_the_last_record(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """One dossier many times in one commit, rows of many dossiers in crossing order."""
    codes = [f"d{n}" for n in range(12)]
    asked = []
    for which, ledger in enumerate(ledgers):
        for code in codes if which == 0 else reversed(codes):
            for number in range(6):
                asked.append(ledger.accept(step(code, 2 * number + which, status=4)))
                asked.append(ledger.accept(record(code, f"{code} {which} {number}")))
    await asyncio.gather(*asked)
    await asyncio.gather(
        *(ledgers[0].accept(record(c, f"{c} end", status=9, due=AT)) for c in codes)
    )
    rows = await ledgers[1].dossiers.page(senders=[SENDER], limit=100)
    assert sorted(row.code for row in rows) == sorted(codes)
    assert {(row.status, row.due_at) for row in rows} == {(9, instant.from_datetime(AT))}
    for code in codes:
        steps = await ledgers[1].dossiers.steps(SENDER, code)
        assert [each.step_id for each in steps] == [f"B{n}" for n in range(12)]
        sent = await ledgers[1].dossiers.deliveries(SENDER, code)
        assert len(sent) == 12 + 12 + 1, "nothing coalesces"


async def test_a_late_told_step_does_not_turn_the_status_back(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    ledger = ledgers[0]
    await ledger.accept(step("d", 5, status=9))
    await ledger.accept(step("d", 2, status=4))
    (row,) = await ledger.dossiers.find("d")
    assert (row.status, row.record_message) == (9, None)
    await asyncio.gather(*(ledger.accept(step("d", n, status=10)) for n in (7, 6)))
    (row,) = await ledger.dossiers.find("d")
    assert (row.status, row.last_step_at) == (
        10,
        instant.from_datetime(AT + timedelta(minutes=7)),
    )


async def test_a_repeat_changes_nothing(ledgers: tuple[Ledger, Ledger]) -> None:
    first = await ledgers[0].accept(record("d", "ref", status=2))
    await ledgers[0].accept(record("d", "other", status=4))
    again = await ledgers[1].accept(record("d", "ref", status=2))
    assert (again.duplicate, again.message_id) == (True, first.message_id)
    (row,) = await ledgers[1].dossiers.find("d")
    assert row.status == 4
    assert await ledgers[1].receipt_of(SENDER, "ref") == again


async def test_a_held_delivery_keeps_its_place_until_it_is_released(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    a, b = ledgers
    await a.accept(record("d", "first"))
    await a.accept(step("d", 1))
    await a.accept(record("e", "other"))
    heads = await a.read_heads([PORTAL], 10)
    claimed = {each.order_key: each for each in await a.claim([head.id for head in heads])}
    assert claimed["d"].record is not None
    held = claimed["d"]
    why = Outcome(Result.TRANSIENT, code="unmapped", detail="vi / en")
    await a.finish(Finish(held, DeliveryState.HELD, why, counts=False))
    done = Outcome(Result.DELIVERED)
    await a.finish(Finish(claimed["e"], DeliveryState.DELIVERED, done))
    assert await b.read_heads([PORTAL], 10) == [], "its follower waits behind it"
    assert [each.id for each in await b.dossiers.unmapped("unmapped")] == [held.id]
    assert await b.dossiers.unmapped("other reason") == []
    assert await b.dossiers.unmapped_reasons("unmapped") == [("vi / en", 1)]
    assert await b.release([held.id], code="other", actor="test", reason="x") == []
    assert await b.release([held.id], code="unmapped", actor="test", reason="x") == [held.id]
    assert [head.id for head in await b.read_heads([PORTAL], 10)] == [held.id]
    assert await b.release([held.id], code="unmapped", actor="test", reason="x") == []


async def test_pages_follow_each_other(ledgers: tuple[Ledger, Ledger]) -> None:
    for n in range(7):
        await ledgers[0].accept(record(f"d{n}", f"r{n}", status=2 if n % 2 else 4))
    seen: list[str] = []
    after = None
    while rows := await ledgers[0].dossiers.page(senders=None, after=after, limit=3):
        seen += [row.code for row in rows]
        after = (rows[-1].first_message, rows[-1].sender)
    assert seen == [f"d{n}" for n in reversed(range(7))]
    some = await ledgers[0].dossiers.page(senders=[SENDER], status=4, procedure="TT")
    assert [row.code for row in some] == ["d6", "d4", "d2", "d0"]
    assert await ledgers[0].dossiers.page(senders=["H99.03"]) == []


@pytest.mark.parametrize("seed", range(3))
async def test_steps_wait_for_their_record_without_holding_it_up_and_keep_their_order(
    ledgers: tuple[Ledger, Ledger], seed: int
) -> None:
    """A portal that refuses some records, and every step of a dossier that it does not have."""
    dice, ledger = random.Random(seed), ledgers[0]
    codes = [f"H99.02-261102-{number:04d}" for number in range(4)]
    told: dict[str, list[str]] = {code: [] for code in codes}
    there: dict[str, list[str] | None] = dict.fromkeys(codes)
    refs = itertools.count()

    async def tell(code: str, *, is_record: bool) -> None:
        ref = next(refs)
        if is_record:
            await ledger.accept(record(code, f"r{ref}"))
        else:
            await ledger.accept(step(code, ref))
            told[code].append(f"B{ref}")

    async def deliver(*, generous: bool) -> None:
        heads = await ledger.read_heads([PORTAL], 10)
        in_hand = await ledger.claim([each.id for each in heads])
        keys = [claimed.order_key for claimed in in_hand]
        assert len(keys) == len(set(keys)), "one head for each key"
        for claimed in in_hand:
            takes = generous or dice.random() < 0.4
            await ledger.finish(_answered(claimed, there, takes=takes))

    for _ in range(60):
        await tell(dice.choice(codes), is_record=dice.random() < 0.25)
        if dice.random() < 0.5:
            await deliver(generous=False)
    for code in codes:
        await tell(code, is_record=True)
    while await ledger.read_heads([PORTAL], 1):
        await deliver(generous=True)
    assert there == told
    assert not await ledger.queries.backlog()


def _answered(claimed: Claimed, there: dict[str, list[str] | None], *, takes: bool) -> Finish:
    """`takes`: records are not refused."""
    shown = there[claimed.order_key]
    if claimed.kind == "dossier" and not takes:
        return Finish(claimed, DeliveryState.REJECTED, Outcome(Result.REJECTED, code="refused"))
    if claimed.kind == "dossier":
        there[claimed.order_key] = shown or []
    elif shown is None:
        lacks = Outcome(Result.REJECTED, code="partner-lacks-dossier")
        return Finish(claimed, DeliveryState.HELD, lacks, counts=False)
    else:
        shown.append(json.loads(claimed.record or "")["step_id"])
    return Finish(claimed, DeliveryState.DELIVERED, Outcome(Result.DELIVERED))


async def test_what_is_sent_again_never_overtakes_what_came_since(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """An older record behind a newer one would undo it."""
    ledger, code = ledgers[0], "H99.02-261102-0001"
    first = await ledger.accept(record(code, "r1"))
    again = SendAgain(PORTAL, ("H99.90",), code, (first.message_id,), newest=0)

    async def try_again(newest: int) -> bool:
        sending = replace(again, newest=newest)
        return await ledger.send_again(sending, actor="test", reason="test")

    (row,) = await ledger.queries.deliveries_of(first.message_id)
    assert not await try_again(row.id), "it is under way"
    await _all_delivered(ledger)
    assert not await try_again(0), "a delivery has been made since"
    assert await try_again(row.id)
    *_, newer = await ledger.queries.deliveries_of(first.message_id)
    assert (newer.state, newer.maybe_sent, newer.head) == (DeliveryState.QUEUED, True, True)
    await _all_delivered(ledger)
    await ledger.accept(record(code, "r2", status=4))
    await _all_delivered(ledger)
    assert not await try_again(newer.id), "a newer record is there"
    assert not await ledger.queries.backlog()


async def _all_delivered(ledger: Ledger) -> None:
    while heads := await ledger.read_heads([PORTAL], 10):
        for claimed in await ledger.claim([each.id for each in heads]):
            done = Outcome(Result.DELIVERED)
            await ledger.finish(Finish(claimed, DeliveryState.DELIVERED, done))


async def test_a_rating_is_counted_once_in_the_period_in_which_it_was_given(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """By two processes at once, with and without a word on the service."""

    def rating(number: int) -> Acceptance:
        at = AT + timedelta(days=number)
        service = number % 3 + 1 if number % 2 else None
        body = RatingBody(code="d1", agency=SENDER, score=number % 3 + 1, service=service, at=at)
        return _acceptance(body, f"rating {number}")

    asked = [ledger.accept(rating(number)) for number in range(10) for ledger in ledgers]
    await asyncio.gather(*asked)
    since, until = (instant.from_datetime(AT + timedelta(days=n)) for n in (2, 5))
    rows = await ledgers[0].dossiers.ratings(senders=None, since=since, until=until)
    assert [(row.score, row.service) for row in rows] == [(3, None), (1, 1), (2, None)]
    assert {(row.agency, row.code) for row in rows} == {(SENDER, "d1")}
    others = await ledgers[0].dossiers.ratings(senders=["H99.03"], since=since, until=until)
    assert not others
