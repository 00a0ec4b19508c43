"""What the ledger promises of the documents it follows, on every database and by two processes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import uuid_utils

from bus.ledger.ledger import Ledger
from bus.ledger.records import About, Acceptance, Finish, Planned
from schemas import instant
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.exchange import Event, ExchangeState, Recall
from schemas.message import DocumentBody, Lane, Message, StatusBody
from tests.ledgers import prepare

OFFICE, BUILD = "H99.01", "H99.02"
TO_BUILD, TO_OFFICE = "so", "van-phong"


def _message(ref: str, sender: str, key: str, body: DocumentBody | StatusBody) -> Message:
    return Message(
        id=str(uuid_utils.uuid7()),
        sender=sender,
        sender_ref=ref,
        receivers=(BUILD if sender == OFFICE else OFFICE,),
        order_key=key,
        lane=Lane.NORMAL,
        accepted_at=instant.now(),
        sha256=hashlib.sha256(ref.encode()).hexdigest(),
        size=1,
        media_type="application/edxml+xml",
        trace="",
        body=body,
    )


def _decision(agency: str) -> str:
    return orjson.dumps(
        {"receivers": [{"agency": agency, "outcome": "deliver", "steps": []}]}
    ).decode()


def document(name: str, *, ref: str = "", pull: bool = False, reports: bool = False) -> Acceptance:
    body = DocumentBody(document_id=name, number=name, notation="VP", subject="s")
    message = _message(ref or f"gui {name}", OFFICE, name, body)
    planned = (Planned(TO_BUILD, (BUILD,), pull=pull),)
    told_by_bus = frozenset({BUILD} if reports else ())
    return Acceptance(message, planned, _decision(BUILD), "client", b"x", (BUILD,), told_by_bus, ())


def status(event: Event, name: str, *, ref: str = "", code: str = "") -> Acceptance:
    """From the receiver; 13 from the sender. With `code` it gives that instead of the id."""
    recall = event is Event.RECALL
    sender, to, endpoint = (OFFICE, BUILD, TO_BUILD) if recall else (BUILD, OFFICE, TO_OFFICE)
    told = "" if code else name
    body = StatusBody(document_id=told, code=code, status=event.value)
    key = name if recall else f"{name}|{BUILD}"
    message = _message(ref or f"{event} {name}", sender, key, body)
    about = About(event, OFFICE, (BUILD,), told, code, "", instant.now())
    planned = (Planned(endpoint, (to,), pull=False),)
    return Acceptance(message, planned, _decision(to), "client", b"x", (), frozenset(), (about,))


@pytest.fixture
async def ledgers(ledger_url: str, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two processes' ways to one ledger."""
    await prepare(ledger_url)
    a = await Ledger.open(ledger_url, tmp_path / "blobs", actor="a")
    b = await Ledger.open(ledger_url, tmp_path / "blobs", actor="b")
    yield a, b
    await asyncio.gather(a.close(), b.close())


async def deliver(ledger: Ledger, endpoint: str = TO_BUILD) -> int:
    """One round of a worker: what may go out now is delivered. Returns how many were."""
    heads = await ledger.read_heads([endpoint], 20)
    claimed = await ledger.claim([head.id for head in heads])
    done = Outcome(Result.DELIVERED)
    await asyncio.gather(
        *(ledger.finish(Finish(each, DeliveryState.DELIVERED, done)) for each in claimed)
    )
    return len(claimed)


def outcome(decision: str) -> str:
    return str(orjson.loads(decision)["receivers"][0]["outcome"])


@pytest.mark.parametrize("named", ["by id", "by code"])
async def test_a_status_and_the_outcome_of_the_delivery_at_once_both_count(
    ledgers: tuple[Ledger, Ledger], named: str
) -> None:
    """A fast receiver answers before the bus has written that it delivered: neither is lost."""
    a, b = ledgers
    names = [f"d{n}" for n in range(80)]
    await asyncio.gather(*(a.accept(document(name)) for name in names))

    async def work() -> None:
        while await deliver(b):
            pass

    async def answer() -> None:
        for start in range(len(names), 0, -8):  # from the other end, so that locks cross
            some = names[start - 8 : start]
            await asyncio.gather(
                *(
                    a.accept(
                        status(Event.FINISH, name, code="" if named == "by id" else f"{name}/VP")
                    )
                    for name in some
                )
            )

    await asyncio.gather(work(), answer())
    rows = await a.exchanges.page(limit=200)
    assert len(rows) == len(names)
    assert {row.state for row in rows} == {ExchangeState.FINISHED}
    assert all(row.arrived_at is not None and row.finished_at is not None for row in rows)


@pytest.mark.parametrize("event", [Event.REFUSAL, Event.FINISH])
async def test_a_status_that_overtakes_the_outcome_of_its_delivery_leaves_the_arrival_to_be_told(
    ledgers: tuple[Ledger, Ledger], event: Event
) -> None:
    """The process that delivered was killed before it wrote so; another delivers again."""
    a, b = ledgers
    await a.accept(document("d", reports=True))
    await a.accept(status(event, "d"))
    assert await a.exchanges.unreported(limit=10) == []
    await deliver(b)
    (row,) = await a.exchanges.unreported(limit=10)
    assert row.arrived_at is not None


async def test_statuses_by_two_processes_never_undo_a_terminal_state(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    names = [f"d{n}" for n in range(40)]
    await asyncio.gather(*(ledgers[0].accept(document(name)) for name in names))
    asked = [
        ledgers[(n + m) % 2].accept(status(event, name))
        for n, name in enumerate(names)
        for m, event in enumerate((Event.FINISH, Event.ACCEPTANCE, Event.PROGRESS))
    ]
    await asyncio.gather(*asked)
    rows = await ledgers[0].exchanges.page(limit=200)
    assert {row.state for row in rows} == {ExchangeState.FINISHED}
    assert all(row.accepted_at is not None for row in rows)


async def test_recalls_against_workers_of_another_process(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    """Left and recalled there, or stopped here; and nobody waits for a lock in vain."""
    a, b = ledgers
    names = [f"d{n}" for n in range(60)]
    sent = await asyncio.gather(*(a.accept(document(name)) for name in names))
    worker = asyncio.create_task(_work(b))
    receipts = [await a.accept(status(Event.RECALL, name)) for name in reversed(names)]
    await worker
    await _work(b)
    for message, receipt in zip(sent, reversed(receipts), strict=True):
        (row,) = await a.exchanges.of_message(message.message_id)
        (delivery,) = await a.queries.deliveries(message_id=message.message_id, limit=5)
        if outcome(receipt.decision) == "stopped":
            assert (row.state, row.recall) == (ExchangeState.CANCELLED, Recall.AGREED)
            assert delivery.state is DeliveryState.CANCELLED
        else:
            assert (row.state, row.recall) == (ExchangeState.ARRIVED, Recall.ASKED)
            assert delivery.state is DeliveryState.DELIVERED


async def _work(ledger: Ledger) -> None:
    while await deliver(ledger):
        pass


async def test_a_recall_sent_again_does_not_go_where_the_document_never_was(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    await ledgers[0].accept(document("d"))
    for n, ledger in enumerate(ledgers):
        receipt = await ledger.accept(status(Event.RECALL, "d", ref=f"lan {n}"))
        assert outcome(receipt.decision) == "stopped"
    assert await ledgers[0].read_heads([TO_BUILD], 5) == []


@pytest.mark.parametrize("reports", [True, False])
async def test_where_the_bus_sends_01_the_sender_gets_one(
    ledgers: tuple[Ledger, Ledger], *, reports: bool
) -> None:
    """Elsewhere a repeated 01 is the receiver's own affair, and is delivered."""
    await ledgers[0].accept(document("d", reports=reports))
    await deliver(ledgers[1])
    asked = [
        ledger.accept(status(Event.INBOX, "d", ref=f"{which} {n}"))
        for n in range(5)
        for which, ledger in zip("ab", ledgers, strict=True)
    ]
    told = sorted(outcome(receipt.decision) for receipt in await asyncio.gather(*asked))
    wanted = ["already-there"] * 9 + ["deliver"] if reports else ["deliver"] * 10
    assert told == wanted


async def test_an_acknowledgement_and_a_status_at_once_both_count(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    a, b = ledgers
    names = [f"d{n}" for n in range(40)]
    await asyncio.gather(*(a.accept(document(name, pull=True)) for name in names))
    waiting = await a.queries.deliveries(limit=200)
    await asyncio.gather(
        *(
            b.acknowledge(
                row.id, state=DeliveryState.DELIVERED, partner_ref="", detail="", actor=BUILD
            )
            for row in waiting
        ),
        *(a.accept(status(Event.ACCEPTANCE, name)) for name in names),
    )
    rows = await a.exchanges.page(limit=200)
    assert {row.state for row in rows} == {ExchangeState.ACCEPTED}
    assert all(row.arrived_at is not None for row in rows)
