"""Redirecting deliveries, on every ledger: nothing twice, nothing lost, the order of a key kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.ledger.ledger import Ledger
from bus.ledger.records import Finish
from bus.ops.mending import REPLAY, Choice, carry_out, choose, redirect
from schemas.adapter import Outcome, Result
from schemas.delivery import DeliveryState
from schemas.province import Agency, Endpoint, Province
from tests.integration.cli_harness import HEALTH, OFFICE, Traffic
from tests.ledgers import prepare

PROVINCE = Province(
    agencies=(
        Agency(code=OFFICE, name="Văn phòng"),
        Agency(code=HEALTH, name="Sở Y tế", endpoint="cu"),
    ),
    endpoints=(
        Endpoint(name="cu", kind="rest-push", config={"url": "https://a.example", "secret": "a"}),
    ),
)


@pytest.fixture
async def traffic(tmp_path: Path, ledger_url: str) -> AsyncIterator[Traffic]:
    await prepare(ledger_url)
    ledger = await Ledger.open(ledger_url, tmp_path / "blobs")
    yield Traffic(ledger, PROVINCE)
    await ledger.close()


async def redirected(traffic: Traffic, *ids: int, to: str = "moi", pull: bool = False) -> list[int]:
    return await traffic.ledger.redirect(ids, to=to, pull=pull, actor="console:lan", reason="hỏng")


async def test_the_order_of_a_key_goes_along(traffic: Traffic) -> None:
    queries = traffic.ledger.queries
    sent = [await traffic.send(HEALTH, document=f"vb-{n}", key="k") for n in range(3)]
    olds = [(await queries.deliveries_of(message))[0].id for message in sent]
    assert await redirected(traffic, *olds) == olds
    assert await redirected(traffic, *olds) == [], "there is nothing left to redirect"
    heads = await traffic.ledger.read_heads(["cu", "moi"], 10)
    assert [head.endpoint for head in heads] == ["moi"]
    for message in sent:
        claimed = await traffic.ledger.claim([heads[0].id])
        assert claimed[0].message_id == message
        assert claimed[0].receivers == (HEALTH,)
        old, new = await queries.deliveries_of(message)
        assert (old.state, old.endpoint) == (DeliveryState.CANCELLED, "cu")
        assert (new.state, new.endpoint) == (DeliveryState.SENDING, "moi")
        outcome = Outcome(Result.DELIVERED)
        await traffic.ledger.finish(Finish(claimed[0], DeliveryState.DELIVERED, outcome))
        heads = await traffic.ledger.read_heads(["cu", "moi"], 10)
    (entry,) = [
        each for each in await queries.journal(message_id=sent[0]) if each.event == "redirected"
    ]
    assert (entry.actor, entry.data) == (
        "console:lan",
        {"endpoint": "cu", "to": "moi", "reason": "hỏng"},
    )
    (followed,) = await traffic.ledger.exchanges.of_message(sent[0])
    assert followed.state == "arrived", "the document is followed at its new place"


async def test_what_may_have_arrived_stays(traffic: Traffic) -> None:
    message = await traffic.send(HEALTH)
    dead = await traffic.dead(message)  # after a timeout: nobody knows
    assert await redirected(traffic, dead) == []
    delivered = await traffic.delivered(await traffic.send(HEALTH))
    assert await redirected(traffic, delivered) == []


async def test_to_a_mailbox(traffic: Traffic) -> None:
    message = await traffic.send(HEALTH)
    (old,) = await traffic.ledger.queries.deliveries_of(message)
    assert await redirected(traffic, old.id, to="hop-thu", pull=True) == [old.id]
    (mail,) = await traffic.ledger.queries.mailbox([HEALTH])
    assert mail.message.id == message


async def test_many_are_chosen_and_done_in_steps(traffic: Traffic) -> None:
    ledger = traffic.ledger
    dead = [await traffic.dead(await traffic.send(HEALTH)) for _ in range(5)]
    other = await traffic.send(HEALTH)
    (waiting,) = await ledger.queries.deliveries_of(other)
    assert (await choose(ledger, REPLAY, Choice(endpoint="cu"))).fit == tuple(dead)
    assert (await choose(ledger, REPLAY, Choice(senders=frozenset({HEALTH})))).fit == ()
    assert (await choose(ledger, REPLAY, Choice(senders=frozenset({OFFICE})))).fit == tuple(dead)
    chosen = await choose(ledger, REPLAY, Choice(ids=(dead[0], waiting.id, 999_999)))
    assert (chosen.fit, chosen.unfit) == ((dead[0],), (waiting.id, 999_999))
    assert (await choose(ledger, redirect("moi", pull=False), Choice(code="x"))).fit == ()
    steps = [
        (tried, list(done))
        async for tried, done in carry_out(
            ledger, REPLAY, dead, actor="console:lan", reason="", rate=100
        )
    ]
    assert steps == [(5, dead)]
    assert [d.state for d in await ledger.queries.deliveries(ids=dead)] == ["queued"] * 5
