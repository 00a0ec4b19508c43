"""What holds for every configuration and every message."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from routing.decision import Decision, RoutingOutcome
from schemas.province import Agency, Endpoint
from tests.unit.routing.provinces import CODES, KINDS, World, receivers, worlds

senders = st.sampled_from(CODES)


@given(worlds, senders, receivers, st.randoms(use_true_random=False))
def test_order_of_declarations_does_not_matter(
    world: World, sender: str, to: list[str], chance: random.Random
) -> None:
    other = World(
        tuple(chance.sample(world.agencies, len(world.agencies))),
        tuple(chance.sample(world.routes, len(world.routes))),
        tuple(chance.sample(world.endpoints, len(world.endpoints))),
    )
    assert other.decide(sender, *to).to_json() == world.decide(sender, *to).to_json()


@given(worlds, senders, receivers)
def test_every_receiver_stands_in_the_decision_exactly_once(
    world: World, sender: str, to: list[str]
) -> None:
    decision = world.decide(sender, *to)
    written = [
        code for each in decision.receivers for code in (each.addressed, *each.also_addressed)
    ]
    assert Counter(written) == Counter(to)
    agencies = [each.agency for each in decision.receivers if each.agency is not None]
    assert len(agencies) == len(set(agencies))
    assert all(each.steps for each in decision.receivers)


@given(worlds, senders, receivers)
def test_deliveries_go_to_declared_endpoints_with_a_known_adapter_or_are_held(
    world: World, sender: str, to: list[str]
) -> None:
    for plan in world.decide(sender, *to).planned():
        usable = KINDS.get(plan.endpoint, "alien") != "alien"
        assert usable or plan.held
        assert plan.receivers


@given(worlds, senders, receivers)
def test_the_plan_holds_exactly_the_receivers_that_are_delivered_or_held(
    world: World, sender: str, to: list[str]
) -> None:
    decision = world.decide(sender, *to)
    planned = [code for plan in decision.planned() for code in plan.receivers]
    leaving = {RoutingOutcome.DELIVER, RoutingOutcome.HOLD}
    assert sorted(planned) == sorted(
        e.agency or "?" for e in decision.receivers if e.outcome in leaving
    )
    for plan in decision.planned():
        assert KINDS.get(plan.endpoint) == "axis" or len(plan.receivers) == 1
        assert plan.pull == (KINDS.get(plan.endpoint) == "pull")


@given(worlds, senders, receivers)
def test_what_is_unrelated_changes_nothing(world: World, sender: str, to: list[str]) -> None:
    larger = world.changed(
        agencies=(*world.agencies, Agency(code="K01.77", name="Đơn vị khác", endpoint="e-new")),
        endpoints=(*world.endpoints, Endpoint(name="e-new", kind="push")),
    )
    assert larger.decide(sender, *to) == world.decide(sender, *to)


@given(worlds, senders, receivers)
def test_receivers_do_not_influence_each_other(world: World, sender: str, to: list[str]) -> None:
    together = {each.agency: each for each in world.decide(sender, *to).receivers if each.agency}
    for each in together.values():
        (alone,) = world.decide(sender, each.addressed).receivers
        assert alone.outcome == each.outcome
        assert (alone.endpoint, alone.route) == (each.endpoint, each.route)


@given(worlds, senders, receivers)
def test_a_decision_survives_its_json(world: World, sender: str, to: list[str]) -> None:
    decision = world.decide(sender, *to)
    again = Decision.from_json(decision.to_json())
    assert again == decision
    assert again.planned() == decision.planned()
    assert again.to_json() == decision.to_json()
